//! One slot of a fore channel, as a pure transition. [RFC 8881 §2.10.6.1]

use alloc::vec::Vec;

/// A slot: the last request on it, whether that still runs, and its reply.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    seqid: u32,
    running: bool,
    /// It was retired, and got no request since: the client may begin at 1 or continue its seqids.
    /// [RFC 8881 §2.10.6.1]
    retired: bool,
    /// The last request from before the slot was retired has come with the next seqid. The client may
    /// count it, or know that it is an old copy.
    skippable: bool,
    /// The last request may have changed something.
    changed: bool,
    fingerprint: u64,
    /// Hash of the last request from before the slot was retired, with its seqid; 0 if there is none,
    /// or if it may be executed again.
    past: u64,
    last_reply: LastReply,
    // Its memory is reused from reply to reply.
    body: Vec<u8>,
}

/// What is remembered of a retired slot, to recognise its last request when it is restored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retired {
    seqid: u32,
    past: u64,
}

/// The fields of a SEQUENCE result that do not follow from its arguments.
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

/// The part of a reply that a slot keeps.
pub(crate) enum ReplyToKeep<F> {
    /// Only that the request was answered.
    Nothing,
    /// The result of a SEQUENCE alone.
    Sequence(SequenceValues),
    /// The COMPOUND4res, which this function appends to an empty cache.
    Body(F),
}

/// What is known of the reply to the last request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastReply {
    /// No request yet.
    #[default]
    Unused,
    /// The request was a SEQUENCE alone, as most requests of idle clients are: it costs no more memory.
    Sequence(SequenceValues),
    /// The whole COMPOUND4res is in `body`.
    Cached,
    /// The reply was not to be cached; the request had more operations than SEQUENCE.
    Uncached,
}

/// The outcome for a request that names a slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Acquire {
    /// The request is new and runs now; [`Slot::finish`] must follow.
    New,
    /// The request is a retransmission: send [`Slot::kept`] again.
    Replay,
    /// The request is a retransmission of a SEQUENCE alone: send this result again.
    Repeat(SequenceValues),
    /// The request is a retransmission whose reply is not kept.
    /// [RFC 8881 §2.10.6.1.3]
    Uncached,
    /// The request is running: NFS4ERR_DELAY.
    Running,
    /// The seqid is neither the last nor the next: NFS4ERR_SEQ_MISORDERED.
    Misordered,
    /// The request has the last seqid but differs from the last request: NFS4ERR_SEQ_FALSE_RETRY.
    FalseRetry,
    /// There is no such slot, or not any more: NFS4ERR_BADSLOT.
    NoSlot {
        /// Number of bytes of kept replies that went with the slot now.
        freed: usize,
    },
}

