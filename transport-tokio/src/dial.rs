//! Connections that the server makes.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::{Closing, Dial, Dialer, Refused};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::stream::serve_stream;

/// Waits for the next connection that is to be made.
pub(crate) async fn next(dialer: &mut Dialer) -> Dial {
    poll_fn(|cx| match dialer.next(cx.waker()) {
        Some(dial) => Poll::Ready(dial),
        None => Poll::Pending,
    })
    .await
}

/// Connects, for as long as `patience`, and drives the connection until it ends; none if there was
/// no connection.
pub(crate) async fn carry_out(
    dial: Dial,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
) -> Option<Closing> {
    let mut stopped = pin!(async move {
        // The sender outlives every connection, or they are all aborted.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let connected = tokio::select! {
        () = &mut stopped => return None,
        connected = timeout(patience, TcpStream::connect(dial.target())) => connected,
    };
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => {
            dial.failed(&why);
            return None;
        }
        Err(_elapsed) => {
            dial.failed(&io::ErrorKind::TimedOut.into());
            return None;
        }
    };
    // Without the option the server is slower, and correct.
    let _ = stream.set_nodelay(true);
    match dial.connected() {
        Ok(connection) => Some(serve_stream(stream, connection, stopped).await),
        Err(Refused::TooManyConnections | Refused::TooManyOfPeer) => None,
        Err(Refused::EngineDead(dead)) => Some(Closing::EngineDead(dead)),
    }
}
