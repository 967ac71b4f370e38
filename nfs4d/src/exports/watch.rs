//! Whether the directories of exports are still at their paths.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::live::Exports;
use crate::lock::locked;

/// Looks for directories that are gone or replaced, forever.
pub(crate) async fn watch(exports: Arc<Exports>) -> Infallible {
    loop {
        sleep(INTERVAL).await;
        let exports = Arc::clone(&exports);
        // It may wait for a disk; a panic has been reported.
        let _ = spawn_blocking(move || exports.look()).await;
    }
}

impl Exports {
    /// Notes which directories are not at their paths, and says so once.
    fn look(&self) {
        for (export, served) in &self.table().served {
            let (Some(place), Some(path)) = (&served.opened.place, served.entry.directory()) else {
                continue;
            };
            let fault = place.fault(path);
            let before = match &fault {
                Some(fault) => locked(&self.faults).insert(export.clone(), fault.clone()),
                None => locked(&self.faults).remove(export),
            };
            match (&before, &fault) {
                (None, Some(why)) => {
                    tracing::warn!(
                        export,
                        why,
                        "the directory of an export is not at its path any more"
                    );
                }
                (Some(_), None) => {
                    tracing::info!(export, "the directory of an export is at its path again");
                }
                _ => {}
            }
        }
    }
}

/// Interval of looks: an export may have vanished for as long before there is a line in the log.
const INTERVAL: Duration = Duration::from_secs(2);
