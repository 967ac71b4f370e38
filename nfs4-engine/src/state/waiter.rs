//! Those who wait for locks on a file, so that each has his turn. [RFC 8881 §9.6]
//!
//! A lock that is denied is not granted later: the client asks again. Who can be told does so when
//! he is told that the lock is free, and for a moment it is kept for him. Who polls is not kept
//! waiting by those who are quicker more than a few times: then the lock is kept for him until he
//! asks again, and a lease at most.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::byte_range::{LockKind, Range};
use crate::keys::{ClientKey, OpenKey, SessionKey};
use crate::peer::{LimitReached, Peer, PeerUsage};
use crate::time::Mono;

/// The waiting line of one file: who has come first stands first.
#[derive(Default)]
pub(crate) struct Waiters {
    line: Vec<Waiter>,
    /// Those who have left and are still counted.
    left: Vec<Waiter>,
    /// When a reminder to look at it is due.
    reminder: Option<Mono>,
}

/// A lock that a lock owner was denied and waits for.
pub(crate) struct Waiter {
    pub(crate) client: ClientKey,
    /// To whom it is counted.
    pub(crate) peer: Peer,
    pub(crate) owner: Box<[u8]>,
    pub(crate) range: Range,
    pub(crate) kind: LockKind,
    /// The open that he would lock under, and leaves with.
    pub(crate) open: OpenKey,
    /// The session by which he can be told that the lock is free; none if he polls.
    pub(crate) session: Option<SessionKey>,
    /// When he last asked.
    asked: Mono,
    /// How often another has taken what he polls for.
    overtaken: u32,
    /// He was told, and it is kept for him until then.
    turn: Option<Mono>,
}

/// Who asks for a lock, and for which.
#[derive(Clone, Copy)]
pub(crate) struct LockRequest<'a> {
    pub(crate) client: ClientKey,
    pub(crate) peer: Peer,
    pub(crate) owner: &'a [u8],
    pub(crate) range: Range,
    pub(crate) kind: LockKind,
}

/// What comes of a lock having become free.
#[derive(Debug, Default)]
pub(crate) struct LockGrants {
    /// Whose turn it is, and who is to be told so.
    pub(crate) told: Vec<GrantNotice>,
    /// When it is to be looked at again, if no reminder is set for so early.
    pub(crate) again: Option<Mono>,
}

