//! Faults of file systems, reported once a minute for each kind.

use core::time::Duration;

use alloc::vec::Vec;

use crate::event::Event;
use crate::fs::{FsCall, FsFault};
use crate::time::Mono;

/// When each kind of fault was reported last.
pub(crate) struct FsFaultLog {
    /// A row of faults for each call; none before the first fault.
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Default)]
struct Kind {
    told: Option<Mono>,
    /// How often it was so since.
    untold: u64,
}

impl FsFaultLog {
    pub(crate) const fn new() -> FsFaultLog {
        FsFaultLog { kinds: Vec::new() }
    }

    /// Counts a fault; returns the event that reports it, unless one of this kind was reported within a minute.
    #[cold]
    pub(crate) fn note(
        &mut self,
        export: Option<u16>,
        call: FsCall,
        fault: FsFault,
        now: Mono,
    ) -> Option<Event> {
        if self.kinds.is_empty() {
            self.kinds.resize(KINDS, Kind::default());
        }
        let place = call as usize * FsFault::COUNT + fault.index();
        let kind = self.kinds.get_mut(place)?;
        if kind.told.is_some_and(|told| now < told.after(PAUSE)) {
            kind.untold = kind.untold.saturating_add(1);
            return None;
        }
        kind.told = Some(now);
        Some(Event::FileSystemFault {
            export,
            call,
            fault,
            untold: core::mem::take(&mut kind.untold),
        })
    }
}

/// A client can fill a log that reports more often.
const PAUSE: Duration = Duration::from_secs(60);
const KINDS: usize = FsCall::ALL.len() * FsFault::COUNT;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::FsError;

    #[test]
    fn no_two_kinds_share_a_place() {
        let others = [
            FsFault::Reply,
            FsFault::Again,
            FsFault::Attributes,
            FsFault::Stat,
            FsFault::Length,
            FsFault::Stability,
            FsFault::Target,
            FsFault::Handle,
            FsFault::Name,
            FsFault::Cookie,
            FsFault::Unended,
        ];
        let errors = FsError::ALL.map(FsFault::Error);
        let kinds = FsCall::ALL.into_iter().flat_map(|call| {
            let faults = errors.into_iter().chain(others);
            faults.map(move |fault| (call, fault))
        });
        let mut faults = FsFaultLog::new();
        let mut told = 0;
        for _ in 0..2 {
            for (call, fault) in kinds.clone() {
                let event = faults.note(None, call, fault, Mono::ZERO);
                told += usize::from(event.is_some());
            }
        }
        assert_eq!(told, KINDS, "each is told once");
        assert_eq!(kinds.count(), KINDS);
    }
}
