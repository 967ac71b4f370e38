//! What passes between this process and the service manager that has started it, if one has: systemd,
//! or another that speaks `sd_notify(3)` and `sd_listen_fds(3)`.
//!
//! The variables that it has set stay as they are: each names the process that it is for, so a child
//! of this one does not take them for its own.

mod notify;
mod sockets;
mod watchdog;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use nfs4_driver::Node;

pub(crate) use self::notify::Notify;
pub use self::sockets::SocketFault;
pub(crate) use self::sockets::{MOST, Passed, tcp};

/// The service manager, or its absence.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// How it is told about this process.
    pub(crate) notify: Notify,
    /// The sockets that it has passed.
    pub(crate) passed: Passed,
    /// Time without a ping after which it kills this process.
    watchdog: Option<Duration>,
}

impl Service {
    /// The service manager that the environment describes. A process takes its sockets once.
    ///
    /// # Errors
    /// A socket that was passed is not what it is named.
    pub(crate) fn of_environment() -> Result<Service, SocketFault> {
        let get = |name: &str| std::env::var_os(name);
        Ok(Service {
            notify: Notify::of(get("NOTIFY_SOCKET")),
            passed: Passed::take(&get)?,
            watchdog: watchdog_time(&get),
        })
    }

    /// Says from now on what the server has to do at these addresses, and pings the watchdog while
    /// it is well. The task ends with the runtime.
    pub(crate) fn watch(&self, node: Node, addresses: &[SocketAddr]) {
        if self.notify.is_heard() {
            let places: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
            let places = places.join(" and ");
            let watch = watchdog::keep(node, self.notify.clone(), self.watchdog, places);
            drop(tokio::spawn(watch));
        }
    }
}

/// Whether a variable that names a process names this one, or is not set.
fn is_for_us(pid: Option<OsString>) -> bool {
    pid.is_none_or(|pid| pid.to_str() == Some(&std::process::id().to_string()))
}

/// The time of `WATCHDOG_USEC`, if it is for this process.
fn watchdog_time(get: &impl Fn(&str) -> Option<OsString>) -> Option<Duration> {
    let micros: u64 = get("WATCHDOG_USEC")?.to_str()?.parse().ok()?;
    (micros > 0 && is_for_us(get("WATCHDOG_PID"))).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_of_another_process_is_none() {
        let time = |micros: &'static str, pid: Option<String>| {
            watchdog_time(&|name: &str| match name {
                "WATCHDOG_USEC" => Some(micros.into()),
                "WATCHDOG_PID" => pid.clone().map(OsString::from),
                _ => None,
            })
        };
        let own = std::process::id().to_string();
        let second = Some(Duration::from_secs(1));
        assert_eq!(time("1000000", Some(own.clone())), second);
        assert_eq!(time("1000000", None), second);
        assert_eq!(time("1000000", Some("1".to_owned())), None);
        for nonsense in ["0", "", "soon", "-1", "99999999999999999999999"] {
            assert_eq!(time(nonsense, Some(own.clone())), None, "{nonsense}");
        }
    }
}
