//! One slot of a fore channel, as a pure transition. [RFC 8881 §2.10.6.1]

use alloc::vec::Vec;

/// A slot: the last request on it, whether it still runs, and what it was answered.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    seqid: u32,
    running: bool,
    /// It was taken away; given again, the client may begin at 1 or continue. [RFC 8881 §2.10.6.1]
    retired: bool,
    /// The last request from before it was taken away has come in place of the next one: the client
    /// counts it, or knows that it is an old copy.
    skippable: bool,
    /// The last request may have changed something.
    changed: bool,
    fingerprint: u64,
    /// What distinguishes the last request from before it was taken away, seqid and all; 0 if there is none,
    /// or if to execute it again is of no consequence.
    past: u64,
    answer: LastReply,
    // Reused from reply to reply.
    body: Vec<u8>,
}

/// A slot that was taken away: what distinguishes its requests when it is given again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retired {
    seqid: u32,
    past: u64,
}

/// What the result of a SEQUENCE says that does not follow from its arguments.
/// [RFC 8881 §18.46.2, SEQUENCE4resok]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceValues {
    /// `sr_highest_slotid`.
    pub(crate) highest: u32,
    /// `sr_target_highest_slotid`.
    pub(crate) target: u32,
    /// `sr_status_flags`.
    pub(crate) flags: u32,
}

/// What is kept of a reply.
pub(crate) enum ReplyToKeep<F> {
    /// That there was one.
    Nothing,
    /// That of a SEQUENCE alone.
    Sequence(SequenceValues),
    /// The COMPOUND4res, which this appends to the empty cache that it is given.
    Body(F),
}

/// What is known of the answer to the last request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastReply {
    /// No request yet.
    #[default]
    Unused,
    /// It was a SEQUENCE alone. Most of idle clients' requests are, and they cost no other memory.
    Sequence(SequenceValues),
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
    Repeat(SequenceValues),
    /// It was answered before, and the answer is not kept any more, or never was.
    /// [RFC 8881 §2.10.6.1.3]
    Uncached,
    /// It is running: NFS4ERR_DELAY.
    Running,
    /// The seqid is neither the last nor the next: NFS4ERR_SEQ_MISORDERED.
    Misordered,
    /// It has the last seqid but is another request: NFS4ERR_SEQ_FALSE_RETRY.
    FalseRetry,
    /// There is no such slot, or not any more: NFS4ERR_BADSLOT. This many bytes of replies went with
    /// it now.
    NoSlot { freed: usize },
}

impl Slot {
    /// Takes a request; everything but [`Acquire::New`] leaves what was answered and the last seqid
    /// as they were.
    pub(crate) fn acquire(&mut self, seqid: u32, fingerprint: u64) -> Acquire {
        if self.is_next(seqid) {
            if self.running {
                // The next request before the answer to this one: the client breaks §2.10.6.1.
                return Acquire::Misordered;
            }
            if self.past == with_seqid(seqid, fingerprint) {
                // An old copy; or the same is asked once more, by a client that will continue after it.
                self.skippable = !self.retired;
                return Acquire::Uncached;
            }
            self.seqid = seqid;
            self.running = true;
            self.retired = false;
            self.skippable = false;
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
            LastReply::Unused => Acquire::Misordered,
            LastReply::Sequence(_) | LastReply::Cached | LastReply::Uncached
                if fingerprint != self.fingerprint =>
            {
                Acquire::FalseRetry
            }
            LastReply::Sequence(said) => Acquire::Repeat(said),
            LastReply::Cached => Acquire::Replay,
            LastReply::Uncached => Acquire::Uncached,
        }
    }

    /// Ends the running request, which may have changed something or not, and keeps this much of its
    /// reply.
    ///
    /// Returns how many bytes the cache held before and holds now.
    pub(crate) fn finish(
        &mut self,
        keep: ReplyToKeep<impl FnOnce(&mut Vec<u8>)>,
        changed: bool,
    ) -> (usize, usize) {
        debug_assert!(self.running, "only a running request ends");
        let before = self.body.len();
        self.running = false;
        self.changed = changed;
        self.body.clear();
        self.answer = match keep {
            ReplyToKeep::Nothing => LastReply::Uncached,
            ReplyToKeep::Sequence(said) => LastReply::Sequence(said),
            ReplyToKeep::Body(fill) => {
                fill(&mut self.body);
                LastReply::Cached
            }
        };
        // One large reply must not hold its memory for as long as the session lives.
        if self.body.capacity() > KEEP_CAPACITY && self.body.capacity() > 2 * self.body.len() {
            self.body.shrink_to_fit();
        }
        (before, self.body.len())
    }

    /// Whether a request with this seqid is a new one, or may be one.
    pub(crate) fn is_next(&self, seqid: u32) -> bool {
        seqid == self.seqid.wrapping_add(1)
            || self.retired && seqid == 1
            || self.skippable && seqid == self.seqid.wrapping_add(2)
    }

    /// Whether the last request has this seqid and was answered.
    pub(crate) fn has_answered(&self, seqid: u32) -> bool {
        seqid == self.seqid && !self.running && self.answer != LastReply::Unused
    }

    /// A slot that was taken away, and is given again.
    pub(crate) fn given_again(was: Retired) -> Slot {
        Slot {
            seqid: was.seqid,
            past: was.past,
            retired: true,
            ..Slot::default()
        }
    }

    /// The last seqid; zero before the first.
    pub(crate) fn seqid(&self) -> u32 {
        self.seqid
    }

