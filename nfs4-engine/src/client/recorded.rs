//! What stable storage has of a client. [RFC 8881 §8.4.3]

use alloc::vec::Vec;

use nfs4_proto::xdr::Writer;

use crate::fh::Fh;
use crate::keys::OpenOwnerKey;
use crate::stable::{ClientRecord, StableTicket};

/// What stable storage has of a client, and what it is to have.
#[derive(Default)]
pub(crate) struct Recorded {
    /// Number of writes of the record that were asked for, and the last of them that is durable.
    asked: u32,
    durable: u32,
    /// What is under way.
    pub(crate) writing: Option<StableTicket>,
    pub(crate) forgetting: Option<StableTicket>,
    /// A write has failed, and is tried again: the client is in [`Stores::failed`].
    ///
    /// [`Stores::failed`]: crate::stores::Stores::failed
    pub(crate) is_failed: bool,
    /// Stable storage has no record of the client any more.
    pub(crate) is_forgotten: bool,
    /// The last write of the record before one by which the client was to be forgotten: that one may have been
    /// carried out, also if it has failed.
    undone: u32,
    /// A record has been durable: the client may have state that depends on it.
    is_promised: bool,
    /// The record is to be written again when the write that is under way has ended.
    pub(crate) is_outdated: bool,
    /// Files of which the client has lost state, and does not know it.
    lost: Vec<LostFile>,
    /// The client may reclaim nothing.
    reclaims_nothing: Option<LostAll>,
    /// The write from which on the record says no more that the client has lost what it knows of.
    known: Option<u32>,
}

/// A file of which a client has lost state.
struct LostFile {
    fh: Fh,
    /// The first write that has it.
    since: u32,
    told: Told,
}

/// As [`LostFile`], of more files than are remembered.
struct LostAll {
    since: u32,
    told: Told,
}

/// How far a client of minor version 0 has been told of a loss by the answer to a reclaim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It has lost that since this start of the server, and no such answer says so.
    Otherwise,
    /// The former server has recorded it, and no open-owner has been told.
    Not,
    /// The last reply to this open-owner says it. The next request of that shows that the client has the reply.
    In(OpenOwnerKey),
    /// The client has the reply. As long as there is a grace period, its other open-owners may not have been told
    /// yet, and reclaim the same from the next server.
    Yes,
}

impl Recorded {
    /// Whether stable storage has a record of the client, or may have one soon.
    pub(crate) fn is_any(&self) -> bool {
        self.asked > 0 && !self.is_forgotten
    }

