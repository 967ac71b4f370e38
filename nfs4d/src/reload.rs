//! SIGHUP: the configuration file is read again.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;

use nfs4_admin::SettingsPatch;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use crate::cli::{Reload, Reread};
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
    async fn serve(mut self, live: Arc<Live>) {
        while self.signals.recv().await.is_some() {
            self.notify.reloading();
            let (reload, live) = (Arc::clone(&self.reload), Arc::clone(&live));
            if let Err(panicked) = spawn_blocking(move || again(&reload, &live)).await {
                tracing::error!(%panicked, "the configuration file was not read again");
            }
            self.notify.ready();
        }
    }
}

/// Serves SIGHUP forever, if it is caught.
pub(crate) async fn serve(hangups: Option<Hangups>, live: Arc<Live>) -> Infallible {
    if let Some(hangups) = hangups {
        hangups.serve(live).await;
    }
    pending().await
}

fn again(reload: &Reload, live: &Live) {
    let file = reload.path().display();
    match reload.read() {
        Ok(Reread {
            protocol, restart, ..
        }) => match act(live, protocol) {
            Ok(changed) => {
                let changed = changed.join(", ");
                tracing::info!(%file, changed, "the configuration file was read again");
                if !restart.is_empty() {
                    let keys = restart.join(", ");
                    tracing::warn!(%file, keys, "these changes act after a restart");
                }
            }
            Err(faults) => wrong(&file, &faults),
        },
        Err(faults) => wrong(&file, &faults),
    }
}

fn act(live: &Live, protocol: SettingsPatch) -> Result<Vec<&'static str>, Vec<String>> {
    live.reload(protocol).map_err(|refused| match refused {
        Unchanged::Wrong(wrong) => {
            let told = wrong.iter();
            told.map(|one| format!("{} {}", one.name, one.detail))
                .collect()
        }
        other => vec![other.to_string()],
    })
}

fn wrong(file: &impl std::fmt::Display, faults: &[String]) {
    let faults = faults.join("; ");
    tracing::error!(%file, faults, "the configuration file is wrong, and nothing has changed");
}
