//! One line per fact; nothing without the feature `tracing`.

pub(crate) fn cut_off(connections: usize) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        connections,
        "the time to stop is over; connections are cut off"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = connections;
}
