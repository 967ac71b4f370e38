//! A file system for one case.

use std::sync::Arc;

use super::subject::{Files, Subject, Traits};
use super::user::User;

/// A file system for one case, and its first user, to which everything belongs.
pub(super) struct Stage<F: Files> {
    pub(super) user: User,
    pub(super) traits: Arc<Traits>,
    files: F,
}

impl<F: Files> Stage<F> {
    pub(super) fn new<S: Subject<Files = F>>(subject: &S) -> Stage<F> {
        let files = subject.make();
        let traits = Arc::new(subject.traits());
        let user = User::first(files.backend(), Arc::clone(&traits));
        Stage {
            user,
            traits,
            files,
        }
    }

    /// A file system in which requests of several users are made; none where there is only one user.
    pub(super) fn of_users<S: Subject<Files = F>>(subject: &S) -> Option<Stage<F>> {
        runs(subject.traits().owner.0 == 0, "there is one user only").then(|| Stage::new(subject))
    }

    /// The same files in another run of the server.
    pub(super) fn restarted(self) -> Option<Stage<F>> {
        let Stage {
            user,
            traits,
            mut files,
        } = self;
        drop(user);
        let outlives = files.restart();
        runs(outlives, "the files end with the server").then(|| Stage {
            user: User::first(files.backend(), Arc::clone(&traits)),
            traits,
            files,
        })
    }

    /// Checks the file system, and ends the case.
    pub(super) fn end(self) {
        self.files.check();
    }

    pub(super) fn check(&self) {
        self.files.check();
    }
}

/// Whether a case is run; else it says why not.
pub(super) fn runs(applies: bool, why_not: &str) -> bool {
    if !applies {
        eprintln!("NOT RUN: {why_not}");
    }
    applies
}
