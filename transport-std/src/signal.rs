//! How the threads of one connection, and threads that leave something for it, wake each other.

use std::io;
use std::time::Duration;

use crate::stop::Phase;
use crate::sync::{Condvar, JoinHandle, Mutex, MutexGuard};

/// The state of a connection's reader, and what has happened meanwhile.
///
/// Only code of this file runs under its lock, so no thread waits long for it.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    reader: Condvar,
    helper: Condvar,
}

#[derive(Default)]
struct State {
    place: Place,
    /// Something was left for the connection, and no thread has handled it.
    woken: bool,
    phase: Phase,
    helper: Option<JoinHandle<()>>,
    /// The helper was needed and did not start.
    broken: Option<io::Error>,
}

/// The state of the reader.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// It works; it checks for wake-ups before it waits.
    #[default]
    Working,
    /// It reads or is about to: only the socket wakes it.
    Read,
    /// It waits for a signal, because nothing is to be read.
    Wait,
    /// It has closed the connection.
    Gone,
}

impl Signal {
    /// Notes that something was left for the connection. If no other thread can handle it, `start`
    /// starts the helper; returns `false` if that fails, and the reader must be interrupted.
    pub(crate) fn wake(&self, start: impl FnOnce() -> io::Result<JoinHandle<()>>) -> bool {
        let mut state = self.lock();
        state.woken = true;
        match state.place {
            Place::Working | Place::Gone => {}
            Place::Wait => self.reader.notify_one(),
            Place::Read if state.helper.is_some() => self.helper.notify_one(),
            Place::Read => match start() {
                Ok(helper) => state.helper = Some(helper),
                Err(why) => {
                    state.broken = Some(why);
                    return false;
                }
            },
        }
        true
    }

    /// Notes the next phase of the server. A reader in a read does not notice it.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = state.phase.max(phase);
        self.reader.notify_one();
    }

    /// The reader, which knows the phase `known`, is about to read; returns `false` if there is
    /// something to do first.
    pub(crate) fn start_read(&self, known: Phase) -> bool {
        let mut state = self.lock();
        if std::mem::take(&mut state.woken) || state.phase > known {
            return false;
        }
        state.place = Place::Read;
        true
    }

    /// The reader returns from a read. Returns the phase, and why the helper did not start.
    pub(crate) fn end_read(&self) -> (Phase, Option<io::Error>) {
        let mut state = self.lock();
        state.place = Place::Working;
        (state.phase, state.broken.take())
    }

    /// The reader, which knows the phase `known`, waits for something to do; returns `false` if
    /// nothing came within `span`.
    pub(crate) fn wait(&self, known: Phase, span: Duration) -> bool {
        let mut state = self.lock();
        state.place = Place::Wait;
        let nothing = |state: &mut State| !state.woken && state.phase <= known;
        let waited = self.reader.wait_timeout_while(state, span, nothing);
        let (mut state, timeout) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.place = Place::Working;
        state.woken = false;
        !timeout.timed_out()
    }

    /// The phase of the server.
    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// The helper waits for something that the reader cannot handle; returns the phase of the
    /// server, or none when the reader has closed the connection.
    pub(crate) fn wait_to_help(&self) -> Option<Phase> {
        let state = self.lock();
        let nothing = |state: &mut State| match state.place {
            Place::Gone => false,
            Place::Read => !state.woken,
            Place::Working | Place::Wait => true,
        };
        let waited = self.helper.wait_while(state, nothing);
        let mut state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.woken = false;
        (state.place != Place::Gone).then_some(state.phase)
    }

    /// The helper has worked. If the reader is back meanwhile, its knowledge is old: there may be
    /// bytes to read.
    pub(crate) fn helped(&self) {
        let mut state = self.lock();
        if matches!(state.place, Place::Working | Place::Wait) {
            state.woken = true;
            self.reader.notify_one();
        }
    }

    /// The reader has closed the connection; its helper has to be joined.
    pub(crate) fn leave(&self) -> Option<JoinHandle<()>> {
        let mut state = self.lock();
        state.place = Place::Gone;
        self.helper.notify_one();
        state.helper.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
