//! One slot of a fore channel, as a pure transition. [RFC 8881 §2.10.6.1]

use alloc::vec::Vec;

/// A slot: the last request on it, whether it still runs, and what it was answered.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    seqid: u32,
    running: bool,
    /// It was taken away; given again, the client may begin at 1 or go on. [RFC 8881 §2.10.6.1]
    retired: bool,
    fingerprint: u64,
    answer: Answer,
    // Reused from reply to reply.
    body: Vec<u8>,
}

/// What the result of a SEQUENCE says that does not follow from its arguments.
/// [RFC 8881 §18.46.2, SEQUENCE4resok]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// `sr_highest_slotid`.
    pub(crate) highest: u32,
    /// `sr_target_highest_slotid`.
    pub(crate) target: u32,
    /// `sr_status_flags`.
    pub(crate) flags: u32,
}

/// What is kept of a reply.
pub(crate) enum Keep<F> {
    /// That there was one.
    Nothing,
    /// That of a SEQUENCE alone.
    Sequence(Said),
    /// The COMPOUND4res, which this appends to the empty cache that it is given.
    Body(F),
}

/// What is known of the answer to the last request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    /// No request yet.
    #[default]
    Unused,
    /// It was a SEQUENCE alone. Most of idle clients' requests are, and they cost no other memory.
    Sequence(Said),
    /// The whole COMPOUND4res is in `body`.
    Cached,
    /// The request was not to be cached; it had more operations than SEQUENCE.
    Uncached,
}

/// What becomes of a request that names a slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Acquire {
    /// It is new and runs now; [`Slot::finish`] must follow.
    New,
    /// It was answered before: send [`Slot::kept`] again.
    Replay,
    /// It is a SEQUENCE alone and was answered before: say this again.
    Repeat(Said),
    /// It was answered before, and the answer was not kept. [RFC 8881 §2.10.6.1.3]
    Uncached,
    /// It is running: NFS4ERR_DELAY.
    Running,
    /// The seqid is neither the last nor the next: NFS4ERR_SEQ_MISORDERED.
    Misordered,
    /// It has the last seqid but is another request: NFS4ERR_SEQ_FALSE_RETRY.
    FalseRetry,
    /// There is no such slot, or not any more: NFS4ERR_BADSLOT. So many bytes of replies went with
    /// it now.
    NoSlot { freed: usize },
}

impl Slot {
    /// Takes a request; everything but [`Acquire::New`] leaves the slot as it was.
    pub(crate) fn acquire(&mut self, seqid: u32, fingerprint: u64) -> Acquire {
        if self.is_next(seqid) {
            if self.running {
                // The next request before the answer to this one: the client breaks §2.10.6.1.
                return Acquire::Misordered;
            }
            self.seqid = seqid;
            self.running = true;
            self.retired = false;
            self.fingerprint = fingerprint;
            return Acquire::New;
        }
        if seqid != self.seqid {
            return Acquire::Misordered;
        }
        if self.running {
            return Acquire::Running;
        }
        match self.answer {
            Answer::Unused => Acquire::Misordered,
            Answer::Sequence(_) | Answer::Cached | Answer::Uncached
                if fingerprint != self.fingerprint =>
            {
                Acquire::FalseRetry
            }
            Answer::Sequence(said) => Acquire::Repeat(said),
            Answer::Cached => Acquire::Replay,
            Answer::Uncached => Acquire::Uncached,
        }
    }

    /// Ends the running request and keeps so much of its reply.
    ///
    /// Returns how many bytes the cache held before and holds now.
    pub(crate) fn finish(&mut self, keep: Keep<impl FnOnce(&mut Vec<u8>)>) -> (usize, usize) {
        debug_assert!(self.running, "only a running request ends");
        let before = self.body.len();
        self.running = false;
        self.body.clear();
        self.answer = match keep {
            Keep::Nothing => Answer::Uncached,
            Keep::Sequence(said) => Answer::Sequence(said),
            Keep::Body(fill) => {
                fill(&mut self.body);
                Answer::Cached
            }
        };
        // One large reply must not hold its memory for as long as the session lives.
        if self.body.capacity() > KEEP_CAPACITY && self.body.capacity() > 2 * self.body.len() {
            self.body.shrink_to_fit();
        }
        (before, self.body.len())
    }

    /// Whether a request with this seqid is a new one.
    pub(crate) fn is_next(&self, seqid: u32) -> bool {
        seqid == self.seqid.wrapping_add(1) || self.retired && seqid == 1
    }

    /// Whether the last request has this seqid and was answered.
    pub(crate) fn has_answered(&self, seqid: u32) -> bool {
        seqid == self.seqid && !self.running && self.answer != Answer::Unused
    }

    /// A slot that was taken away, and is given again.
    pub(crate) fn given_again(seqid: u32) -> Slot {
        Slot {
            seqid,
            retired: true,
            ..Slot::default()
        }
    }

    /// The last seqid; zero before the first.
    pub(crate) fn seqid(&self) -> u32 {
        self.seqid
    }

    /// Forgets the last request and its reply; how many bytes were kept is returned.
    pub(crate) fn retire(&mut self) -> usize {
        let kept = self.body.len();
        self.body = Vec::new();
        self.answer = Answer::Unused;
        self.retired = true;
        kept
    }

