//! One line per fact; nothing without the feature `tracing`.

use std::io;

pub(crate) fn no_thread(name: &str, why: &io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(name, %why, "a connection gets no thread and is closed");
    #[cfg(not(feature = "tracing"))]
    let _ = (name, why);
}

pub(crate) fn cut_off(connections: usize) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        connections,
        "the time to stop is over; connections are cut off"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = connections;
}
