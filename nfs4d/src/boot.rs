//! What distinguishes this start of the server from every other, and this server from every other.

use std::hash::Hasher as _;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use nfs4_engine::Boot;
use siphasher::sip::SipHasher13;

/// Reads the clock and the operating system's randomness, once.
///
/// # Errors
/// When the operating system has no randomness to give.
pub(crate) fn boot(listen: SocketAddr) -> Result<Boot, getrandom::Error> {
    let mut entropy = [0; 16];
    getrandom::fill(&mut entropy)?;
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let identity = identity(&machine(), listen);
    Ok(Boot {
        epoch: epoch(since.as_millis()),
        entropy,
        write_verifier: (since.as_nanos() as u64).to_be_bytes(),
        server_major: identity.clone(),
        server_minor: 0,
        server_scope: identity,
    })
}

/// Counts eighths of a second, so that a restart within a second has another epoch too; it comes
/// around after 17 years.
fn epoch(millis: u128) -> u32 {
    ((millis / 125) as u32).max(1)
}

/// Clients take two addresses with one identity for one server, so it must be the same at every start
/// and no other server's: the machine and its listening address.
fn identity(machine: &str, listen: SocketAddr) -> Vec<u8> {
    // Hashed, because a machine's id is not for strangers to read. With keys of zero: the same
    // at every start is the purpose.
    let mut hasher = SipHasher13::new();
    hasher.write(machine.as_bytes());
    format!("nfs4d {:016x} {listen}", hasher.finish()).into_bytes()
}

/// Either alone can be the same on two machines: the id in containers of one image, the name by
/// default.
fn machine() -> String {
    ["/etc/machine-id", "/proc/sys/kernel/hostname"]
        .map(|path| std::fs::read_to_string(path).unwrap_or_default())
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_never_zero_and_moves_within_a_second() {
        for turn in [0, 1 << 32, 2 << 32] {
            assert_eq!(epoch(turn * 125), 1);
        }
        assert_ne!(epoch(1_700_000_000_000), epoch(1_700_000_000_125));
    }

    #[test]
    fn the_identity_is_unique_and_the_same_after_a_restart() {
        let [here, there]: [SocketAddr; 2] =
            ["127.0.0.1:20490", "127.0.0.1:20491"].map(|text| text.parse().unwrap());
        assert_eq!(identity("a", here), identity("a", here));
        assert_ne!(identity("a", here), identity("a", there));
        assert_ne!(identity("a", here), identity("b", here));
    }

    #[test]
    fn two_starts_have_one_identity_and_different_randomness() {
        let listen = "127.0.0.1:20490".parse().unwrap();
        let (first, second) = (boot(listen).unwrap(), boot(listen).unwrap());
        assert_eq!(first.server_major, second.server_major);
        assert_ne!(first.entropy, second.entropy);
        assert_ne!(first.write_verifier, second.write_verifier);
    }
}
