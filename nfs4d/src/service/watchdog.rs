//! Says that the server is well only while it is: the engine lives, and its lock is taken in time.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use nfs4_driver::{EngineDead, Node};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::notify::Notify;

/// Looks at the server again and again, says what there is, and pings the service manager's watchdog if
/// it has one. A runtime that runs no tasks does not run this one either.
pub(super) async fn keep(
    node: Node,
    notify: Notify,
    watchdog: Option<Duration>,
    places: String,
) -> Infallible {
    // With half of the time for a look, the pings of a server that is well are never late.
    let pause = watchdog.map_or(PAUSE, |time| (time / 4).min(PAUSE));
    let mut pulse = Pulse::of(node);
    let (mut said, mut ill) = (None, false);
    loop {
        let beat = pulse.beat(pause).await;
        if matches!(beat, Beat::Well(_)) && watchdog.is_some() {
            notify.ping();
        }
        match beat {
            Beat::Well(_) if ill => tracing::warn!("the server is well again"),
            Beat::Late if !ill => {
                tracing::error!(
                    ?pause,
                    "the engine's lock was not taken in time: the watchdog is not pinged"
                );
            }
            Beat::Dead if !ill => tracing::error!("the engine is dead: the watchdog is not pinged"),
            Beat::Well(_) | Beat::Late | Beat::Dead => {}
        }
        ill = !matches!(beat, Beat::Well(_));
        if said != Some(beat) {
            notify.status(&format!("{beat}, on {places}"));
            said = Some(beat);
        }
        sleep(pause).await;
    }
}

/// Looks at a server.
pub(super) struct Pulse {
    node: Node,
    /// A look that has not come back yet: there is never more than one.
    look: Option<JoinHandle<Result<Load, EngineDead>>>,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// The engine lives, and its lock was taken in time.
    Well(Load),
    /// The engine's lock has not been taken yet.
    Late,
    /// The engine is dead.
    Dead,
}

/// What the server has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    clients: usize,
    sessions: usize,
    connections: usize,
}

impl Pulse {
    pub(super) fn of(node: Node) -> Pulse {
        Pulse { node, look: None }
    }

    /// Looks for at most so long. A thread of its own waits for the lock, so that the runtime can go
    /// on: with signals, for one.
    pub(super) async fn beat(&mut self, patience: Duration) -> Beat {
        let node = self.node.clone();
        let look = self
            .look
            .get_or_insert_with(|| spawn_blocking(move || load(&node)));
        let Ok(found) = timeout(patience, look).await else {
            return Beat::Late;
        };
        self.look = None;
        match found {
            Ok(Ok(load)) => Beat::Well(load),
            // It has panicked, or the runtime ends.
            Ok(Err(EngineDead)) | Err(_) => Beat::Dead,
        }
    }
}

fn load(node: &Node) -> Result<Load, EngineDead> {
    let lengths = node.table_lengths()?;
    Ok(Load {
        clients: lengths.clients,
        sessions: lengths.sessions,
        connections: lengths.connections,
    })
}

impl fmt::Display for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Beat::Well(Load {
                clients,
                sessions,
                connections,
            }) => write!(
                f,
                "serves {clients} clients with {sessions} sessions and {connections} connections"
            ),
            Beat::Late => f.write_str("STUCK: the engine's lock is held"),
            Beat::Dead => f.write_str("DEAD: the engine has failed"),
        }
    }
}

/// Time between two looks at most.
const PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use nfs4_driver::{Clock as _, Identity, Limits, SystemClock};
    use nfs4_engine::{Config, Engine, Export};
    use nfs4_vfs::{MemFs, MemFsConfig};

    use super::*;

    fn node() -> Node {
        let clock = SystemClock::new();
        let boot = Identity::of_machine("nfs4d-test");
        let boot = boot.boot().unwrap();
        let files = MemFs::new(MemFsConfig::new(boot.epoch, 1 << 20));
        let exports = vec![Export::new("/", Arc::new(files))];
        let engine = Engine::new(boot, Config::default(), exports, clock.now()).unwrap();
        Node::with_clock(engine, Limits::default(), Arc::new(clock)).unwrap()
    }

    fn run(future: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(future);
    }

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn a_server_whose_lock_is_held_is_not_well_until_it_is_free() {
        let node = node();
        let (held, holds) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let holder = node.clone();
        let holder = thread::spawn(move || {
            let wait = |_: &Engine| {
                held.send(()).unwrap();
                // It fails when the sender is dropped.
                let _ = released.recv();
            };
            holder.look(wait).unwrap();
        });
        holds.recv().unwrap();
        run(async {
            let mut pulse = Pulse::of(node);
            for _ in 0..3 {
                assert_eq!(pulse.beat(SHORT).await, Beat::Late);
            }
            drop(release);
            holder.join().unwrap();
            assert!(matches!(
                pulse.beat(Duration::from_secs(10)).await,
                Beat::Well(_)
            ));
        });
    }

    #[test]
    fn a_dead_engine_is_not_well() {
        let node = node();
        let panicking = node.clone();
        let panics = |_: &Engine| std::panic::resume_unwind(Box::new(()));
        thread::spawn(move || panicking.look(panics))
            .join()
            .unwrap_err();
        run(async {
            let beat = Pulse::of(node).beat(Duration::from_secs(10)).await;
            assert_eq!(beat, Beat::Dead);
        });
    }

    /// The whole task: pings while the lock is free, none while it is held, and pings again.
    #[test]
    fn the_watchdog_is_pinged_while_the_server_is_well() {
        let path = std::env::temp_dir().join(format!("nfs4d-watchdog-{}", std::process::id()));
        let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let pings = |span: Duration| {
            let (start, mut pings, mut message) = (Instant::now(), 0, [0; 256]);
            while start.elapsed() < span {
                if let Ok(length) = socket.recv(&mut message) {
                    pings += usize::from(&message[..length] == b"WATCHDOG=1");
                }
            }
            pings
        };
        let node = node();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let notify = Notify::of(Some(path.clone().into()));
        let time = Some(Duration::from_millis(200));
        drop(runtime.spawn(keep(node.clone(), notify, time, String::new())));
        assert!(pings(Duration::from_secs(2)) >= 3);
        let stuck = node.look(|_| {
            // One may be on its way.
            pings(Duration::from_millis(300));
            pings(Duration::from_secs(1))
        });
        assert_eq!(stuck, Ok(0));
        assert!(pings(Duration::from_secs(2)) >= 3);
        std::fs::remove_file(path).unwrap();
    }
}
