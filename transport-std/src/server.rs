//! A listener and the connections that came by it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use nfs4_driver::{Accepts, EngineDead, Node, Refused};

use crate::connection::STACK;
use crate::crew::Crew;
use crate::dial::DialThread;
use crate::listener::Door;
use crate::log;
use crate::stop::{Phase, Stop};
use crate::timer::TimerThread;

/// Serves a [`Node`] on one TCP listener. Several servers may share a node.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    node: Node,
    stop: Stop,
}

/// Why a server ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing can be served any more.
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
    /// The system refuses what it needs to start.
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

    /// Serves on a listener that is there already. When the server ends, so do its clones.
    pub fn new(listener: TcpListener, node: Node) -> Server {
        Server {
            listener,
            node,
            stop: Stop::new(),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What ends [`Server::serve`].
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
        let told = stop.tell(Arc::new(Door::of(&listener)?));
        let crew = Crew::new(node.clone(), stop.clone());
        let owner = Arc::clone(&crew);
        let timer = TimerThread::start(node.timer(), STACK, move || owner.fail())?;
        let patience = node.limits().dial_timeout;
        let dials = DialThread::start(node.dialer(), Arc::clone(&crew), stop.clone(), patience);
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
                Ok((stream, peer)) => start(&crew, &node, stream, peer),
                Err(why) => thread::sleep(accepts.failed(&why)),
            }
        }
        drop((listener, told));
        dials.stop();
        let left = crew.wait(node.limits().stop_timeout);
        if left > 0 {
            log::cut_off(left);
            stop.cut();
        }
        let alive = crew.join();
        timer.stop();
        if alive {
            Ok(())
        } else {
            Err(EngineDead.into())
        }
    }
}

/// Starts the thread of a connection, unless there are too many.
fn start(crew: &Arc<Crew>, node: &Node, stream: TcpStream, peer: SocketAddr) {
    let connection = match node.open(peer.to_string()) {
        Ok(connection) => connection,
        Err(Refused::TooManyConnections | Refused::TooManyOfPeer) => return,
        Err(Refused::EngineDead(_)) => return crew.fail(),
    };
    // Without it the server is slower and no worse.
    let _ = stream.set_nodelay(true);
    if let Err(why) = crew.start(stream, connection) {
        log::no_thread(&peer.to_string(), &why);
        // For the next one. The crew learns of a dead engine by itself.
        let _ = node.make_way();
    }
}
