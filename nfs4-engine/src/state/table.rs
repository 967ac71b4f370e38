//! All state under one roof, so that an open file cannot be half removed.

use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;

use super::file::{File, Files, Share};
use super::open::Open;
use super::owner::{Owner, Owners};
use crate::client::{Client, StateList};
use crate::exports::Fh;
use crate::map::{DetMap, Keyed};
use crate::slab::{Key, Slab};

/// Every open file of every client.
pub(crate) struct States {
    epoch: u32,
    opens: Slab<Open>,
    owners: Owners,
    files: Files,
    by_owner: DetMap<(Key<Owner>, Key<File>), Key<Open>>,
}

/// How long each table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    pub(crate) opens: usize,
    pub(crate) owners: usize,
    pub(crate) files: usize,
}

impl States {
    pub(crate) fn new(epoch: u32, keyed: Keyed) -> States {
        States {
            epoch,
            opens: Slab::new(),
            owners: Owners::new(keyed),
            files: Files::new(keyed),
            by_owner: DetMap::new(keyed),
        }
    }

    pub(crate) fn counts(&self) -> StateCounts {
        StateCounts {
            opens: self.opens.len(),
            owners: self.owners.len(),
            files: self.files.len(),
        }
    }

    /// What this owner has of this file.
    pub(crate) fn find(&self, client: Key<Client>, owner: &[u8], fh: &Fh) -> Option<Key<Open>> {
        let owner = self.owners.find(client, owner)?;
        let file = self.files.find(fh)?;
        self.by_owner.get(&(owner, file)).copied()
    }

    pub(crate) fn get(&self, key: Key<Open>) -> Option<&Open> {
        self.opens.get(key)
    }

    /// Whether an owner who has `own` of the file may take `share` of it beside all others.
    pub(crate) fn admits(&self, fh: &Fh, share: Share, own: Share) -> bool {
        self.files.admits(self.files.find(fh), share, own)
    }

    /// A new open of the file; shares are checked by the caller, who also knows that the owner
    /// has no other.
    pub(crate) fn open(
        &mut self,
        client: Key<Client>,
        list: &mut StateList,
        owner: &[u8],
        fh: &Fh,
        share: Share,
    ) -> Key<Open> {
        let owner = self.owners.hold(client, owner);
        let file = self.files.hold(fh, share);
        let position = list.next_position();
        let key = self.opens.insert(Open {
            client,
            owner,
            file,
            share,
            seqid: 0,
            position,
        });
        list.push(key);
        self.by_owner.insert((owner, file), key);
        key
    }

    /// Gives an open another share.
    pub(crate) fn reshare(&mut self, key: Key<Open>, share: Share) {
        if let Some(open) = self.opens.get_mut(key) {
            self.files.change(open.file, open.share, share);
            open.share = share;
        }
    }

    /// The next stateid of an open, for the reply that tells of it.
    pub(crate) fn advance(&mut self, key: Key<Open>) -> Stateid {
        if let Some(open) = self.opens.get_mut(key) {
            open.advance();
        }
        self.stateid(key)
    }

    /// Removes an open from every table; its file's handle is returned, to be released once.
    pub(crate) fn close(&mut self, list: &mut StateList, key: Key<Open>) -> Option<Fh> {
        let open = self.opens.remove(key)?;
        let fh = self.files.get(open.file).map(|file| file.fh);
        self.by_owner.remove(&(open.owner, open.file));
        self.files.release(open.file, open.share);
        self.owners.release(open.owner);
        if let Some(moved) = list.remove(open.position)
            && let Some(moved) = self.opens.get_mut(moved)
        {
            moved.position = open.position;
        }
        fh
    }

    /// The stateid of an open, as a client sees it now.
    pub(crate) fn stateid(&self, key: Key<Open>) -> Stateid {
        let mut other = [0; 12];
        other[..4].copy_from_slice(&self.epoch.to_be_bytes());
        other[4..8].copy_from_slice(&key.index.to_be_bytes());
        other[8..].copy_from_slice(&key.generation.to_be_bytes());
        Stateid {
            seqid: self.opens.get(key).map_or(0, |open| open.seqid),
            other,
        }
    }

    /// The open of a stateid that this client gave for this file. [RFC 8881 §8.2.4]
    ///
    /// # Errors
    /// BAD_STATEID for one that is unknown, of another boot, another client's or
    /// another file's, OLD_STATEID for one that was replaced.
    pub(crate) fn check(
        &self,
        stateid: &Stateid,
        client: Key<Client>,
        fh: Option<&Fh>,
    ) -> Result<Key<Open>, Status> {
        let [e0, e1, e2, e3, i0, i1, i2, i3, g0, g1, g2, g3] = stateid.other;
        if u32::from_be_bytes([e0, e1, e2, e3]) != self.epoch {
            return Err(Status::BAD_STATEID);
        }
        let key = Key::new(
            u32::from_be_bytes([i0, i1, i2, i3]),
            u32::from_be_bytes([g0, g1, g2, g3]),
        );
        let open = self.opens.get(key).ok_or(Status::BAD_STATEID)?;
        if open.client != client {
            return Err(Status::BAD_STATEID);
        }
        if let Some(fh) = fh
            && self.files.get(open.file).is_none_or(|file| file.fh != *fh)
        {
            return Err(Status::BAD_STATEID);
        }
        match stateid.seqid {
            0 => Ok(key),
            seqid if seqid == open.seqid => Ok(key),
            // Serial arithmetic: half the circle lies behind.
            seqid if open.seqid.wrapping_sub(seqid) < 1 << 31 => Err(Status::OLD_STATEID),
            _ => Err(Status::BAD_STATEID),
        }
    }
}
