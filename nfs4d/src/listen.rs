//! The sockets for clients: passed, kept, taken over from another process, or bound.

use std::io;
use std::iter;
use std::mem;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::config::Settings;
use crate::fault::Fault;
use crate::hand_over::{Offer, Taken};
use crate::service::{Notify, Passed, SocketFault};
use crate::stable::{Failed, State, StateFault};

/// The sockets that the server listens on.
pub(crate) struct Sockets {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) listeners: Vec<TcpListener>,
    /// The service manager listens on them, too.
    are_passed: bool,
    /// The server whose place this one takes.
    other: Option<Taken>,
}

impl Sockets {
    /// The sockets that the service manager has passed, or else those of the settings: of each address the one
    /// that there is already, if there is one, so that clients which have connected to it are served.
    ///
    /// # Errors
    /// An address cannot be listened on, or a running server does not give its sockets.
    pub(crate) async fn open(
        settings: &Settings,
        passed: &mut Passed,
        take_over: bool,
    ) -> Result<Sockets, Fault> {
        let mut other = match (take_over, settings.state_dir.as_deref()) {
            (false, _) => None,
            (true, None) => return Err(Fault::TakeOverOfNone),
            (true, Some(directory)) => {
                Taken::ask(directory).map_err(|source| take_over_fault(directory, source))?
            }
        };
        let mut there = mem::take(&mut passed.kept);
        if let Some(other) = &mut other {
            there.append(&mut other.sockets);
        }
        let passed = mem::take(&mut passed.nfs);
        let are_passed = !passed.is_empty();
        let found = match are_passed {
            true => passed,
            false => found(settings, there).await?,
        };
        let addresses: Vec<SocketAddr> = found.iter().map(|(address, _)| *address).collect();
        if are_passed {
            tracing::info!(
                ?addresses,
                "the service manager has passed the sockets to serve"
            );
        }
        let listeners = found.into_iter();
        let listeners: io::Result<_> = listeners
            .map(|(_, one)| TcpListener::from_std(one))
            .collect();
        Ok(Sockets {
            addresses,
            listeners: listeners?,
            are_passed,
            other,
        })
    }

    /// Opens the state directory, if there is one. A server whose place this one takes ends first.
    ///
    /// # Errors
    /// It cannot be used, or the other server does not end.
    pub(crate) async fn state(&mut self, settings: &Settings) -> Result<Option<Arc<State>>, Fault> {
        let Some(directory) = settings.state_dir.as_deref() else {
            return Ok(None);
        };
        let mut patience = Duration::ZERO;
        let start = Instant::now();
        if let Some(other) = self.other.take() {
            let confirmed = other.confirm();
            confirmed.map_err(|why| take_over_fault(directory, why.into()))?;
            patience = settings.stop + SPARE;
            tracing::info!("a running server has handed over its sockets, and stops");
        }
        loop {
            match State::open(directory) {
                Err(Failed {
                    source: StateFault::Taken,
                    ..
                }) if start.elapsed() < patience => sleep(PAUSE).await,
                opened => return Ok(Some(Arc::new(opened?))),
            }
        }
    }

    /// Leaves the sockets to the next start: to the service manager, and to a process that takes the place of
    /// this one.
    pub(crate) fn offer(&self, settings: &Settings, notify: &Notify) -> Option<Offer> {
        if !self.are_passed {
            notify.keep(&self.listeners);
        }
        let offer = Offer::make(settings.state_dir.as_deref()?, &self.listeners);
        let offer = offer.inspect_err(|why| {
            tracing::warn!(%why, "no process can take the place of this one while it runs");
        });
        offer.ok()
    }
}

/// Listeners at the addresses of the settings, of those that there are or new ones.
async fn found(
    settings: &Settings,
    mut there: Vec<(SocketAddr, StdListener)>,
) -> Result<Vec<(SocketAddr, StdListener)>, Fault> {
    let mut found = Vec::new();
    for address in iter::once(&settings.listen).chain(&settings.also_listen) {
        let own = there.iter().position(|(at, _)| at == address);
        found.push(match own {
            Some(own) => there.swap_remove(own),
            None => bind(*address).await?,
        });
    }
    Ok(found)
}

/// Binds a listener; returns its address with the port that was bound.
async fn bind(address: SocketAddr) -> Result<(SocketAddr, StdListener), Fault> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Fault::Listen { address, source })?;
    Ok((listener.local_addr()?, listener.into_std()?))
}

fn take_over_fault(directory: &Path, source: SocketFault) -> Fault {
    let path = directory.to_owned();
    Fault::TakeOver { path, source }
}

/// Time that the other server has beside that of its stop.
const SPARE: Duration = Duration::from_secs(30);
/// Time between two looks at the state directory.
const PAUSE: Duration = Duration::from_millis(10);
