//! The queue of requests that wait for locks on a file. [RFC 8881 §9.6]
//!
//! The server does not grant a denied lock later: the client sends LOCK again. A client with a
//! backchannel does so after CB_NOTIFY_LOCK, and the lock is kept free for it for [`KEPT_FREE`]. A client
//! that polls can be overtaken [`OVERTAKEN`] times; then the lock is kept free for it until it sends
//! LOCK again, for a lease at most.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::fs::{ByteRange, LockKind};
use crate::keys::{ClientKey, OpenKey, SessionKey};
use crate::peer::{LimitReached, Peer, PeerUsage};
use crate::time::Mono;

/// The waiters for locks on one file, in order of arrival.
#[derive(Default)]
pub(crate) struct Waiters {
    line: Vec<Waiter>,
    /// Waiters that have left the line, and are still charged to their peers.
    left: Vec<Waiter>,
    /// When the timer for the line is due.
    reminder: Option<Mono>,
    /// When the timer is due for the leases of clients whose locks are waited for.
    lease_check: Option<Mono>,
}

/// A lock that a lock owner was denied and waits for.
pub(crate) struct Waiter {
    pub(crate) client: ClientKey,
    /// The peer that is charged with it.
    pub(crate) peer: Peer,
    pub(crate) owner: Box<[u8]>,
    pub(crate) range: ByteRange,
    pub(crate) kind: LockKind,
    /// The open that the lock is to be under; the waiter leaves with it.
    pub(crate) open: OpenKey,
    /// The session that takes CB_NOTIFY_LOCK; none for a client that polls.
    pub(crate) session: Option<SessionKey>,
    /// When its last request came.
    last_request: Mono,
    /// Number of times that another owner got the lock first.
    overtaken: u32,
    /// Until when the lock is kept free for it, since it was notified.
    notified_until: Option<Mono>,
}

/// A request for a lock.
#[derive(Clone, Copy)]
pub(crate) struct LockRequest<'a> {
    pub(crate) client: ClientKey,
    pub(crate) peer: Peer,
    pub(crate) owner: &'a [u8],
    pub(crate) range: ByteRange,
    pub(crate) kind: LockKind,
}

/// The waiters that can lock after a lock became free.
#[derive(Debug, Default)]
pub(crate) struct LockGrants {
    /// The waiters to notify.
    pub(crate) notices: Vec<GrantNotice>,
    /// When to check the line again; none if a timer is set for then or earlier.
    pub(crate) again: Option<Mono>,
}

