//! What file systems do wrong, told once a minute for each kind.

use core::time::Duration;

use alloc::vec::Vec;

use crate::action::Outbox;
use crate::event::Event;
use crate::fs::{FsCall, FsFault};
use crate::time::Mono;

/// When each kind of fault was told last.
pub(crate) struct Faults {
    /// A row of faults for each call; none before the first fault.
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Default)]
struct Kind {
    told: Option<Mono>,
    /// How often it was so since.
    untold: u64,
}

impl Faults {
    pub(crate) const fn new() -> Faults {
        Faults { kinds: Vec::new() }
    }

    /// Tells of a fault, unless one of this kind was told within a minute.
    #[cold]
    pub(crate) fn tell(
        &mut self,
        export: Option<u16>,
        call: FsCall,
        fault: FsFault,
        now: Mono,
        out: &mut Outbox,
    ) {
        if self.kinds.is_empty() {
            self.kinds.resize(KINDS, Kind::default());
        }
        let place = call as usize * FsFault::COUNT + fault.index();
        let Some(kind) = self.kinds.get_mut(place) else {
            return;
        };
        if kind.told.is_some_and(|told| now < told.after(PAUSE)) {
            kind.untold = kind.untold.saturating_add(1);
            return;
        }
        kind.told = Some(now);
        out.event(Event::FileSystemFault {
            export,
            call,
            fault,
            untold: core::mem::take(&mut kind.untold),
        });
    }
}

/// A log that tells more often can be filled by any client.
const PAUSE: Duration = Duration::from_secs(60);
const KINDS: usize = FsCall::ALL.len() * FsFault::COUNT;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
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
        let (mut faults, mut out) = (Faults::new(), Outbox::new());
        for _ in 0..2 {
            for (call, fault) in kinds.clone() {
                faults.tell(None, call, fault, Mono::ZERO, &mut out);
            }
        }
        let mut told = Vec::new();
        while let Some(Action::Event(event)) = out.pop() {
            told.push(event);
        }
        assert_eq!(told.len(), KINDS, "each is told once");
        assert_eq!(kinds.count(), KINDS);
    }
}
