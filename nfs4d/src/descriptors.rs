//! Fits the limit of connections to the file descriptors of this process.

use nfs4_driver::Limits;

/// Limits under which this many descriptors are enough. A single address keeps its part of them.
pub(crate) fn fit(limits: Limits, descriptors: u64) -> Limits {
    let others = (descriptors / 8).clamp(LEAST_OTHERS, MOST_OTHERS);
    let connections = descriptors.saturating_sub(others).max(descriptors / 2);
    let connections = u32::try_from(connections).unwrap_or(u32::MAX).max(1);
    let Limits {
        max_connections,
        max_connections_per_peer,
        ..
    } = limits;
    if connections >= max_connections {
        return limits;
    }
    let part = u64::from(connections) * u64::from(max_connections_per_peer);
    let part = u32::try_from(part / u64::from(max_connections)).unwrap_or(u32::MAX);
    limits.with(|limits| {
        limits.max_connections = connections;
        limits.max_connections_per_peer = part.max(1);
    })
}

/// For listeners, the runtime, the log, readers of metrics, connections that are being made, and
/// connections that are being closed.
const LEAST_OTHERS: u64 = 24;
const MOST_OTHERS: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_connections_than_descriptors_for_them() {
        let usual = Limits::default();
        for (descriptors, connections, per_peer) in [
            (8, 4, 1),
            (64, 40, 10),
            (1_024, 896, 224),
            (4_000, 3_872, 968),
        ] {
            let fitted = fit(usual.clone(), descriptors);
            assert_eq!(fitted.validate(), Ok(()));
            assert_eq!(
                (fitted.max_connections, fitted.max_connections_per_peer),
                (connections, per_peer)
            );
        }
        for many in [5_000, 1 << 20, u64::MAX] {
            assert_eq!(fit(usual.clone(), many), usual);
        }
    }
}
