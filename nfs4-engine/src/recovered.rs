//! The clients that a former server has recorded: those that may reclaim. [RFC 8881 §8.4.2.1, §8.4.3]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::basic::Verifier;

use crate::count::Count;
use crate::fh::Fh;
use crate::map::{DetMap, Keyed};
use crate::stable::{ClientRecord, RecordKey};

/// The records of a former server.
pub(crate) struct Recovered {
    clients: Vec<RecoveredClient>,
    /// Their places, by the bytes of their keys.
    places: DetMap<Box<[u8]>, u32>,
    /// Number of clients that may reclaim something; of those that may still do so, by whether they speak
    /// minor version 0.
    known: usize,
    missing: [usize; 2],
    /// The longest lease that one of them was given.
    pub(crate) longest_lease: Duration,
}

/// A client that a former server has recorded.
pub(crate) struct RecoveredClient {
    record: ClientRecord,
    /// It has reclaimed what it wants, or may reclaim nothing.
    is_settled: bool,
}

impl Recovered {
    pub(crate) fn new(records: Vec<ClientRecord>, keyed: Keyed) -> Recovered {
        let mut recovered = Recovered {
            clients: Vec::with_capacity(records.len().min(MOST)),
            places: DetMap::new(keyed),
            known: 0,
            missing: [0; 2],
            longest_lease: Duration::ZERO,
        };
        for record in records.into_iter().take(MOST) {
            let place = recovered.clients.len() as u32;
            let key = record.key.to_bytes().into_boxed_slice();
            if recovered.places.get(&*key).is_some() {
                continue;
            }
            recovered.places.insert(key, place);
            recovered.longest_lease = recovered.longest_lease.max(record.lease);
            let v40 = record.key.v40;
            let client = RecoveredClient::new(record);
            if !client.is_settled {
                recovered.known += 1;
                *recovered.missing_of(v40) += 1;
            }
            recovered.clients.push(client);
        }
        recovered
    }

    /// Whether there are no records, or none is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Number of clients that might reclaim something when the server started.
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    /// Number of clients that may still reclaim something, of minor version 0 and of later ones.
    pub(crate) fn missing(&self) -> (usize, usize) {
        let [of_v40, of_others] = self.missing;
        (of_v40, of_others)
    }

    /// The owners of some clients that may still reclaim something, at most `most`; of the first ones, so
    /// that the look is short.
    pub(crate) fn some_missing(&self, most: usize) -> impl Iterator<Item = &RecordKey> {
        let missing = self.clients.iter().take(LOOKED_AT);
        let missing = missing.filter(|client| !client.is_settled);
        missing.take(most).map(|client| &client.record.key)
    }

    /// The place of a client's record.
    pub(crate) fn find(&self, key: &RecordKey) -> Option<u32> {
        self.places.get(&*key.to_bytes()).copied()
    }

    /// The client at a place, if it may reclaim and is this incarnation.
    pub(crate) fn reclaimer(&self, place: u32, verifier: Verifier) -> Option<&RecoveredClient> {
        let client = self.incarnation(place, verifier)?;
        (!client.is_settled).then_some(client)
    }

    /// The client at a place reclaims nothing more; `true` the first time.
    pub(crate) fn settle(&mut self, place: u32) -> bool {
        let Some(client) = self.clients.get_mut(place as usize) else {
            return false;
        };
        if core::mem::replace(&mut client.is_settled, true) {
            return false;
        }
        let v40 = client.record.key.v40;
        self.missing_of(v40).lower(1);
        true
    }

    /// The record at a place, if it is of this incarnation of the client.
    pub(crate) fn incarnation(&self, place: u32, verifier: Verifier) -> Option<&RecoveredClient> {
        let client = self.clients.get(place as usize)?;
        (client.record.verifier == verifier.0).then_some(client)
    }

    /// Drops up to `budget` records; `true` once none is left.
    pub(crate) fn drop_some(&mut self, budget: &mut usize) -> bool {
        while *budget > 0 {
            let Some(client) = self.clients.pop() else {
                break;
            };
            self.places.remove(&*client.record.key.to_bytes());
            *budget -= 1;
        }
        self.clients.is_empty()
    }

    fn missing_of(&mut self, v40: bool) -> &mut usize {
        let [of_v40, of_others] = &mut self.missing;
        if v40 { of_v40 } else { of_others }
    }
}

impl RecoveredClient {
    fn new(record: ClientRecord) -> RecoveredClient {
        let mut client = RecoveredClient {
            record,
            is_settled: false,
        };
        client.is_settled = client.reclaims_nothing();
        client
    }

    /// Whether its record says that it may reclaim nothing, or names a lost file that this server cannot tell from
    /// others.
    pub(crate) fn reclaims_nothing(&self) -> bool {
        let is_told = self.lost().count() == self.record.lost.len();
        !self.record.reclaims || !is_told
    }

    /// Whether it has lost state of a file.
    pub(crate) fn has_lost(&self, fh: &Fh) -> bool {
        self.lost().any(|lost| lost.covers(fh))
    }

    /// The files of which it has lost state.
    pub(crate) fn lost(&self) -> impl Iterator<Item = Fh> + '_ {
        let lost = self.record.lost.iter();
        lost.filter_map(|fh| Fh::decode(fh).ok())
    }
}

/// Maximum number of records that are looked at: more clients can have none, with all starts that ended
/// within their grace periods.
const MOST: usize = 1 << 18;
/// Number of records that are looked at to name some clients.
const LOOKED_AT: usize = 1_024;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::fs::Flavor;

    fn record(v40: bool, owner: &[u8]) -> ClientRecord {
        let key = RecordKey::new(v40, owner, Flavor::Sys, 0);
        ClientRecord::new(key, [1; 8], Duration::from_secs(7))
    }

    #[test]
    fn a_client_is_missing_until_it_is_settled() {
        let lost_all = ClientRecord {
            reclaims: false,
            ..record(false, b"c")
        };
        let lost_unknown = ClientRecord {
            lost: vec![vec![1]],
            ..record(false, b"d")
        };
        let records = vec![
            record(true, b"a"),
            record(false, b"b"),
            lost_all,
            lost_unknown,
        ];
        let mut recovered = Recovered::new(records, Keyed::new([0; 16]));
        assert_eq!((recovered.known(), recovered.missing()), (2, (1, 1)));
        let place = recovered.find(&record(false, b"b").key).unwrap();
        assert!(recovered.find(&record(true, b"b").key).is_none());
        assert!(recovered.reclaimer(place, Verifier([1; 8])).is_some());
        assert!(recovered.reclaimer(place, Verifier([2; 8])).is_none());
        assert!(recovered.settle(place) && !recovered.settle(place));
        assert!(recovered.reclaimer(place, Verifier([1; 8])).is_none());
        assert_eq!(recovered.missing(), (1, 0));
        let named: Vec<_> = recovered.some_missing(9).map(|key| &*key.owner).collect();
        assert_eq!(named, [b"a"]);
        assert!(!recovered.drop_some(&mut 3) && recovered.drop_some(&mut 9));
        assert_eq!(recovered.find(&record(true, b"a").key), None);
    }
}
