//! How the threads of one connection, and the threads that leave things for them, find each other.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::stop::Phase;

/// Where a connection's reader is, and what has happened meanwhile.
///
/// Nothing runs under its lock but what stands in this file, so no thread waits long for it.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    reader: Condvar,
    helper: Condvar,
}

#[derive(Default)]
struct State {
    place: Place,
    /// Something was left for the connection that no thread has handled.
    woken: bool,
    phase: Phase,
    helper: Option<JoinHandle<()>>,
    /// The helper was needed and could not be started.
    broken: Option<io::Error>,
}

/// Where the reader is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// In a turn; it looks around before it goes elsewhere.
    #[default]
    Turn,
    /// In a read or on the way to it: only the socket brings it back.
    Read,
    /// Here, because nothing is to be read.
    Wait,
    /// It has ended the connection.
    Gone,
}

impl Signal {
    /// Something was left for the connection. If no other thread can handle it, `start` starts the helper;
    /// `false` if that fails, and the reader must be brought back from its read.
    pub(crate) fn wake(&self, start: impl FnOnce() -> io::Result<JoinHandle<()>>) -> bool {
        let mut state = self.lock();
        state.woken = true;
        match state.place {
            Place::Turn | Place::Gone => {}
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

    /// The server has come to another phase. A reader in a read does not notice it by this.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = state.phase.max(phase);
        self.reader.notify_one();
    }

    /// The reader, which knows of the phase `known`, goes to read; `false` if there is something to
    /// do first.
    pub(crate) fn start_read(&self, known: Phase) -> bool {
        let mut state = self.lock();
        if std::mem::take(&mut state.woken) || state.phase > known {
            return false;
        }
        state.place = Place::Read;
        true
    }

    /// The reader is back. Says in which phase, and why it could not be helped.
    pub(crate) fn end_read(&self) -> (Phase, Option<io::Error>) {
        let mut state = self.lock();
        state.place = Place::Turn;
        (state.phase, state.broken.take())
    }

    /// The reader, which knows of the phase `known`, waits for something to do; `false` if nothing
    /// came for as long.
    pub(crate) fn wait(&self, known: Phase, span: Duration) -> bool {
        let mut state = self.lock();
        state.place = Place::Wait;
        let nothing = |state: &mut State| !state.woken && state.phase <= known;
        let waited = self.reader.wait_timeout_while(state, span, nothing);
        let (mut state, timeout) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.place = Place::Turn;
        state.woken = false;
        !timeout.timed_out()
    }

    /// In which phase the server is.
    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// The helper waits for something that the reader cannot handle, and learns in which phase the
    /// server is; none when the reader has ended the connection.
    pub(crate) fn wait_to_help(&self) -> Option<Phase> {
        let state = self.lock();
        let nothing = |state: &mut State| match state.place {
            Place::Gone => false,
            Place::Read => !state.woken,
            Place::Turn | Place::Wait => true,
        };
        let waited = self.helper.wait_while(state, nothing);
        let mut state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.woken = false;
        (state.place != Place::Gone).then_some(state.phase)
    }

    /// The helper has had its turn. If the reader is back meanwhile, what it knows is old: perhaps
    /// there is something to read again.
    pub(crate) fn helped(&self) {
        let mut state = self.lock();
        if matches!(state.place, Place::Turn | Place::Wait) {
            state.woken = true;
            self.reader.notify_one();
        }
    }

    /// The reader has ended the connection; its helper is to be joined.
    pub(crate) fn leave(&self) -> Option<JoinHandle<()>> {
        let mut state = self.lock();
        state.place = Place::Gone;
        self.helper.notify_one();
        state.helper.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half-moved under it.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
