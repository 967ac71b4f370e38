//! SIGHUP: the configuration file is read again.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use crate::cli::{Reload, Reread};
use crate::exports::Exports;
use crate::service::Notify;
use crate::settings::{Live, Unchanged};

/// SIGHUPs are caught while it exists.
#[derive(Debug)]
pub(crate) struct Hangups {
    signals: Signal,
    notify: Notify,
    reload: Arc<Reload>,
}

impl Hangups {
    /// Catches SIGHUP from now on, which would end the process otherwise.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn catch(reload: Reload, notify: Notify) -> io::Result<Hangups> {
        Ok(Hangups {
            notify,
            signals: signal(SignalKind::hangup())?,
            reload: Arc::new(reload),
        })
    }

    /// Reads the file again with each signal.
    async fn serve(mut self, live: Arc<Live>, exports: Arc<Exports>) {
        while self.signals.recv().await.is_some() {
            self.notify.reloading();
            let (reload, live) = (Arc::clone(&self.reload), Arc::clone(&live));
            let exports = Arc::clone(&exports);
            let again = move || again(&reload, &live, &exports);
            if let Err(panicked) = spawn_blocking(again).await {
                tracing::error!(%panicked, "the configuration file was not read again");
            }
            self.notify.ready();
        }
    }
}

/// Serves SIGHUP forever, if it is caught.
pub(crate) async fn serve(
    hangups: Option<Hangups>,
    live: Arc<Live>,
    exports: Arc<Exports>,
) -> Infallible {
    if let Some(hangups) = hangups {
        hangups.serve(live, exports).await;
    }
    pending().await
}

fn again(reload: &Reload, live: &Live, exports: &Exports) {
    let file = reload.path().display();
    let read = reload.read();
    let acted = read
        .map_err(NotRead::Wrong)
        .and_then(|read| Ok((act(live, exports, &read)?, read.restart)));
    match acted {
        Ok((changed, restart)) => {
            let changed = changed.join(", ");
            tracing::info!(%file, changed, "the configuration file was read again");
            if !restart.is_empty() {
                let keys = restart.join(", ");
                tracing::warn!(%file, keys, "these changes act after a restart");
            }
        }
        Err(NotRead::Wrong(faults)) => {
            let faults = faults.join("; ");
            tracing::error!(%file, faults, "the configuration file is wrong, and nothing has changed");
        }
        Err(NotRead::InPart(why)) => {
            tracing::error!(%file, why, "the configuration file is in force only in part");
        }
    }
}

/// Why what was read is not in force.
enum NotRead {
    /// All that is wrong with it; nothing has changed.
    Wrong(Vec<String>),
    /// Settings have changed, and exports could not be replaced.
    InPart(String),
}

impl From<Vec<String>> for NotRead {
    fn from(faults: Vec<String>) -> NotRead {
        NotRead::Wrong(faults)
    }
}

/// Puts settings and exports into force: exports are made ready first, and after that they are refused only if the
/// engine has failed, or an export does not end in time.
fn act(live: &Live, exports: &Exports, read: &Reread) -> Result<Vec<String>, NotRead> {
    let prepared = exports.prepare(&read.exports)?;
    let changed = live.reload(read.protocol.clone());
    let changed = changed.map_err(|refused| match refused {
        Unchanged::Wrong(wrong) => {
            let told = wrong.iter();
            told.map(|one| format!("{} {}", one.name, one.detail))
                .collect::<Vec<_>>()
        }
        other => vec![other.to_string()],
    })?;
    let served = prepared.serve();
    let served = served.map_err(|why| NotRead::InPart(why.to_string()))?;
    let changed = changed.into_iter().map(str::to_owned);
    let served = served.into_iter().map(|path| format!("export {path}"));
    Ok(changed.chain(served).collect())
}