/// The arguments of a CB_NOTIFY_LOCK.
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

    /// Appends a denied request to the line, or updates it in its place. A request that exceeds the
    /// line, or its peer's share of it, is not added: it gets the lock only if it is the first to ask.
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
            waiter.last_request = now;
            waiter.notified_until = None;
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
                last_request: now,
                overtaken: 0,
                notified_until: None,
            });
        }
    }

    /// Removes a denied request that does not wait.
    pub(crate) fn leave(&mut self, asker: LockRequest<'_>) {
        self.dismiss(|waiter| waiter.is(asker));
    }

    /// Removes the waiters under an open that ends.
    pub(crate) fn leave_with(&mut self, open: OpenKey) {
        self.dismiss(|waiter| waiter.open == open);
    }

    /// Takes the waiters that have left the line since the last call.
    pub(crate) fn take_left(&mut self) -> Vec<Waiter> {
        core::mem::take(&mut self.left)
    }

    fn dismiss(&mut self, goes: impl FnMut(&mut Waiter) -> bool) {
        self.left.extend(self.line.extract_if(.., goes));
    }

    fn admits(&self, asker: LockRequest<'_>) -> Result<(), LimitReached> {
        let held = PeerUsage::among(self.line.iter().map(|waiter| waiter.peer), asker.peer);
        held.admits(MAX_WAITERS, 1)
    }

    /// The waiter before `asker` in the line that could lock now, and for which the lock is kept free.
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

    /// A lock was granted: removes its owner, and counts that it overtook the waiters before it.
    pub(crate) fn granted(&mut self, asker: LockRequest<'_>) {
        let before = self.line.iter_mut().take_while(|waiter| !waiter.is(asker));
        for waiter in before.filter(|waiter| waiter.is_in_the_way_of(asker)) {
            waiter.overtaken = waiter.overtaken.saturating_add(1);
        }
        self.leave(asker);
    }

    /// Removes the waiters that did not send LOCK in time.
    pub(crate) fn dismiss_gone(&mut self, now: Mono, patience: Duration) {
        self.dismiss(|waiter| waiter.has_gone(now, patience));
    }

    /// The leases of clients whose locks are waited for are to be checked at `at`; `true` if the timer for that has
    /// to be set, `false` if one is set for then or earlier.
    pub(crate) fn checks_leases_at(&mut self, at: Mono) -> bool {
        let is_set = self.lease_check.is_some_and(|set| set <= at);
        if !is_set {
            self.lease_check = Some(at);
        }
        !is_set
    }

    /// Whether a timer that is set for `at` is of use; one that an earlier one replaces is not. One that is
    /// set is of use also while the line is empty: it is not set again for those that come.
    pub(crate) fn awaits_check(&self, at: Mono) -> bool {
        self.checks().any(|check| check == at)
    }

    /// When timers for the line are due.
    pub(crate) fn checks(&self) -> impl Iterator<Item = Mono> {
        [self.reminder, self.lease_check].into_iter().flatten()
    }

    /// A timer has expired: whether it is one of use.
    pub(crate) fn takes_due_check(&mut self, now: Mono) -> bool {
        let mut is_due = false;
        for check in [&mut self.reminder, &mut self.lease_check] {
            if check.is_some_and(|at| at <= now) {
                *check = None;
                is_due = true;
            }
        }
        is_due
    }

    /// A lock may have become free: returns the waiters to notify. `gets` says of each waiter whether it could lock
    /// now.
    pub(crate) fn next_grants(
        &mut self,
        now: Mono,
        patience: Duration,
        gets: &[bool],
    ) -> LockGrants {
        let mut grants = LockGrants::default();
        let mut next: Option<Mono> = None;
        for at in 0..self.line.len() {
            let (before, rest) = self.line.split_at_mut(at);
            let Some(waiter) = rest.first_mut() else {
                break;
            };
            let asker = waiter.asker();
            let mut before = before.iter().zip(gets);
            let is_next = gets.get(at) == Some(&true)
                && !before.any(|(earlier, gets)| {
                    *gets && earlier.is_in_the_way_of(asker) && earlier.is_kept_for(now, patience)
                });
            if is_next
                && waiter.notified_until.is_none()
                && let Some(session) = waiter.session
            {
                waiter.notified_until = Some(now.after(KEPT_FREE));
                grants.notices.push(GrantNotice {
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
            grants.again = look;
        }
        grants
    }

    /// A client cannot be notified: its notified waiters poll from now on.
    pub(crate) fn cannot_notify(&mut self, client: ClientKey) {
        for waiter in &mut self.line {
            if waiter.client == client && waiter.notified_until.take().is_some() {
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

    /// Whether this waiter is the request of `asker`. An owner waits for a range in one kind only.
    fn is(&self, asker: LockRequest<'_>) -> bool {
        self.is_of(asker) && self.range == asker.range
    }

    fn is_of(&self, asker: LockRequest<'_>) -> bool {
        self.client == asker.client && *self.owner == *asker.owner
    }

    /// Whether the two locks conflict.
    fn is_in_the_way_of(&self, asker: LockRequest<'_>) -> bool {
        !self.is_of(asker)
            && self.range.overlaps(asker.range)
            && (self.kind == LockKind::Write || asker.kind == LockKind::Write)
    }

    fn is_kept_for(&self, now: Mono, patience: Duration) -> bool {
        self.kept_until(patience).is_some_and(|until| now <= until)
    }

    /// Until when the lock is kept free for it.
    fn kept_until(&self, patience: Duration) -> Option<Mono> {
        match self.session {
            Some(_) => self.notified_until,
            None if self.overtaken >= OVERTAKEN => Some(self.last_request.after(patience)),
            None => None,
        }
    }

    /// Whether it is to be notified once it can lock.
    pub(crate) fn awaits_notice(&self) -> bool {
        self.session.is_some() && self.notified_until.is_none()
    }

    /// Whether it did not send LOCK in time after a notification, or has stopped polling.
    fn has_gone(&self, now: Mono, patience: Duration) -> bool {
        match self.session {
            Some(_) => self.notified_until.is_some_and(|until| now > until),
            None => now > self.last_request.after(patience),
        }
    }
}

/// Maximum number of requests that wait for locks on a file; a peer gets a third.
const MAX_WAITERS: usize = 192;
/// How long a lock is kept free for a waiter that was notified.
const KEPT_FREE: Duration = Duration::from_secs(1);
/// Maximum number of times that a waiter that polls is overtaken.
const OVERTAKEN: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_awaits_its_next_checks_and_no_others_also_while_it_is_empty() {
        let at = Mono::from_nanos;
        let mut line = Waiters::default();
        assert!(line.checks_leases_at(at(20)));
        assert!(!line.checks_leases_at(at(20)) && !line.checks_leases_at(at(30)));
        assert!(line.is_empty() && line.awaits_check(at(20)));
        // A lease that ends earlier takes the place of the other one.
        assert!(line.checks_leases_at(at(10)));
        assert!(line.awaits_check(at(10)) && !line.awaits_check(at(20)));
        assert!(!line.takes_due_check(at(9)));
        assert!(line.takes_due_check(at(10)) && !line.takes_due_check(at(20)));
        assert_eq!(line.checks().count(), 0);
        assert!(line.checks_leases_at(at(30)), "it is set anew");
    }
}
