//! A slot of a session, as its client keeps it [RFC 8881 §2.10.6.1].

/// A slot and the sequence number of its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) id: u32,
    sequence: u32,
    busy: bool,
}

impl Slot {
    /// A slot of a new session: the first request has the number 1.
    pub(crate) const fn new(id: u32) -> Slot {
        Slot {
            id,
            sequence: 1,
            busy: false,
        }
    }

    /// The sequence number of the request that is sent now.
    pub(crate) fn begin(&mut self) -> u32 {
        debug_assert!(!self.busy, "a slot carries one request at a time");
        self.busy = true;
        self.sequence
    }

    /// The reply has arrived. Only a request whose SEQUENCE succeeded has used its number up.
    pub(crate) fn end(&mut self, sequenced: bool) {
        debug_assert!(self.busy, "a reply follows a request");
        self.busy = false;
        if sequenced {
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_up_by_a_sequence_that_succeeds() {
        let mut slot = Slot::new(7);
        assert_eq!(slot.begin(), 1);
        slot.end(true);
        assert_eq!(slot.begin(), 2);
        slot.end(false);
        assert_eq!(slot.begin(), 2);
        slot.end(true);
        assert_eq!(slot.begin(), 3);
    }

    #[test]
    fn numbers_wrap() {
        let mut slot = Slot {
            sequence: u32::MAX,
            ..Slot::new(0)
        };
        assert_eq!(slot.begin(), u32::MAX);
        slot.end(true);
        assert_eq!(slot.begin(), 0);
    }

    #[test]
    #[should_panic(expected = "one request at a time")]
    fn a_slot_is_not_used_twice_at_once() {
        let mut slot = Slot::new(0);
        slot.begin();
        slot.begin();
    }
}
