//! Faults of file systems, reported once a minute for each kind.

use alloc::vec::Vec;
use core::time::Duration;

use crate::event::Event;
use crate::fs::driver::{FsCall, FsFault};
use crate::ids::RequestId;
use crate::time::Mono;

/// When each kind of fault was last reported.
pub(crate) struct FsFaultLog {
    /// A row of faults for each call; empty before the first fault.
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Default)]
struct Kind {
    reported: Option<Mono>,
    /// Number of faults since that report.
    unreported: u64,
}

impl FsFaultLog {
    pub(crate) const fn new() -> FsFaultLog {
        FsFaultLog { kinds: Vec::new() }
    }

    /// Counts a fault. Returns an event, unless one of this kind was reported within the last
    /// minute.
    #[cold]
    pub(crate) fn note(
        &mut self,
        export: Option<u16>,
        call: FsCall,
        fault: FsFault,
        request: Option<RequestId>,
        now: Mono,
    ) -> Option<Event> {
        if self.kinds.is_empty() {
            self.kinds.resize(KINDS, Kind::default());
        }
        let place = call as usize * FsFault::COUNT + fault.index();
        let kind = self.kinds.get_mut(place)?;
        if kind.reported.is_some_and(|at| now < at.after(PAUSE)) {
            kind.unreported = kind.unreported.saturating_add(1);
            return None;
        }
        kind.reported = Some(now);
        Some(Event::FileSystemFault {
            export,
            call,
            fault,
            untold: core::mem::take(&mut kind.unreported),
            request,
        })
    }
}

/// Minimum time between two reports of one kind: without it, any client could fill the log.
const PAUSE: Duration = Duration::from_secs(60);
const KINDS: usize = FsCall::ALL.len() * FsFault::COUNT;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::FsError;

    #[test]
    fn no_two_kinds_of_fault_share_an_index() {
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
            FsFault::Pieces,
            FsFault::Lock,
        ];
        let errors = FsError::ALL.iter().copied().map(FsFault::Error);
        let kinds = FsCall::ALL.iter().copied().flat_map(|call| {
            let faults = errors.clone().chain(others);
            faults.map(move |fault| (call, fault))
        });
        let mut faults = FsFaultLog::new();
        let mut reported = 0;
        for _ in 0..2 {
            for (call, fault) in kinds.clone() {
                let event = faults.note(None, call, fault, None, Mono::ZERO);
                reported += usize::from(event.is_some());
            }
        }
        assert_eq!(reported, KINDS, "each kind is reported once");
        assert_eq!(kinds.count(), KINDS);
    }
}