    /// Whether a record is durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable > self.undone && self.forgetting.is_none()
    }

    /// Whether a durable record lacks something that was asked for, or is not durable any more.
    pub(crate) fn is_late(&self) -> bool {
        let lacks = self.durable > 0 && self.durable < self.asked;
        lacks || self.is_promised && self.durable <= self.undone
    }

    /// Whether the last write that was asked for lacks something.
    pub(crate) fn is_behind(&self) -> bool {
        let mut since = self.lost.iter().map(|lost| lost.since);
        let is_later = |since: u32| since > self.asked;
        let all = self.reclaims_nothing.as_ref().map(|all| all.since);
        self.is_outdated || since.any(is_later) || all.is_some_and(is_later)
    }

    /// The record with all that was lost is about to be written.
    pub(crate) fn begin(&mut self, record: &mut ClientRecord) {
        self.asked = self.asked.saturating_add(1);
        (self.is_outdated, self.is_forgotten) = (false, false);
        record.lost = self.lost.iter().map(|lost| bytes_of(&lost.fh)).collect();
        record.reclaims = self.reclaims_nothing.is_none();
    }

    /// The write under way has ended.
    pub(crate) fn end(&mut self, stored: bool) {
        self.writing = None;
        if stored {
            self.durable = self.asked;
            self.is_promised = true;
        }
    }

    /// The write by which the client is forgotten has ended. If it has failed, it may have been carried out all the
    /// same: what was durable before is not certain any more.
    pub(crate) fn end_forgetting(&mut self, stored: bool) {
        self.forgetting = None;
        self.is_forgotten = stored;
        // The end of a write of the record that was asked for earlier may be heard later.
        self.undone = self.asked;
        if stored {
            self.durable = 0;
        }
    }

    /// The client has lost state of a file. Returns whether a durable record says so.
    pub(crate) fn loses(&mut self, fh: &Fh) -> bool {
        self.note_loss(fh, Told::Otherwise) <= self.durable
    }

    /// Notes a loss; returns the first write that has it.
    fn note_loss(&mut self, fh: &Fh, by: Told) -> u32 {
        if let Some(lost) = self.lost.iter_mut().find(|lost| lost.fh.covers(fh)) {
            lost.told = by;
            return lost.since;
        }
        if let Some(all) = &mut self.reclaims_nothing {
            all.told = by;
            return all.since;
        }
        let (since, told) = (self.asked.saturating_add(1), by);
        if self.lost.len() < ClientRecord::MOST_LOST {
            let fh = *fh;
            self.lost.push(LostFile { fh, since, told });
        } else {
            self.reclaims_nothing = Some(LostAll { since, told });
        }
        since
    }

    /// Whether a file counts as lost, and no durable record says so.
    pub(crate) fn waits_for_loss(&self, fh: &Fh) -> bool {
        let lost = self.lost.iter().find(|lost| lost.fh.covers(fh));
        let all = self.reclaims_nothing.as_ref().map(|all| all.since);
        let since = lost.map(|lost| lost.since).or(all);
        self.is_any() && since.is_some_and(|since| since > self.durable)
    }

    /// Whether no durable record has all that was lost.
    pub(crate) fn owes_loss(&self) -> bool {
        let since = self.lost.iter().map(|lost| lost.since);
        let all = self.reclaims_nothing.as_ref().map(|all| all.since);
        let mut since = since.chain(all);
        self.is_any() && since.any(|since| since > self.durable)
    }

    /// The client knows that it has lost its state of a file; `true` if the record has to say so no more.
    pub(crate) fn knows(&mut self, fh: &Fh) -> bool {
        self.forget_losses(|lost| lost.fh == *fh)
    }

    /// The reply to an open-owner says that the client has lost its state of a file; if it may reclaim nothing, of
    /// all files.
    pub(crate) fn tells(&mut self, fh: &Fh, owner: OpenOwnerKey) {
        let all = &mut self.reclaims_nothing;
        let is_all = all.as_ref().is_some_and(|all| all.told != Told::Otherwise);
        let lost = self.lost.iter_mut();
        let lost = lost.filter(|lost| is_all || lost.fh.covers(fh));
        for told in told_of(lost.map(|lost| &mut lost.told), all) {
            if matches!(told, Told::Not | Told::In(_)) {
                *told = Told::In(owner);
            }
        }
    }

    /// An open-owner goes on, and so has its last reply.
    pub(crate) fn goes_on(&mut self, owner: OpenOwnerKey) {
        self.replace_told(Told::In(owner), Told::Yes);
    }

    /// An open-owner begins anew, and may not have its last reply.
    pub(crate) fn untell(&mut self, owner: OpenOwnerKey) {
        self.replace_told(Told::In(owner), Told::Not);
    }

    fn replace_told(&mut self, from: Told, to: Told) {
        let lost = self.lost.iter_mut().map(|lost| &mut lost.told);
        for told in told_of(lost, &mut self.reclaims_nothing) {
            if *told == from {
                *told = to;
            }
        }
    }

    /// The grace period is over: what an open-owner was told, no other one reclaims any more.
    /// [RFC 7530 §9.6.3.4.4]
    pub(crate) fn knows_told(&mut self) {
        if let Some(LostAll {
            told: Told::Yes, ..
        }) = self.reclaims_nothing
        {
            self.reclaims_nothing = None;
            self.known = Some(self.asked.saturating_add(1));
        }
        self.forget_losses(|lost| lost.told == Told::Yes);
    }

    fn forget_losses(&mut self, known: impl Fn(&LostFile) -> bool) -> bool {
        let before = self.lost.len();
        self.lost.retain(|lost| !known(lost));
        let changed = self.lost.len() < before;
        if changed {
            self.known = Some(self.asked.saturating_add(1));
        }
        changed
    }

    /// Whether a durable record says that the client has lost what it knows of.
    pub(crate) fn owes_knowledge(&self) -> bool {
        self.is_any() && self.known.is_some_and(|since| since > self.durable)
    }

    /// The client knows of all that it has lost; `true` if the record has to say something no more.
    pub(crate) fn knows_all(&mut self) -> bool {
        let any = !self.lost.is_empty() || self.reclaims_nothing.is_some();
        self.lost.clear();
        self.reclaims_nothing = None;
        if any {
            self.known = Some(self.asked.saturating_add(1));
        }
        any
    }

    /// What an earlier record says that the client has lost stays lost.
    pub(crate) fn inherit(&mut self, lost: impl Iterator<Item = Fh>, reclaims_nothing: bool) {
        for fh in lost {
            self.note_loss(&fh, Told::Not);
        }
        if reclaims_nothing && self.reclaims_nothing.is_none() {
            self.reclaims_nothing = Some(LostAll {
                since: self.asked.saturating_add(1),
                told: Told::Not,
            });
        }
    }
}