    /// Forgets the last reply, and all of the request but what distinguishes it; how many bytes were kept
    /// is returned.
    pub(crate) fn retire(&mut self) -> usize {
        if self.answer != LastReply::Unused {
            self.past = match self.changed {
                true => with_seqid(self.seqid, self.fingerprint),
                false => 0,
            };
        }
        let kept = self.body.len();
        self.body = Vec::new();
        self.answer = LastReply::Unused;
        self.retired = true;
        self.skippable = false;
        kept
    }

    /// What is remembered of it while it is away.
    pub(crate) fn retired(&self) -> Retired {
        Retired {
            seqid: self.seqid,
            past: self.past,
        }
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

/// What distinguishes a request, from those with other seqids, too; never 0.
fn with_seqid(seqid: u32, fingerprint: u64) -> u64 {
    fingerprint.wrapping_add(u64::from(seqid)).max(1)
}

/// Maximum bytes of a cache that stay allocated when it is not used.
const KEEP_CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: ReplyToKeep<fn(&mut Vec<u8>)> = ReplyToKeep::Nothing;
    const SAID: SequenceValues = SequenceValues {
        highest: 3,
        target: 2,
        flags: 1,
    };
    const SEQUENCE: ReplyToKeep<fn(&mut Vec<u8>)> = ReplyToKeep::Sequence(SAID);

    fn keep(bytes: &'static [u8]) -> ReplyToKeep<impl FnOnce(&mut Vec<u8>)> {
        ReplyToKeep::Body(move |body: &mut Vec<u8>| body.extend_from_slice(bytes))
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
                        slot.finish(keep(b"reply"), true);
                        (running, ended) = (false, Some(Ended::Cached));
                    }
                    5 if running => {
                        slot.finish(NOTHING, true);
                        (running, ended) = (false, Some(Ended::Uncached));
                    }
                    6 if running => {
                        slot.finish(SEQUENCE, false);
                        (running, ended) = (false, Some(Ended::Alone));
                    }
                    _ => {}
                }
                assert_eq!(slot.is_running(), running);
            }
        }
    }

    /// A request with a print of its own is answered.
    fn answer(slot: &mut Slot, seqid: u32, print: u64) {
        assert_eq!(slot.acquire(seqid, print), Acquire::New, "{seqid}");
        slot.finish(keep(b"reply"), true);
    }

    /// A slot that was taken away after this many requests and is given again, and the print of the
    /// last of them.
    fn taken_and_given(requests: u32) -> (Slot, u64) {
        let mut slot = Slot::default();
        for seqid in 1..=requests {
            answer(&mut slot, seqid, u64::from(seqid) << 32);
        }
        assert_eq!(slot.retire(), 5);
        let given = Slot::given_again(slot.retired());
        (given, u64::from(requests) << 32)
    }

    /// Whether the client continues with its seqids or begins anew, and after whichever of its next
    /// requests a copy of the last one from before comes, twice.
    #[test]
    fn what_was_executed_before_a_slot_was_taken_away_is_not_executed_again() {
        for (before, begins_anew, after) in
            (1..4).flat_map(|before| (0..16).map(move |n| (before, n % 2 == 0, n / 2)))
        {
            let (mut slot, print) = taken_and_given(before);
            let mut seqid = if begins_anew { 0 } else { before };
            for number in 0..8 {
                if number == after {
                    for _ in 0..2 {
                        let copy = slot.acquire(before, print);
                        assert_ne!(copy, Acquire::New, "{before} {begins_anew} {after}");
                    }
                }
                seqid += 1;
                answer(&mut slot, seqid, 7);
                assert_eq!(slot.acquire(seqid, 7), Acquire::Replay);
            }
        }
    }

    #[test]
    fn a_client_that_asks_the_same_again_goes_on_after_it() {
        for before in 1..4 {
            let (mut slot, print) = taken_and_given(before);
            for seqid in 1..before {
                answer(&mut slot, seqid, 7);
            }
            assert_eq!(slot.acquire(before, print), Acquire::Uncached);
            assert_eq!(slot.acquire(before + 2, 7), Acquire::Misordered);
            answer(&mut slot, before + 1, print);
            assert_eq!(slot.acquire(before + 3, 7), Acquire::Misordered);
            answer(&mut slot, before + 2, print);
        }
    }

    #[test]
    fn what_changed_nothing_can_be_asked_again() {
        let mut slot = Slot::default();
        assert_eq!(slot.acquire(1, 7), Acquire::New);
        slot.finish(keep(b"reply"), false);
        slot.retire();
        let mut slot = Slot::given_again(slot.retired());
        answer(&mut slot, 1, 7);
    }

    #[test]
    fn a_slot_that_is_taken_away_unused_remembers_what_was_before() {
        let (mut slot, print) = taken_and_given(1);
        slot.retire();
        let mut slot = Slot::given_again(slot.retired());
        assert_eq!(slot.acquire(1, print), Acquire::Uncached);
        answer(&mut slot, 1, 7);
    }

    #[test]
    fn seqid_wraps_through_zero() {
        let mut slot = Slot {
            seqid: u32::MAX,
            ..Slot::default()
        };
        assert_eq!(slot.acquire(0, 1), Acquire::New);
        slot.finish(keep(b"reply"), true);
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
                    Some(len) => slot.finish(
                        ReplyToKeep::Body(|body: &mut Vec<u8>| body.resize(len, 7)),
                        true,
                    ),
                    None => slot.finish(NOTHING, true),
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
        let (before, after) = slot.finish(
            ReplyToKeep::Body(|body: &mut Vec<u8>| body.resize(60_000, 7)),
            true,
        );
        assert_eq!((before, after, slot.kept().len()), (0, 60_000, 60_000));
        assert_eq!(slot.acquire(2, 0), Acquire::New);
        assert_eq!(slot.finish(SEQUENCE, false), (60_000, 0));
        assert!(slot.body.capacity() <= KEEP_CAPACITY);
    }
}