    /// Whether a request runs on it.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// The COMPOUND4res kept for replay; empty if there is none.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.body
    }
}

/// A cache of up to so many bytes stays allocated when it is not used.
const KEEP_CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Keep<fn(&mut Vec<u8>)> = Keep::Nothing;
    const SAID: Said = Said {
        highest: 3,
        target: 2,
        flags: 1,
    };
    const SEQUENCE: Keep<fn(&mut Vec<u8>)> = Keep::Sequence(SAID);

    fn keep(bytes: &'static [u8]) -> Keep<impl FnOnce(&mut Vec<u8>)> {
        Keep::Body(move |body: &mut Vec<u8>| body.extend_from_slice(bytes))
    }

    /// How the request of a model ended.
    #[derive(Clone, Copy)]
    enum Ended {
        Alone,
        Cached,
        Uncached,
    }

    /// Every sequence of eight steps, each one of: the last seqid, the next, another, the last
    /// with another fingerprint, finish cached, uncached, or as a SEQUENCE alone; against a model
    /// that remembers executions by seqid.
    #[test]
    fn all_interleavings_execute_each_seqid_once() {
        const STEPS: usize = 7;
        for word in 0..STEPS.pow(8) {
            let mut slot = Slot::default();
            let mut executed = 0_u32;
            let mut running = false;
            let mut ended = None;
            let mut rest = word;
            for _ in 0..8 {
                let step = rest % STEPS;
                rest /= STEPS;
                match step {
                    0 => {
                        let got = slot.acquire(executed, u64::from(executed));
                        let want = match ended {
                            _ if running => Acquire::Running,
                            None => Acquire::Misordered,
                            Some(Ended::Alone) => Acquire::Repeat(SAID),
                            Some(Ended::Cached) => Acquire::Replay,
                            Some(Ended::Uncached) => Acquire::Uncached,
                        };
                        assert_eq!(got, want);
                        if want == Acquire::Replay {
                            assert_eq!(slot.kept(), b"reply");
                        }
                    }
                    1 => {
                        let got = slot.acquire(executed + 1, u64::from(executed) + 1);
                        if running {
                            assert_eq!(got, Acquire::Misordered);
                        } else {
                            assert_eq!(got, Acquire::New);
                            executed += 1;
                            running = true;
                        }
                    }
                    2 => assert_eq!(slot.acquire(executed + 2, 0), Acquire::Misordered),
                    3 => {
                        let got = slot.acquire(executed, u64::MAX);
                        let want = match ended {
                            _ if running => Acquire::Running,
                            None => Acquire::Misordered,
                            Some(_) => Acquire::FalseRetry,
                        };
                        assert_eq!(got, want);
                    }
                    4 if running => {
                        slot.finish(keep(b"reply"));
                        (running, ended) = (false, Some(Ended::Cached));
                    }
                    5 if running => {
                        slot.finish(NOTHING);
                        (running, ended) = (false, Some(Ended::Uncached));
                    }
                    6 if running => {
                        slot.finish(SEQUENCE);
                        (running, ended) = (false, Some(Ended::Alone));
                    }
                    _ => {}
                }
                assert_eq!(slot.is_running(), running);
            }
        }
    }

    #[test]
    fn seqid_wraps_through_zero() {
        let mut slot = Slot {
            seqid: u32::MAX,
            ..Slot::default()
        };
        assert_eq!(slot.acquire(0, 1), Acquire::New);
        slot.finish(keep(b"reply"));
        assert_eq!(slot.acquire(0, 1), Acquire::Replay);
        assert_eq!(slot.acquire(1, 1), Acquire::New);
    }

    #[test]
    fn memory_stays_for_the_next_reply_unless_it_is_large_and_half_of_it_is_not_needed() {
        let answered = |first: usize, second: Option<usize>| {
            let mut slot = Slot::default();
            for (seqid, len) in [(1, Some(first)), (2, second)] {
                assert_eq!(slot.acquire(seqid, 0), Acquire::New);
                match len {
                    Some(len) => slot.finish(Keep::Body(|body: &mut Vec<u8>| body.resize(len, 7))),
                    None => slot.finish(NOTHING),
                };
            }
            slot.body.capacity()
        };
        assert_eq!(answered(60_000, Some(5)), 5);
        assert_eq!(answered(4_000, Some(1_999)), 1_999);
        assert_eq!(answered(4_000, Some(2_000)), 4_000);
        assert_eq!(answered(KEEP_CAPACITY, Some(5)), KEEP_CAPACITY);
        assert_eq!(answered(KEEP_CAPACITY, None), KEEP_CAPACITY);
        assert_eq!(answered(KEEP_CAPACITY + 1, None), 0);
    }

    #[test]
    fn a_large_reply_does_not_keep_its_memory() {
        let mut slot = Slot::default();
        assert_eq!(slot.acquire(1, 0), Acquire::New);
        let (before, after) = slot.finish(Keep::Body(|body: &mut Vec<u8>| body.resize(60_000, 7)));
        assert_eq!((before, after, slot.kept().len()), (0, 60_000, 60_000));
        assert_eq!(slot.acquire(2, 0), Acquire::New);
        assert_eq!(slot.finish(SEQUENCE), (60_000, 0));
        assert!(slot.body.capacity() <= KEEP_CAPACITY);
    }
}
