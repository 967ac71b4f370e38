//! A listener and its connections.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use nfs4_driver::{Accepts, EngineDead, Node, Refused};

use crate::connection::STACK;
use crate::dial::DialThread;
use crate::listener::AcceptWaker;
use crate::log;
use crate::stop::{Phase, Stop};
use crate::threads::ConnectionThreads;
use crate::timer::TimerThread;

/// Serves a [`Node`] on one TCP listener. Several servers may share a node.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    node: Node,
    stop: Stop,
}

/// Why [`Server::serve`] ended without a stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The engine is dead.
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
    /// The system refuses a thread or a socket option that the server needs.
    #[error("cannot start to serve: {0}")]
    Start(#[from] io::Error),
}

impl Server {
    /// Listens at an address; port 0 lets the system choose one.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub fn bind(address: impl ToSocketAddrs, node: Node) -> io::Result<Server> {
        Ok(Server::new(TcpListener::bind(address)?, node))
    }

    /// Serves an existing listener. When the server ends, so do clones of the listener.
    pub fn new(listener: TcpListener, node: Node) -> Server {
        Server {
            listener,
            node,
            stop: Stop::new(),
        }
    }

    /// The address of the listener.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The node that it serves.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// A handle that ends [`Server::serve`].
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves on this thread and those it starts until it is stopped; then it accepts and makes no
    /// connection, drains those that are there, and returns when the calls in flight are answered
    /// and all threads joined, but for those that wait in vain for a peer to take a connection.
    /// After [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it cuts off what is left,
    /// and only a file system that blocks can hold it longer.
    ///
    /// # Errors
    /// The engine is dead, or a thread of the server's own does not start.
    pub fn serve(self) -> Result<(), ServeError> {
        let Server {
            listener,
            node,
            stop,
        } = self;
        listener.set_nonblocking(false)?;
        let told = stop.watch(Arc::new(AcceptWaker::of(&listener)?));
        let threads = ConnectionThreads::new(node.clone(), stop.clone());
        let owner = Arc::clone(&threads);
        let timer = TimerThread::start(node.timer(), STACK, move || owner.fail())?;
        let patience = node.limits().dial_timeout;
        let dials = DialThread::start(node.dialer(), Arc::clone(&threads), stop.clone(), patience);
        let dials = match dials {
            Ok(dials) => dials,
            Err(why) => {
                timer.stop();
                return Err(why.into());
            }
        };
        let mut accepts = Accepts::new(node.clone());
        loop {
            let accepted = listener.accept();
            if stop.phase() > Phase::Serving {
                break;
            }
            match accepted {
                Ok((stream, peer)) => start(&threads, &node, stream, peer),
                Err(why) => thread::sleep(accepts.failed(&why)),
            }
        }
        drop((listener, told));
        dials.stop();
        let left = threads.wait(node.limits().stop_timeout);
        if left > 0 {
            log::cut_off(left);
            stop.cut();
        }
        let alive = threads.join();
        timer.stop();
        if alive {
            Ok(())
        } else {
            Err(EngineDead.into())
        }
    }
}

/// Starts the thread of a connection, unless there are too many connections.
fn start(threads: &Arc<ConnectionThreads>, node: &Node, stream: TcpStream, peer: SocketAddr) {
    let connection = match node.open(peer.to_string()) {
        Ok(connection) => connection,
        Err(Refused::TooManyConnections | Refused::TooManyOfPeer) => return,
        Err(Refused::EngineDead(_)) => return threads.fail(),
    };
    // Without the option the server is slower, and correct.
    let _ = stream.set_nodelay(true);
    if let Err(why) = threads.start(stream, connection) {
        log::no_thread(&peer.to_string(), &why);
        // Makes room for the next one. A dead engine is reported elsewhere.
        let _ = node.make_way();
    }
}
