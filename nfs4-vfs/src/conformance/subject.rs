//! A file system under test.

use std::sync::Arc;
use std::time::Duration;

use nfs4_engine::fs::Backend;

/// A kind of file system under test: it makes an empty one for each case.
pub trait Subject: Sync {
    /// One file system, and what is to be removed with it.
    type Files: Files;

    /// An empty file system. Its root directory belongs to the user and the group of
    /// [`Traits::owner`], and has mode 0777.
    fn make(&self) -> Self::Files;

    /// What it leaves open, or does in its own way.
    fn traits(&self) -> Traits {
        Traits::default()
    }
}

/// One file system under test. When it is dropped, all of it goes.
pub trait Files: Send + Sync {
    /// The file system.
    fn backend(&self) -> Arc<dyn Backend>;

    /// At the end of a case, when no request runs: panics if what the file system keeps is inconsistent.
    fn check(&self) {}

    /// The same files in another run of the server, where they outlive one. The cases hold the former
    /// backend no more, and take the new one by [`Files::backend`]. Else it answers false.
    fn restart(&mut self) -> bool {
        false
    }
}

/// What a file system leaves open. The default is what [`MemFs`](crate::MemFs) does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Traits {
    /// User and group that the cases act as, and that own the root directory. The superuser may do all
    /// that others may not; another user is the only one, and cases with several users are not run.
    pub owner: (u32, u32),
    /// Names are any bytes but '/' and NUL; else letters, digits and a few signs are used.
    pub any_names: bool,
    /// There are named pipes and sockets.
    pub special_files: bool,
    /// The superuser can make devices.
    pub devices: bool,
    /// A directory has a link of its own, one from its parent, and one from each directory in it.
    pub counts_directories: bool,
    /// Files are stamped with the time of the request, not with another clock.
    pub stamps_requests: bool,
    /// A client can set the time of creation.
    pub sets_created: bool,
    /// A cookie that was never returned is refused.
    pub knows_cookies: bool,
    /// A handle that was never returned is refused, also if it is that of another object with a bit
    /// changed, or one of another file system.
    pub seals_handles: bool,
    /// A listing has each entry once that exists throughout, also if it is renamed meanwhile; and it ends
    /// whatever comes meanwhile.
    pub stable_listings: bool,
    /// Holes take no space.
    pub sparse: bool,
    /// The space that is told is this file system's alone: what is removed is free again at once.
    pub exact_space: bool,
    /// The change attribute of an object stays the same while nothing is changed: reads do not count.
    pub reads_are_no_change: bool,
    /// The change attribute of an object moves with its changes only; else it may move once more within
    /// [`Traits::SETTLED`] after one, as where changes in one tick of a clock look alike.
    pub steady_change: bool,
    /// A creation is repeated by its verifier also when the file was read or written meanwhile; else the
    /// verifier may be gone by then.
    pub keeps_verifiers: bool,
    /// Of a file system that leases files for delegations
    /// ([`Backend::leases`](nfs4_engine::fs::Backend::leases)): one that no other process has open is leased; else
    /// the machine may refuse every lease.
    pub leases: bool,
    /// Maximum length of a file that the cases make, in bytes: with holes, nearly nothing is stored.
    pub largest_file: u64,
    /// Number of random runs of each property.
    pub random_runs: u32,
}

impl Default for Traits {
    fn default() -> Traits {
        Traits {
            owner: (0, 0),
            any_names: true,
            special_files: true,
            devices: true,
            counts_directories: true,
            stamps_requests: true,
            sets_created: true,
            knows_cookies: true,
            seals_handles: true,
            stable_listings: true,
            sparse: true,
            exact_space: true,
            reads_are_no_change: true,
            steady_change: true,
            keeps_verifiers: true,
            leases: true,
            largest_file: i64::MAX as u64,
            random_runs: 150,
        }
    }
}

impl Traits {
    /// How long after a change of an object its change attribute may move once more, where it is not
    /// steady.
    pub const SETTLED: Duration = Duration::from_millis(40);

    /// These traits, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Traits)) -> Traits {
        set(&mut self);
        self
    }
}
