//! One slot of a backchannel, as a pure transition. [RFC 8881 §2.10.6.1, §20.9]

/// A slot: the callback that the client executed last on it, and what is known of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CbSlot {
    /// The seqid of the last callback that was executed.
    executed: u32,
    state: CbSlotState,
    /// The client did not know the seqid, and the slot began again at 1.
    restarted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum CbSlotState {
    #[default]
    Free,
    /// A callback has the next seqid. If `doubtful`, it was sent at least once and may have
    /// arrived, so no other callback may have that seqid.
    Taken { doubtful: bool },
    /// The callback is doubtful and was given up: only a reply to it frees the slot.
    Quarantined,
}

/// What a reply says of the seqid of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CbSlotReply {
    /// The callback was executed, now or before.
    Executed,
    /// The callback was not executed, or not to its end, and can be sent again.
    Delayed,
    /// The seqid is neither the last nor the next.
    Misordered,
    /// The client refused the callback without processing it: the seqid is still the next.
    Refused,
}

/// The next step of the callback that has a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CbSlotStep {
    /// It has ended; the slot is free.
    Over,
    /// It keeps the slot and must be sent again, under [`CbSlot::seqid`].
    Again,
    /// The seqids are lost for good.
    Fault,
}

impl CbSlot {
    /// Takes a free slot for a callback; `None` if it is not free.
    pub(crate) fn take(&mut self) -> Option<u32> {
        if self.state != CbSlotState::Free {
            return None;
        }
        self.state = CbSlotState::Taken { doubtful: false };
        Some(self.seqid())
    }

    /// The seqid of the callback that has the slot, or of the next.
    pub(crate) fn seqid(&self) -> u32 {
        self.executed.wrapping_add(1)
    }

    /// Processes a reply to any transmission of the callback.
    pub(crate) fn answered(&mut self, reply: CbSlotReply) -> CbSlotStep {
        let (doubtful, given_up) = match self.state {
            CbSlotState::Free => return CbSlotStep::Over,
            CbSlotState::Taken { doubtful } => (doubtful, false),
            CbSlotState::Quarantined => (true, true),
        };
        match reply {
            CbSlotReply::Executed => {
                self.executed = self.seqid();
                self.state = CbSlotState::Free;
                self.restarted = false;
                CbSlotStep::Over
            }
            // A callback that was given up is not sent again, and stays doubtful.
            CbSlotReply::Delayed | CbSlotReply::Misordered | CbSlotReply::Refused if given_up => {
                CbSlotStep::Over
            }
            CbSlotReply::Delayed => CbSlotStep::Again,
            CbSlotReply::Misordered if self.restarted || self.seqid() == 1 => CbSlotStep::Fault,
            CbSlotReply::Misordered => {
                self.executed = 0;
                self.restarted = true;
                CbSlotStep::Again
            }
            CbSlotReply::Refused => {
                self.state = if doubtful {
                    CbSlotState::Quarantined
                } else {
                    CbSlotState::Free
                };
                CbSlotStep::Over
            }
        }
    }

    /// A transmission of the callback gets no reply: it may or may not have arrived.
    pub(crate) fn lost(&mut self) {
        if let CbSlotState::Taken { doubtful } = &mut self.state {
            *doubtful = true;
        }
    }

    /// The callback is not sent again.
    pub(crate) fn give_up(&mut self) {
        self.state = match self.state {
            CbSlotState::Taken { doubtful: true } | CbSlotState::Quarantined => {
                CbSlotState::Quarantined
            }
            CbSlotState::Taken { doubtful: false } | CbSlotState::Free => CbSlotState::Free,
        };
    }

