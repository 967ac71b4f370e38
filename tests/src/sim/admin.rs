//! What the administrator asks of the server.

use nfs4_engine::{Admin, AdminFault, Engine, Input};

use super::world::Sim;

impl Sim {
    /// What the administrator asks for.
    ///
    /// # Panics
    /// If it cannot be done.
    pub fn admin(&mut self, admin: Admin) {
        assert_eq!(self.engine.check_admin(&admin), Ok(()));
        self.excess.check(&self.engine);
        self.handle(Input::Admin(admin));
    }

    /// A look at the engine, as people take it under the lock, which is a turn of this kind.
    pub fn look<T>(&mut self, kind: &'static str, look: impl FnOnce(&Engine) -> T) -> T {
        let engine = &self.engine;
        self.stopwatch.time(kind, || look(engine))
    }

    /// What the administrator asks for and cannot be done: nothing changes.
    ///
    /// # Panics
    /// If it can be done, or something changes.
    pub fn refused(&mut self, admin: Admin) -> AdminFault {
        let fault = self.engine.check_admin(&admin).expect_err("it can be done");
        let before = (self.tables(), self.settings().clone(), self.bindings());
        let noted = self.trace.len();
        self.handle(Input::Admin(admin));
        let after = (self.tables(), self.settings().clone(), self.bindings());
        assert_eq!(after, before);
        assert_eq!(self.trace.len(), noted, "something was done");
        fault
    }
}