/// One whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantNotice {
    pub(crate) client: ClientKey,
    pub(crate) session: SessionKey,
    pub(crate) owner: Box<[u8]>,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(crate) fn has(&self, asker: LockRequest<'_>) -> bool {
        self.line.iter().any(|waiter| waiter.is(asker))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiter> + '_ {
        self.line.iter()
    }

    /// Who was denied a lock and waits stands at the end of the line; who stood in it keeps his
    /// place. Who finds the line full, or his peer's share of it, is not in it, which takes nothing
    /// from him but his turn.
    pub(crate) fn stand(
        &mut self,
        asker: LockRequest<'_>,
        open: OpenKey,
        session: Option<SessionKey>,
        now: Mono,
        patience: Duration,
    ) {
        if let Some(waiter) = self.line.iter_mut().find(|waiter| waiter.is(asker)) {
            waiter.kind = asker.kind;
            waiter.open = open;
            waiter.session = session;
            waiter.asked = now;
            waiter.turn = None;
            return;
        }
        if self.admits(asker).is_err() {
            self.dismiss(|waiter| waiter.has_gone(now, patience));
        }
        if self.admits(asker).is_ok() {
            self.line.push(Waiter {
                client: asker.client,
                peer: asker.peer,
                owner: asker.owner.into(),
                range: asker.range,
                kind: asker.kind,
                open,
                session,
                asked: now,
                overtaken: 0,
                turn: None,
            });
        }
    }

    /// Who asks without waiting, and is denied, does not wait any more.
    pub(crate) fn leave(&mut self, asker: LockRequest<'_>) {
        self.dismiss(|waiter| waiter.is(asker));
    }

    /// Whoever waits under an open goes with it.
    pub(crate) fn leave_with(&mut self, open: OpenKey) {
        self.dismiss(|waiter| waiter.open == open);
    }

    /// Those who have left since this was last asked.
    pub(crate) fn take_left(&mut self) -> Vec<Waiter> {
        core::mem::take(&mut self.left)
    }

    fn dismiss(&mut self, goes: impl FnMut(&mut Waiter) -> bool) {
        self.left.extend(self.line.extract_if(.., goes));
    }

    fn admits(&self, asker: LockRequest<'_>) -> Result<(), LimitReached> {
        let held = PeerUsage::among(self.line.iter().map(|waiter| waiter.peer), asker.peer);
        held.admits(LINE, 1)
    }

    /// The one before `asker` in the line for whom the lock is kept, of those who would get it.
    pub(crate) fn before(
        &self,
        asker: LockRequest<'_>,
        now: Mono,
        patience: Duration,
        would_get: impl Fn(&Waiter) -> bool,
    ) -> Option<&Waiter> {
        self.line
            .iter()
            .take_while(|waiter| !waiter.is(asker))
            .find(|waiter| {
                waiter.is_in_the_way_of(asker)
                    && waiter.is_kept_for(now, patience)
                    && would_get(waiter)
            })
    }

    /// A lock was granted: its owner leaves the line, and has overtaken those before him.
    pub(crate) fn granted(&mut self, asker: LockRequest<'_>) {
        let before = self.line.iter_mut().take_while(|waiter| !waiter.is(asker));
        for waiter in before.filter(|waiter| waiter.is_in_the_way_of(asker)) {
            waiter.overtaken = waiter.overtaken.saturating_add(1);
        }
        self.leave(asker);
    }

    /// Something may have become free: says whose turn it is, of those who would get their lock.
    pub(crate) fn turns(
        &mut self,
        now: Mono,
        patience: Duration,
        would_get: impl Fn(&Waiter) -> bool,
    ) -> LockGrants {
        self.dismiss(|waiter| waiter.has_gone(now, patience));
        let gets: Vec<bool> = self.line.iter().map(would_get).collect();
        let mut turns = LockGrants::default();
        let mut next: Option<Mono> = None;
        self.reminder = self.reminder.filter(|at| *at > now);
        for at in 0..self.line.len() {
            let (before, rest) = self.line.split_at_mut(at);
            let Some(waiter) = rest.first_mut() else {
                break;
            };
            let asker = waiter.asker();
            let mut before = before.iter().zip(&gets);
            let is_next = gets.get(at) == Some(&true)
                && !before.any(|(earlier, gets)| {
                    *gets && earlier.is_in_the_way_of(asker) && earlier.is_kept_for(now, patience)
                });
            if is_next
                && waiter.turn.is_none()
                && let Some(session) = waiter.session
            {
                waiter.turn = Some(now.after(TURN));
                turns.told.push(GrantNotice {
                    client: waiter.client,
                    session,
                    owner: waiter.owner.clone(),
                });
            }
            let until = waiter.kept_until(patience);
            next = match (next, until) {
                (Some(next), Some(until)) => Some(next.min(until)),
                (next, until) => next.or(until),
            };
        }
        let look = next.map(|until| until.after(Duration::from_nanos(1)));
        if self
            .reminder
            .is_none_or(|at| look.is_some_and(|look| look < at))
        {
            self.reminder = look;
            turns.again = look;
        }
        turns
    }

    /// This client cannot be told whose turn it is: whoever was, polls.
    pub(crate) fn cannot_tell(&mut self, client: ClientKey) {
        for waiter in &mut self.line {
            if waiter.client == client && waiter.turn.take().is_some() {
                waiter.session = None;
            }
        }
    }
}

impl Waiter {
    fn asker(&self) -> LockRequest<'_> {
        LockRequest {
            client: self.client,
            peer: self.peer,
            owner: &self.owner,
            range: self.range,
            kind: self.kind,
        }
    }

    /// Whether this is what the asker waits for. A range can be waited for in one kind only.
    fn is(&self, asker: LockRequest<'_>) -> bool {
        self.is_of(asker) && self.range == asker.range
    }

    fn is_of(&self, asker: LockRequest<'_>) -> bool {
        self.client == asker.client && *self.owner == *asker.owner
    }

    /// Whether both cannot have what they ask for.
    fn is_in_the_way_of(&self, asker: LockRequest<'_>) -> bool {
        !self.is_of(asker)
            && self.range.overlaps(asker.range)
            && (self.kind == LockKind::Write || asker.kind == LockKind::Write)
    }

    fn is_kept_for(&self, now: Mono, patience: Duration) -> bool {
        self.kept_until(patience).is_some_and(|until| now <= until)
    }

    /// Until when nobody else gets the lock, once it is free.
    fn kept_until(&self, patience: Duration) -> Option<Mono> {
        match self.session {
            Some(_) => self.turn,
            None if self.overtaken >= OVERTAKEN => Some(self.asked.after(patience)),
            None => None,
        }
    }

    /// Whether he was told and did not come, or has stopped polling.
    fn has_gone(&self, now: Mono, patience: Duration) -> bool {
        match self.session {
            Some(_) => self.turn.is_some_and(|until| now > until),
            None => now > self.asked.after(patience),
        }
    }
}

/// So many wait for locks on a file, a third of them of one peer.
const LINE: usize = 192;
/// So long a lock is kept for one who was told that it is free.
const TURN: Duration = Duration::from_secs(1);
/// So often one who polls is overtaken.
const OVERTAKEN: u32 = 3;
