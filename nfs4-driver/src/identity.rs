//! What distinguishes this server from every other, and this start of it from every other.

use std::fmt;
use std::hash::Hasher as _;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nfs4_engine::Boot;
use siphasher::sip::SipHasher13;

/// The name of a server, by which clients recognise it at several addresses and after a restart. It
/// must be the same at every start, and no other server's. [RFC 8881 §2.10.4]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Vec<u8>);

impl Identity {
    /// The server that the administrator calls so, such as by its host name: 1 to 1 024 bytes.
    pub fn named(name: impl Into<Vec<u8>>) -> Identity {
        Identity(name.into())
    }

    /// The server at this place on this machine, such as the address that it listens on.
    pub fn of_machine(place: impl fmt::Display) -> Identity {
        Identity::at(&machine(), place)
    }

    fn at(machine: &str, place: impl fmt::Display) -> Identity {
        // Hashed, because a machine's id is not for strangers to read. With keys of zero: the same
        // at every start is the purpose.
        let mut hasher = SipHasher13::new();
        hasher.write(machine.as_bytes());
        Identity(format!("nfs4 {:016x} {place}", hasher.finish()).into_bytes())
    }

    /// A start of this server now: reads the clock and the operating system's randomness.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn boot(&self) -> io::Result<Boot> {
        let mut entropy = [0; 16];
        getrandom::fill(&mut entropy)?;
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let epoch = own_epoch(epoch(since.as_millis()));
        let boot = Boot::new(epoch, entropy, self.0.clone());
        Ok(boot.with(|boot| boot.write_verifier = (since.as_nanos() as u64).to_be_bytes()))
    }
}

/// Counts eighths of a second, so that a restart within a second has another epoch too; it comes
/// around after 17 years.
fn epoch(millis: u128) -> u32 {
    ((millis / 125) as u32).max(1)
}

/// This epoch, or the one after that of the latest start in this process: a server that is started again
/// at once would take the ids of its clients for its own.
fn own_epoch(now: u32) -> u32 {
    static LATEST: AtomicU32 = AtomicU32::new(0);
    let own = |latest: u32| {
        let is_later = latest == 0 || now.wrapping_sub(latest).cast_signed() > 0;
        if is_later {
            now
        } else {
            latest.wrapping_add(1).max(1)
        }
    };
    let known = LATEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| {
        Some(own(latest))
    });
    own(known.unwrap_or_else(|latest| latest))
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
        let (here, there) = ("127.0.0.1:20490", "127.0.0.1:20491");
        assert_eq!(Identity::at("a", here), Identity::at("a", here));
        assert_ne!(Identity::at("a", here), Identity::at("a", there));
        assert_ne!(Identity::at("a", here), Identity::at("b", here));
    }

    #[test]
    fn two_starts_at_once_have_one_identity_and_differ_in_all_else() {
        let server = Identity::of_machine("127.0.0.1:20490");
        let (first, second) = (server.boot().unwrap(), server.boot().unwrap());
        assert_eq!(first.server_major, second.server_major);
        assert_ne!(first.epoch, second.epoch);
        assert_ne!(first.entropy, second.entropy);
        assert_ne!(first.write_verifier, second.write_verifier);
    }
}
