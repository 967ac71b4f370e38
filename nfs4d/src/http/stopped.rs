//! The end of the administration interface, as its parts hear of it.

use tokio::sync::watch;

/// Whether the interface ends; the default is one that has.
#[derive(Clone, Debug)]
pub(super) struct Stopped(watch::Receiver<()>);

impl Default for Stopped {
    fn default() -> Stopped {
        Stopped::channel().1
    }
}

impl Stopped {
    /// One that is stopped by dropping the sender.
    pub(super) fn channel() -> (watch::Sender<()>, Stopped) {
        let (stop, stopped) = watch::channel(());
        (stop, Stopped(stopped))
    }

    /// Waits until it ends.
    pub(super) async fn wait(&mut self) {
        // It changes only when the sender is dropped.
        let _ = self.0.changed().await;
    }
}