/// How far the client has been told of some losses, and of that of all.
fn told_of<'a>(
    lost: impl Iterator<Item = &'a mut Told>,
    all: &'a mut Option<LostAll>,
) -> impl Iterator<Item = &'a mut Told> {
    lost.chain(all.as_mut().map(|all| &mut all.told))
}

/// A filehandle as clients see it.
fn bytes_of(fh: &Fh) -> Vec<u8> {
    let mut w = Writer::new();
    fh.encode(&mut w);
    // It begins with its length, and ends with padding.
    let len = match w.as_slice() {
        [_, _, _, len, ..] => usize::from(*len),
        _ => 0,
    };
    let bytes = w.as_slice().get(4..4 + len);
    bytes.unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Flavor, FsHandle};
    use crate::stable::RecordKey;

    fn file(number: u8) -> Fh {
        Fh {
            export: 1,
            handle: FsHandle::new(&[number; 5]).unwrap(),
        }
    }

    fn written(recorded: &mut Recorded) -> ClientRecord {
        let key = RecordKey::new(false, b"".to_vec(), Flavor::Sys, 0);
        let mut record = ClientRecord::new(key, [0; 8], core::time::Duration::ZERO);
        recorded.begin(&mut record);
        record
    }

    #[test]
    fn a_file_counts_as_lost_once_a_write_that_has_it_is_durable() {
        let mut recorded = Recorded::default();
        written(&mut recorded);
        assert!(!recorded.loses(&file(1)), "the write under way lacks it");
        recorded.end(true);
        assert!(!recorded.loses(&file(1)) && recorded.is_behind());
        let record = written(&mut recorded);
        assert_eq!(record.lost, [bytes_of(&file(1))]);
        assert!(!recorded.is_behind());
        recorded.end(false);
        assert!(!recorded.loses(&file(1)), "the write has failed");
        written(&mut recorded);
        recorded.end(true);
        assert!(recorded.loses(&file(1)));
        assert!(recorded.knows(&file(1)) && !recorded.knows(&file(1)));
    }

    #[test]
    fn a_client_that_was_forgotten_is_recorded_once_a_further_write_is_durable() {
        let mut recorded = Recorded::default();
        written(&mut recorded);
        recorded.end(true);
        assert!(recorded.is_durable());
        recorded.end_forgetting(true);
        assert!(!recorded.is_any() && !recorded.is_durable());
        written(&mut recorded);
        assert!(!recorded.is_durable(), "it is only asked for");
        recorded.end(true);
        assert!(recorded.is_durable());
    }

    #[test]
    fn what_was_durable_is_not_certain_after_a_forgetting_that_has_failed() {
        let mut recorded = Recorded::default();
        written(&mut recorded);
        recorded.end(true);
        assert!(!recorded.is_late());
        recorded.end_forgetting(false);
        assert!(recorded.is_any() && !recorded.is_durable() && recorded.is_late());
        written(&mut recorded);
        assert!(!recorded.is_durable(), "it is only asked for");
        recorded.end(true);
        assert!(recorded.is_durable() && !recorded.is_late());
    }

    #[test]
    fn a_write_that_is_heard_of_after_the_forgetting_that_follows_it_is_undone() {
        for forgotten in [true, false] {
            let mut recorded = Recorded::default();
            written(&mut recorded);
            recorded.end_forgetting(forgotten);
            recorded.end(true);
            assert!(!recorded.is_durable() && recorded.is_late());
            written(&mut recorded);
            assert!(!recorded.is_durable(), "it is only asked for");
            recorded.end(true);
            assert!(recorded.is_durable() && !recorded.is_late());
        }
    }

    #[test]
    fn a_lost_export_stands_for_all_its_files() {
        let mut recorded = Recorded::default();
        recorded.loses(&Fh::all_of(1));
        assert_eq!(written(&mut recorded).lost, [[1, 0, 1]]);
        recorded.end(true);
        assert!(recorded.loses(&file(1)) && recorded.loses(&file(2)));
        let elsewhere = Fh {
            export: 2,
            ..file(1)
        };
        assert!(!recorded.loses(&elsewhere));
    }

    #[test]
    fn beyond_the_bound_a_client_reclaims_nothing() {
        let mut recorded = Recorded::default();
        for number in 0..=ClientRecord::MOST_LOST as u8 {
            recorded.loses(&file(number));
        }
        let record = written(&mut recorded);
        assert_eq!(record.lost.len(), ClientRecord::MOST_LOST);
        assert!(!record.reclaims);
        recorded.end(true);
        assert!(recorded.loses(&file(200)), "it says that of every file");
        assert!(recorded.knows_all());
        assert!(written(&mut recorded).reclaims);
    }
}
