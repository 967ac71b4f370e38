//! The user on whose behalf a thread makes system calls.

use std::sync::OnceLock;
use std::thread::yield_now;

use nfs4_engine::fs::{Credential, FsError};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, Gid, Uid, capabilities, capabilities_secure_bits,
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// Does `act` as this user: with the effective user id, group id and groups of the user, and without
/// capabilities unless the user is the superuser. Only this thread changes, and is itself again when
/// `act` returns or panics.
///
/// The kernel drops all effective capabilities with the effective user id 0, and returns them with it:
/// among them CAP_DAC_OVERRIDE, and CAP_SYS_RESOURCE, which would exceed quotas. The file system user
/// and group ids follow the effective ones.
///
/// If the process may not change its user ([`switches`] is false), `act` runs as it is.
///
/// # Errors
/// [`FsError::AccessDenied`] if there is no such user here, as in a user namespace; `act` does not run.
pub(super) fn as_user<T>(cred: &Credential, act: impl FnOnce() -> T) -> Result<T, FsError> {
    let own = Own::of_process();
    if !own.switches {
        return Ok(act());
    }
    let _restored = own.become_user(cred)?;
    Ok(act())
}

/// Whether requests run as their users: the process is the superuser's, and may change its user.
/// Otherwise they run with the rights of the process, which must check those of users itself.
pub(super) fn switches() -> bool {
    Own::of_process().switches
}

/// Gives up the right of this thread, and of those that it starts, to exceed the quotas of users.
pub(super) fn obey_quotas() -> std::io::Result<()> {
    let mut sets = capabilities(None)?;
    if !sets.permitted.contains(CapabilitySet::SYS_RESOURCE) {
        // A filter of system calls may refuse the next one.
        return Ok(());
    }
    // Not the effective ones alone: those that are permitted come back with the user id 0.
    for set in [&mut sets.effective, &mut sets.permitted] {
        set.remove(CapabilitySet::SYS_RESOURCE);
    }
    Ok(set_capabilities(None, sets)?)
}

/// Whether the process may exceed the quotas of users, as far as this thread shows.
pub(super) fn may_exceed_quotas() -> bool {
    let sets = capabilities(None);
    sets.is_ok_and(|sets| sets.permitted.contains(CapabilitySet::SYS_RESOURCE))
}

/// The identity of the process, as it was when it was asked for first.
struct Own {
    switches: bool,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Own {
    fn of_process() -> &'static Own {
        static OWN: OnceLock<Own> = OnceLock::new();
        OWN.get_or_init(|| {
            let uid = geteuid();
            let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
            let may = capabilities(None).is_ok_and(|sets| sets.effective.contains(needed));
            // Capabilities would stay when the user changes.
            let stay = capabilities_secure_bits()
                .is_ok_and(|bits| bits.contains(CapabilitiesSecureBits::NO_SETUID_FIXUP));
            Own {
                switches: uid.is_root() && may && !stay,
                uid,
                gid: getegid(),
                groups: getgroups().unwrap_or_default(),
            }
        })
    }

    /// Changes this thread, until the result is dropped.
    fn become_user(&'static self, cred: &Credential) -> Result<Restored, FsError> {
        // What has changed is restored on an error too.
        let mut changed = Restored {
            own: self,
            groups: false,
            gid: false,
            uid: false,
        };
        let mut groups = [Gid::ROOT; Credential::MAX_GROUPS];
        let count = cred.groups().len();
        for (group, number) in groups.iter_mut().zip(cred.groups()) {
            *group = Gid::from_raw(*number);
        }
        let groups = groups.get(..count).unwrap_or_default();
        if groups != self.groups {
            set_thread_groups(groups).map_err(refused)?;
            changed.groups = true;
        }
        let gid = Gid::from_raw(cred.gid);
        if gid != self.gid {
            set_thread_res_gid(None, gid, None).map_err(refused)?;
            changed.gid = true;
        }
        // The last: with it goes the right to change the others.
        if !cred.is_root() {
            set_thread_res_uid(None, Uid::from_raw(cred.uid), None).map_err(refused)?;
            changed.uid = true;
        }
        Ok(changed)
    }
}

/// Makes this thread the process's own again when it is dropped.
struct Restored {
    own: &'static Own,
    groups: bool,
    gid: bool,
    uid: bool,
}

impl Drop for Restored {
    fn drop(&mut self) {
        let own = self.own;
        // The first: with it comes the right to change the others.
        if self.uid {
            must(|| set_thread_res_uid(None, own.uid, None));
        }
        if self.gid {
            must(|| set_thread_res_gid(None, own.gid, None));
        }
        if self.groups {
            must(|| set_thread_groups(&own.groups));
        }
    }
}

/// Repeats what only a want of memory can refuse. A thread that stays another user must not serve.
fn must(mut act: impl FnMut() -> rustix::io::Result<()>) {
    for _ in 0..ATTEMPTS {
        if act().is_ok() {
            return;
        }
        yield_now();
    }
    std::process::abort();
}

fn refused(error: Errno) -> FsError {
    match error {
        Errno::NOMEM => FsError::Busy,
        _ => FsError::AccessDenied,
    }
}

/// Number of attempts to restore a thread before the process is given up.
const ATTEMPTS: u32 = 10_000;

#[cfg(test)]
mod tests;
