//! One slot of a backchannel, as a pure transition. [RFC 8881 §2.10.6.1, §20.9]

/// A slot: which callback the client has executed on it, and what is known of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CbSlot {
    /// The seqid of the last callback that was executed.
    executed: u32,
    state: CbSlotState,
    /// The client did not know our seqids, and the slot began again at 1.
    restarted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum CbSlotState {
    #[default]
    Free,
    /// A callback has the next seqid; if `doubtful`, it was sent at least once and may have arrived, so
    /// that no other callback may have that seqid.
    Taken { doubtful: bool },
    /// As doubtful, and the callback was given up: only an answer to it frees the slot.
    Quarantined,
}

/// What the client says of the seqid of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CbSlotReply {
    /// The callback was executed, now or before.
    Executed,
    /// It was not executed, or not to its end, and can be sent again.
    Delayed,
    /// The seqid is neither the last nor the next.
    Misordered,
    /// The callback was not even looked at: the seqid is still the next.
    Refused,
}

/// What becomes of the callback that has a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CbSlotStep {
    /// It is over; the slot is free.
    Over,
    /// It has the slot and must be sent again, under [`CbSlot::seqid`].
    Again,
    /// The seqids cannot be mended.
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

    /// An answer came, to whichever sending of the callback.
    pub(crate) fn answered(&mut self, said: CbSlotReply) -> CbSlotStep {
        let (doubtful, given_up) = match self.state {
            CbSlotState::Free => return CbSlotStep::Over,
            CbSlotState::Taken { doubtful } => (doubtful, false),
            CbSlotState::Quarantined => (true, true),
        };
        match said {
            CbSlotReply::Executed => {
                self.executed = self.seqid();
                self.state = CbSlotState::Free;
                self.restarted = false;
                CbSlotStep::Over
            }
            // A callback that was given up is not sent again, and the seqid is as doubtful as before.
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

    /// A sending of the callback is not answered: it may have arrived or not.
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

    /// No reply will come to a callback that was given up: the seqid is lost for good, or until then.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.state == CbSlotState::Quarantined
    }

    /// Whether it can be taken.
    pub(crate) fn is_free(&self) -> bool {
        self.state == CbSlotState::Free
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use super::*;

    /// A slot, the callback that has it, the wires, and the other end. [RFC 8881 §20.9.3]
    #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    struct World {
        slot: CbSlot,
        /// The callback that has or had the slot, by number.
        callback: u32,
        /// It is to be sent, or an answer to it is waited for.
        wants: bool,
        waits: bool,
        /// Callbacks that were sent and not delivered, each with its seqid.
        calls: Vec<(u32, u32)>,
        /// Callbacks whose answer has not arrived, each with that.
        replies: Vec<(u32, CbSlotReply)>,
        /// The seqid that the client executed last, and the callbacks that it executed.
        seqid: u32,
        executed: Vec<u32>,
    }

    impl World {
        /// Everything that can happen next.
        fn next(&self) -> Vec<World> {
            let mut all = Vec::new();
            if self.callback < 2 {
                let mut begun = self.clone();
                if let Some(seqid) = begun.slot.take() {
                    assert_eq!(seqid, self.seqid.wrapping_add(1), "{self:?}");
                    begun.callback += 1;
                    begun.wants = true;
                    all.push(begun);
                }
            }
            if self.wants && self.calls.len() < 2 {
                let mut sent = self.clone();
                sent.calls.push((self.callback, self.slot.seqid()));
                (sent.wants, sent.waits) = (false, true);
                all.push(sent);
            }
            if self.wants {
                let mut given_up = self.clone();
                given_up.slot.give_up();
                given_up.wants = false;
                all.push(given_up);
            }
            if self.waits {
                // The answer is overdue or the connection has gone: it may be sent again although
                // this sending is still under way.
                let mut lost = self.clone();
                lost.slot.lost();
                (lost.wants, lost.waits) = (true, false);
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

        /// A call reaches the client, which executes it or refuses it; the answer is sent or lost.
        fn deliver(&self, at: usize) -> Vec<World> {
            let mut there = self.clone();
            let (callback, seqid) = there.calls.remove(at);
            let mut refused = there.clone();
            let said = if seqid == there.seqid.wrapping_add(1) {
                there.seqid = seqid;
                there.executed.push(callback);
                CbSlotReply::Executed
            } else if seqid == there.seqid {
                let last = there.executed.last();
                assert_eq!(last, Some(&callback), "two under one seqid: {self:?}");
                CbSlotReply::Executed
            } else {
                assert!(callback < self.callback, "out of order: {self:?}");
                CbSlotReply::Misordered
            };
            let lost = there.clone();
            if self.replies.len() == 2 {
                return alloc::vec![lost];
            }
            there.replies.push((callback, said));
            refused.replies.push((callback, CbSlotReply::Refused));
            let mut delayed = refused.clone();
            if let Some((_, said)) = delayed.replies.last_mut() {
                *said = CbSlotReply::Delayed;
            }
            alloc::vec![there, lost, refused, delayed]
        }

        /// An answer arrives. What answers an earlier callback finds no entry by its XID.
        fn answer(&self, at: usize) -> World {
            let mut there = self.clone();
            let (of, said) = there.replies.remove(at);
            if of != self.callback || self.slot.is_free() {
                return there;
            }
            let given_up = !self.wants && !self.waits;
            match there.slot.answered(said) {
                CbSlotStep::Over => (there.wants, there.waits) = (false, false),
                CbSlotStep::Again => (there.wants, there.waits) = (true, false),
                CbSlotStep::Fault => unreachable!("nothing was out of order: {self:?}"),
            }
            let settled = there.slot.is_free();
            assert!(
                !given_up || settled == (said == CbSlotReply::Executed),
                "{self:?}"
            );
            there
        }
    }

    /// Of all that can happen to two callbacks, each sent again and again, with answers that are
    /// lost, late or out of order.
    #[test]
    fn every_callback_is_executed_at_most_once_and_under_a_seqid_of_its_own() {
        let mut seen = BTreeSet::new();
        let mut todo = alloc::vec![World::default()];
        while let Some(world) = todo.pop() {
            let once = world.executed.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(once, "{world:?}");
            let next = world.next();
            if seen.insert(world) {
                todo.extend(next);
            }
        }
        let all_done = seen.iter().any(|world| world.executed == [1, 2]);
        assert!(all_done && seen.len() > 1_000, "{}", seen.len());
    }

    #[test]
    fn a_client_that_has_lost_count_is_met_at_1_once() {
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
    fn a_late_answer_frees_what_was_given_up() {
        let mut slot = CbSlot::default();
        slot.take();
        slot.lost();
        slot.give_up();
        assert_eq!((slot.take(), slot.is_quarantined()), (None, true));
        assert_eq!(slot.answered(CbSlotReply::Delayed), CbSlotStep::Over);
        assert!(slot.is_quarantined(), "it may be executed yet");
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
