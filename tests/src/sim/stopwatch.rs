//! How long the engine takes for what it is given.

use std::time::{Duration, Instant};

use nfs4_engine::Input;

/// What each turn of the engine was for and how long it took, by a clock that nothing in the
/// simulation depends on.
#[derive(Debug, Default)]
pub(super) struct Stopwatch(Option<Vec<(&'static str, Duration)>>);

impl Stopwatch {
    pub(super) fn running() -> Stopwatch {
        Stopwatch(Some(Vec::new()))
    }

    pub(super) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn time<T>(&mut self, kind: &'static str, turn: impl FnOnce() -> T) -> T {
        let Some(turns) = &mut self.0 else {
            return turn();
        };
        let from = Instant::now();
        let result = turn();
        turns.push((kind, from.elapsed()));
        result
    }

    pub(super) fn take(&mut self) -> Vec<(&'static str, Duration)> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

pub(super) fn kind_of(input: &Input) -> &'static str {
    match input {
        Input::Call(_) => "request",
        Input::FsDone { .. } => "answer of the file system",
        Input::ConnOpened { .. } => "connection opened",
        Input::ConnClosed { .. } => "connection closed",
        Input::ConnHalfClosed { .. } => "connection half closed",
        Input::CallbackReply(_) => "reply to a callback",
        Input::Dialed { .. } => "dial",
        Input::Touched { .. } => "touch",
        Input::LeaseLost { .. } => "lease lost",
        Input::Admin(_) => "administration",
        Input::ReleasePanicked => "panic",
        Input::StableDone { .. } => "stable storage",
        other => unreachable!("{other:?} is not known here"),
    }
}