    /// Whether the callback was given up while doubtful: its seqid is lost until a reply to it
    /// arrives.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.state == CbSlotState::Quarantined
    }

    /// Whether a callback can take the slot.
    pub(crate) fn is_free(&self) -> bool {
        self.state == CbSlotState::Free
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use super::*;

    /// A slot, its callbacks, the wires, and the client. [RFC 8881 §20.9.3]
    #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    struct World {
        slot: CbSlot,
        /// The number of the callback that has or had the slot.
        callback: u32,
        /// The callback is to be sent, or waits for a reply.
        to_send: bool,
        awaits_reply: bool,
        /// Calls that were sent and not delivered: callback and seqid.
        calls: Vec<(u32, u32)>,
        /// Replies that have not arrived: callback and content.
        replies: Vec<(u32, CbSlotReply)>,
        /// The seqid that the client executed last, and the callbacks that it executed.
        seqid: u32,
        executed: Vec<u32>,
    }

    impl World {
        /// All states that can follow.
        fn next(&self) -> Vec<World> {
            let mut all = Vec::new();
            if self.callback < 2 {
                let mut begun = self.clone();
                if let Some(seqid) = begun.slot.take() {
                    assert_eq!(seqid, self.seqid.wrapping_add(1), "{self:?}");
                    begun.callback += 1;
                    begun.to_send = true;
                    all.push(begun);
                }
            }
            if self.to_send && self.calls.len() < 2 {
                let mut sent = self.clone();
                sent.calls.push((self.callback, self.slot.seqid()));
                (sent.to_send, sent.awaits_reply) = (false, true);
                all.push(sent);
            }
            if self.to_send {
                let mut given_up = self.clone();
                given_up.slot.give_up();
                given_up.to_send = false;
                all.push(given_up);
            }
            if self.awaits_reply {
                // The reply is late or the connection is lost: the callback may be sent again while
                // this call is still under way.
                let mut lost = self.clone();
                lost.slot.lost();
                (lost.to_send, lost.awaits_reply) = (true, false);
                all.push(lost);
            }
            for at in 0..self.calls.len() {
                all.extend(self.deliver(at));
            }
            for at in 0..self.replies.len() {
                all.push(self.answer(at));
            }
            all
        }

        /// Delivers a call to the client, which executes or refuses it; the reply is sent or lost.
        fn deliver(&self, at: usize) -> Vec<World> {
            let mut next = self.clone();
            let (callback, seqid) = next.calls.remove(at);
            let mut refused = next.clone();
            let reply = if seqid == next.seqid.wrapping_add(1) {
                next.seqid = seqid;
                next.executed.push(callback);
                CbSlotReply::Executed
            } else if seqid == next.seqid {
                let last = next.executed.last();
                assert_eq!(
                    last,
                    Some(&callback),
                    "two callbacks under one seqid: {self:?}"
                );
                CbSlotReply::Executed
            } else {
                assert!(
                    callback < self.callback,
                    "a callback is out of order: {self:?}"
                );
                CbSlotReply::Misordered
            };
            let lost = next.clone();
            if self.replies.len() == 2 {
                return alloc::vec![lost];
            }
            next.replies.push((callback, reply));
            refused.replies.push((callback, CbSlotReply::Refused));
            let mut delayed = refused.clone();
            if let Some((_, reply)) = delayed.replies.last_mut() {
                *reply = CbSlotReply::Delayed;
            }
            alloc::vec![next, lost, refused, delayed]
        }

        /// Delivers a reply. The reply to an earlier callback is dropped: its XID is not found.
        fn answer(&self, at: usize) -> World {
            let mut next = self.clone();
            let (of, reply) = next.replies.remove(at);
            if of != self.callback || self.slot.is_free() {
                return next;
            }
            let given_up = !self.to_send && !self.awaits_reply;
            match next.slot.answered(reply) {
                CbSlotStep::Over => (next.to_send, next.awaits_reply) = (false, false),
                CbSlotStep::Again => (next.to_send, next.awaits_reply) = (true, false),
                CbSlotStep::Fault => unreachable!("no callback was out of order: {self:?}"),
            }
            let settled = next.slot.is_free();
            assert!(
                !given_up || settled == (reply == CbSlotReply::Executed),
                "{self:?}"
            );
            next
        }
    }

    /// Explores all that can happen to two callbacks with retransmissions and replies that are
    /// lost, late or out of order.
    #[test]
    fn every_callback_executes_at_most_once_under_its_own_seqid() {
        let mut seen = BTreeSet::new();
        let mut todo = alloc::vec![World::default()];
        while let Some(world) = todo.pop() {
            let once = world.executed.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(once, "{world:?}");
            let following = world.next();
            if seen.insert(world) {
                todo.extend(following);
            }
        }
        let all_executed = seen.iter().any(|world| world.executed == [1, 2]);
        assert!(all_executed && seen.len() > 1_000, "{}", seen.len());
    }

    #[test]
    fn a_client_that_lost_the_seqid_gets_seqid_1_once() {
        let mut slot = CbSlot {
            executed: 7,
            ..CbSlot::default()
        };
        assert_eq!(slot.take(), Some(8));
        assert_eq!(slot.answered(CbSlotReply::Misordered), CbSlotStep::Again);
        assert_eq!(slot.seqid(), 1);
        assert_eq!(slot.answered(CbSlotReply::Misordered), CbSlotStep::Fault);

        assert_eq!(slot.answered(CbSlotReply::Executed), CbSlotStep::Over);
        assert_eq!(slot.take(), Some(2));
        assert_eq!(slot.answered(CbSlotReply::Misordered), CbSlotStep::Again);
        assert_eq!(slot.answered(CbSlotReply::Executed), CbSlotStep::Over);
        assert_eq!(slot.take(), Some(2));
    }

    #[test]
    fn a_late_reply_frees_the_slot_of_a_callback_given_up() {
        let mut slot = CbSlot::default();
        slot.take();
        slot.lost();
        slot.give_up();
        assert_eq!((slot.take(), slot.is_quarantined()), (None, true));
        assert_eq!(slot.answered(CbSlotReply::Delayed), CbSlotStep::Over);
        assert!(slot.is_quarantined(), "the client may still execute it");
        assert_eq!(slot.answered(CbSlotReply::Executed), CbSlotStep::Over);
        assert_eq!(slot.take(), Some(2));
    }

    #[test]
    fn seqids_wrap_through_zero() {
        let mut slot = CbSlot {
            executed: u32::MAX,
            ..CbSlot::default()
        };
        assert_eq!(slot.take(), Some(0));
        assert_eq!(slot.answered(CbSlotReply::Executed), CbSlotStep::Over);
        assert_eq!(slot.take(), Some(1));
    }
}