impl Slot {
    /// Judges a request, and starts it if it is new. Every outcome but [`Acquire::New`] leaves the
    /// last seqid and the kept reply as they were.
    pub(crate) fn acquire(&mut self, seqid: u32, fingerprint: u64) -> Acquire {
        if self.is_next(seqid) {
            if self.running {
                // The client breaks §2.10.6.1: it sends the next request before it has the reply.
                return Acquire::Misordered;
            }
            if self.past == with_seqid(seqid, fingerprint) {
                // An old copy, or the same request once more from a client that continues after it.
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
        match self.last_reply {
            LastReply::Unused => Acquire::Misordered,
            LastReply::Sequence(_) | LastReply::Cached | LastReply::Uncached
                if fingerprint != self.fingerprint =>
            {
                Acquire::FalseRetry
            }
            LastReply::Sequence(values) => Acquire::Repeat(values),
            LastReply::Cached => Acquire::Replay,
            LastReply::Uncached => Acquire::Uncached,
        }
    }

    /// Ends the running request and keeps its reply as `keep` says; `changed` if the request may have
    /// changed something.
    ///
    /// Returns the number of bytes that the cache held before, and that it holds now.
    pub(crate) fn finish(
        &mut self,
        keep: ReplyToKeep<impl FnOnce(&mut Vec<u8>)>,
        changed: bool,
    ) -> (usize, usize) {
        debug_assert!(self.running, "no request runs on the slot");
        let before = self.body.len();
        self.running = false;
        self.changed = changed;
        self.body.clear();
        self.last_reply = match keep {
            ReplyToKeep::Nothing => LastReply::Uncached,
            ReplyToKeep::Sequence(values) => LastReply::Sequence(values),
            ReplyToKeep::Body(fill) => {
                fill(&mut self.body);
                LastReply::Cached
            }
        };
        // A large reply must not keep its memory as long as the session lives.
        if self.body.capacity() > KEEP_CAPACITY && self.body.capacity() > 2 * self.body.len() {
            self.body.shrink_to_fit();
        }
        (before, self.body.len())
    }

    /// Whether a request with this seqid is, or may be, a new one.
    pub(crate) fn is_next(&self, seqid: u32) -> bool {
        seqid == self.seqid.wrapping_add(1)
            || self.retired && seqid == 1
            || self.skippable && seqid == self.seqid.wrapping_add(2)
    }

    /// Whether the last request has this seqid and was answered.
    pub(crate) fn has_answered(&self, seqid: u32) -> bool {
        seqid == self.seqid && !self.running && self.last_reply != LastReply::Unused
    }

    /// A retired slot that the client gets again.
    pub(crate) fn restored(was: Retired) -> Slot {
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

    /// Forgets the last reply, and the last request but for its hash.
    ///
    /// Returns the number of bytes of the reply.
    pub(crate) fn retire(&mut self) -> usize {
        if self.last_reply != LastReply::Unused {
            self.past = match self.changed {
                true => with_seqid(self.seqid, self.fingerprint),
                false => 0,
            };
        }
        let kept = self.body.len();
        self.body = Vec::new();
        self.last_reply = LastReply::Unused;
        self.retired = true;
        self.skippable = false;
        kept
    }

    /// What is remembered of the slot while it is retired.
    pub(crate) fn retired(&self) -> Retired {
        Retired {
            seqid: self.seqid,
            past: self.past,
        }
    }

    /// Whether a request runs on the slot.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// The COMPOUND4res that is kept for replay; empty if none is.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.body
    }
}

/// A hash that also covers the seqid; never 0.
fn with_seqid(seqid: u32, fingerprint: u64) -> u64 {
    fingerprint.wrapping_add(u64::from(seqid)).max(1)
}

/// Maximum bytes of a cache that stay allocated when it is not used.
const KEEP_CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: ReplyToKeep<fn(&mut Vec<u8>)> = ReplyToKeep::Nothing;
    const VALUES: SequenceValues = SequenceValues {
        highest: 3,
        target: 2,
        flags: 1,
    };
    const SEQUENCE: ReplyToKeep<fn(&mut Vec<u8>)> = ReplyToKeep::Sequence(VALUES);

    fn keep(bytes: &'static [u8]) -> ReplyToKeep<impl FnOnce(&mut Vec<u8>)> {
        ReplyToKeep::Body(move |body: &mut Vec<u8>| body.extend_from_slice(bytes))
    }

    /// How the last request of the model ended.
    #[derive(Clone, Copy)]
    enum Ended {
        Alone,
        Cached,
        Uncached,
    }

    /// Plays every sequence of eight steps against a model that counts executions. A step is a
    /// request with the last seqid, the next, another, or the last with another fingerprint, or the
    /// end of the running request: cached, uncached, or as a SEQUENCE alone.
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
                            Some(Ended::Alone) => Acquire::Repeat(VALUES),
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

    /// Executes a request with this fingerprint.
    fn answer(slot: &mut Slot, seqid: u32, print: u64) {
        assert_eq!(slot.acquire(seqid, print), Acquire::New, "{seqid}");
        slot.finish(keep(b"reply"), true);
    }

    /// A slot that was retired after this many requests and restored, and the fingerprint of the last
    /// of them.
    fn retired_and_restored(requests: u32) -> (Slot, u64) {
        let mut slot = Slot::default();
        for seqid in 1..=requests {
            answer(&mut slot, seqid, u64::from(seqid) << 32);
        }
        assert_eq!(slot.retire(), 5);
        let given = Slot::restored(slot.retired());
        (given, u64::from(requests) << 32)
    }

    /// The client continues its seqids or begins anew; after each of its next requests a copy of the
    /// last one from before comes twice.
    #[test]
    fn a_restored_slot_does_not_execute_its_last_request_again() {
        for (before, begins_anew, after) in
            (1..4).flat_map(|before| (0..16).map(move |n| (before, n % 2 == 0, n / 2)))
        {
            let (mut slot, print) = retired_and_restored(before);
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
    fn a_client_that_repeats_a_request_as_new_continues_after_it() {
        for before in 1..4 {
            let (mut slot, print) = retired_and_restored(before);
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
    fn a_restored_slot_repeats_a_request_that_changed_nothing() {
        let mut slot = Slot::default();
        assert_eq!(slot.acquire(1, 7), Acquire::New);
        slot.finish(keep(b"reply"), false);
        slot.retire();
        let mut slot = Slot::restored(slot.retired());
        answer(&mut slot, 1, 7);
    }

    #[test]
    fn a_slot_retired_unused_remembers_the_request_before() {
        let (mut slot, print) = retired_and_restored(1);
        slot.retire();
        let mut slot = Slot::restored(slot.retired());
        assert_eq!(slot.acquire(1, print), Acquire::Uncached);
        answer(&mut slot, 1, 7);
    }

    #[test]
    fn the_seqid_wraps_through_zero() {
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
    fn a_slot_keeps_memory_unless_it_is_large_and_half_unused() {
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
    fn a_slot_frees_the_memory_of_a_large_reply() {
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
