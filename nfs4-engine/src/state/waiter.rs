//! The waiting line for the locks of a file. [RFC 8881 §9.6]
//!
//! A denied lock is not granted later: the client asks again. A client with a backchannel asks when
//! CB_NOTIFY_LOCK says that the lock is free, and the lock is kept free for it for a moment. A client
//! that polls is overtaken by quicker clients only a few times: then the lock is kept free for it until
//! it asks again, at most for a lease.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::byte_range::{LockKind, Range};
use crate::keys::{ClientKey, OpenKey, SessionKey};
use crate::peer::{LimitReached, Peer, PeerUsage};
use crate::time::Mono;

/// The waiting line of one file, in the order of arrival.
#[derive(Default)]
pub(crate) struct Waiters {
    line: Vec<Waiter>,
    /// Waiters that have left and are still counted.
    left: Vec<Waiter>,
    /// When a reminder to look at it is due.
    reminder: Option<Mono>,
}

/// A lock that a lock owner was denied and waits for.
pub(crate) struct Waiter {
    pub(crate) client: ClientKey,
    /// The peer that is charged with it.
    pub(crate) peer: Peer,
    pub(crate) owner: Box<[u8]>,
    pub(crate) range: Range,
    pub(crate) kind: LockKind,
    /// The open that the lock is to be under; the waiter leaves with it.
    pub(crate) open: OpenKey,
    /// The session that takes CB_NOTIFY_LOCK; none for a client that polls.
    pub(crate) session: Option<SessionKey>,
    /// When it last asked.
    asked: Mono,
    /// How often another owner has taken the lock that it polls for.
    overtaken: u32,
    /// It was notified, and the lock is kept free for it until then.
    turn: Option<Mono>,
}

/// A request for a lock.
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
    /// The waiters whose lock is free, which are to be notified.
    pub(crate) told: Vec<GrantNotice>,
    /// When it is to be checked again, if no reminder is set for so early.
    pub(crate) again: Option<Mono>,
}

/// A waiter that is to be notified.
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

    /// A denied request that waits stands at the end of the line, or keeps its place in it. A request
    /// that finds the line full, or its peer's share of it, is not in the line: it only loses its turn.
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

    /// A denied request that does not wait leaves the line.
    pub(crate) fn leave(&mut self, asker: LockRequest<'_>) {
        self.dismiss(|waiter| waiter.is(asker));
    }

    /// The waiters under an open leave with it.
    pub(crate) fn leave_with(&mut self, open: OpenKey) {
        self.dismiss(|waiter| waiter.open == open);
    }

    /// The waiters that have left since the last call.
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

    /// The waiter before `asker` in the line for which the lock is kept free, if it could lock now.
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

    /// A lock was granted: its owner leaves the line, and has overtaken those before it.
    pub(crate) fn granted(&mut self, asker: LockRequest<'_>) {
        let before = self.line.iter_mut().take_while(|waiter| !waiter.is(asker));
        for waiter in before.filter(|waiter| waiter.is_in_the_way_of(asker)) {
            waiter.overtaken = waiter.overtaken.saturating_add(1);
        }
        self.leave(asker);
    }

    /// A lock may have become free: returns the waiters that could lock now and are to be notified.
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

    /// This client cannot be notified: its waiters poll.
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

    /// Until when no other owner gets the lock, once it is free.
    fn kept_until(&self, patience: Duration) -> Option<Mono> {
        match self.session {
            Some(_) => self.turn,
            None if self.overtaken >= OVERTAKEN => Some(self.asked.after(patience)),
            None => None,
        }
    }

    /// Whether it was notified and has not asked, or has stopped polling.
    fn has_gone(&self, now: Mono, patience: Duration) -> bool {
        match self.session {
            Some(_) => self.turn.is_some_and(|until| now > until),
            None => now > self.asked.after(patience),
        }
    }
}

/// Maximum number of requests that wait for locks on a file; a peer gets a third.
const LINE: usize = 192;
/// How long a lock is kept free for a waiter that was notified.
const TURN: Duration = Duration::from_secs(1);
/// Maximum number of times that a waiter that polls is overtaken.
const OVERTAKEN: u32 = 3;
