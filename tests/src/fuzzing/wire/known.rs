//! Ids that the server has made, and the symbols that stand for them in inputs.

use std::collections::HashMap;

use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::res::{OpenDelegation, Outcome};
use nfs4_proto::nfs4::{SessionId, Stateid, args};

use super::rewrite::Ids;

/// Ids of a server in the order in which it told of them. A symbol is a mark and the place of an id.
#[derive(Default)]
pub struct Known {
    clients: Vec<u64>,
    confirms: Vec<[u8; 8]>,
    sessions: Vec<SessionId>,
    stateids: Vec<Stateid>,
    handles: Vec<Vec<u8>>,
    /// The seqid that each slot had last.
    seqids: HashMap<(SessionId, u32), u32>,
}

/// An id in a result.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Id {
    Client(u64),
    Confirm([u8; 8]),
    Session(SessionId),
    Stateid(Stateid),
    Handle(Vec<u8>),
    Slot(SessionId, u32, u32),
}

impl Known {
    /// Learns from a reply, its mark taken off.
    pub(super) fn learn(&mut self, record: &[u8]) {
        for id in ids(record) {
            self.add(id);
        }
    }

    fn add(&mut self, id: Id) {
        match id {
            Id::Client(id) => add(&mut self.clients, id),
            Id::Confirm(id) => add(&mut self.confirms, id),
            Id::Session(id) => add(&mut self.sessions, id),
            Id::Handle(id) => add(&mut self.handles, id),
            Id::Slot(session, slot, seqid) => {
                self.seqids.insert((session, slot), seqid);
            }
            Id::Stateid(id) => {
                let old = self.stateids.iter_mut().find(|old| old.other == id.other);
                match old {
                    Some(old) => old.seqid = id.seqid,
                    None => add(&mut self.stateids, id),
                }
            }
        }
    }

    /// The number of stateids.
    pub(super) fn stateids(&self) -> usize {
        self.stateids.len()
    }

    /// One of the handles.
    pub(super) fn some_handle(&self, at: u8) -> Option<&[u8]> {
        pick(&self.handles, at).map(Vec::as_slice)
    }

    /// The seqid for the next request on a slot.
    pub(super) fn next(&self, session: SessionId, slot: u32) -> u32 {
        let last = self.seqids.get(&(session, slot)).copied();
        last.unwrap_or(0).wrapping_add(1)
    }
}

/// From symbols to the server's ids.
impl Ids for Known {
    fn client(&self, id: u64) -> u64 {
        let [MARK, 0, 0, 0, 0, 0, 0, at] = id.to_be_bytes() else {
            return id;
        };
        pick(&self.clients, at).copied().unwrap_or(id)
    }

    fn confirm(&self, id: [u8; 8]) -> [u8; 8] {
        let [MARK, at, 0, 0, 0, 0, 0, 0] = id else {
            return id;
        };
        pick(&self.confirms, at).copied().unwrap_or(id)
    }

    fn session(&self, id: SessionId) -> SessionId {
        let [MARK, at, rest @ ..] = id.0 else {
            return id;
        };
        let found = pick(&self.sessions, at).filter(|_| rest == [0; 14]);
        found.copied().unwrap_or(id)
    }

    fn stateid(&self, id: Stateid) -> Stateid {
        let [MARK, at, rest @ ..] = id.other else {
            return id;
        };
        let found = pick(&self.stateids, at).filter(|_| rest == [0; 10]);
        let Some(found) = found else { return id };
        Stateid {
            seqid: if id.seqid == NEWEST {
                found.seqid
            } else {
                id.seqid
            },
            other: found.other,
        }
    }

    fn handle<'a>(&'a self, id: &'a [u8]) -> &'a [u8] {
        let [MARK, at] = *id else { return id };
        pick(&self.handles, at).map_or(id, Vec::as_slice)
    }

    fn sequence(&self, args: &mut args::Sequence) {
        args.sessionid = self.session(args.sessionid);
        args.sequenceid = match args.sequenceid {
            // The request is the last once more, or of no order.
            0 => self.next(args.sessionid, args.slotid).wrapping_sub(1),
            NEWEST => self.next(args.sessionid, args.slotid).wrapping_add(1),
            _ => self.next(args.sessionid, args.slotid),
        };
    }
}

/// From the ids of one server to symbols of the ids that another server has made in the same place;
/// what the other has not made becomes the symbol of something.
#[derive(Default)]
pub struct Symbols {
    clients: HashMap<u64, u64>,
    confirms: HashMap<[u8; 8], [u8; 8]>,
    sessions: HashMap<SessionId, SessionId>,
    /// By `other`, with the seqid that was told last.
    stateids: HashMap<[u8; 12], (u32, [u8; 12])>,
    handles: HashMap<Vec<u8>, [u8; 2]>,
}

impl Symbols {
    /// Two servers answered the same request; the second is the one that `known` is of.
    pub fn pair(&mut self, first: &[u8], second: &[u8], known: &Known) {
        for (first, second) in ids(first).into_iter().zip(ids(second)) {
            self.pair_one(first, &second, known);
        }
    }

    fn pair_one(&mut self, first: Id, second: &Id, known: &Known) {
        match (first, second) {
            (Id::Client(id), Id::Client(of)) => {
                let at = place(&known.clients, of);
                let symbol = u64::from_be_bytes([MARK, 0, 0, 0, 0, 0, 0, at]);
                self.clients.insert(id, symbol);
            }
            (Id::Confirm(id), Id::Confirm(of)) => {
                let at = place(&known.confirms, of);
                self.confirms.insert(id, [MARK, at, 0, 0, 0, 0, 0, 0]);
            }
            (Id::Session(id), Id::Session(of)) => {
                let mut symbol = [0; 16];
                symbol[..2].copy_from_slice(&[MARK, place(&known.sessions, of)]);
                self.sessions.insert(id, SessionId(symbol));
            }
            (Id::Stateid(id), Id::Stateid(of)) => {
                let place = known.stateids.iter().position(|one| one.other == of.other);
                let mut symbol = [0; 12];
                symbol[..2].copy_from_slice(&[MARK, place.unwrap_or(0) as u8]);
                self.stateids.insert(id.other, (id.seqid, symbol));
            }
            (Id::Handle(id), Id::Handle(of)) => {
                self.handles.insert(id, [MARK, place(&known.handles, of)]);
            }
            _ => {}
        }
    }
}

impl Ids for Symbols {
    fn client(&self, id: u64) -> u64 {
        self.clients.get(&id).copied().unwrap_or(id)
    }

    fn confirm(&self, id: [u8; 8]) -> [u8; 8] {
        self.confirms.get(&id).copied().unwrap_or(id)
    }

    fn session(&self, id: SessionId) -> SessionId {
        let mut some = [0; 16];
        some[0] = MARK;
        self.sessions.get(&id).copied().unwrap_or(SessionId(some))
    }

    fn stateid(&self, id: Stateid) -> Stateid {
        let special = [[0; 12], [u8::MAX; 12], Stateid::CURRENT.other];
        if special.contains(&id.other) {
            return id;
        }
        let Some((newest, other)) = self.stateids.get(&id.other) else {
            return some_stateid(&id.other);
        };
        Stateid {
            seqid: if id.seqid == *newest {
                NEWEST
            } else {
                id.seqid
            },
            other: *other,
        }
    }

    fn handle<'a>(&'a self, id: &'a [u8]) -> &'a [u8] {
        let symbol = self.handles.get(id);
        symbol.unwrap_or(&[MARK, 0]).as_slice()
    }

    fn sequence(&self, args: &mut args::Sequence) {
        args.sessionid = self.session(args.sessionid);
        args.sequenceid = 1;
    }
}

/// A stateid that this server has not made stands for one that it has.
fn some_stateid(id: &[u8; 12]) -> Stateid {
    let mut other = [0; 12];
    other[..2].copy_from_slice(&[MARK, id.iter().fold(0, |sum, byte| sum ^ byte)]);
    Stateid {
        seqid: NEWEST,
        other,
    }
}

/// The ids in a reply, as far as it can be read.
fn ids(record: &[u8]) -> Vec<Id> {
    let mut found = Vec::new();
    let Ok(mut reply) = ReplyReader::parse(record) else {
        return found;
    };
    while let Ok(Some(result)) = reply.next_result() {
        ids_of(&result, &mut found);
    }
    found
}

fn ids_of(result: &ResOp<'_>, found: &mut Vec<Id>) {
    match result {
        ResOp::ExchangeId(Outcome::Ok(ok)) => found.push(Id::Client(ok.clientid.0)),
        ResOp::SetClientId(Outcome::Ok(ok)) => {
            found.push(Id::Client(ok.clientid.0));
            found.push(Id::Confirm(ok.setclientid_confirm.0));
        }
        ResOp::CreateSession(Outcome::Ok(ok)) => found.push(Id::Session(ok.sessionid)),
        ResOp::Sequence(Outcome::Ok(ok)) => {
            found.push(Id::Slot(ok.sessionid, ok.slotid, ok.sequenceid));
        }
        ResOp::GetFh(Outcome::Ok(ok)) => found.push(Id::Handle(ok.object.to_vec())),
        ResOp::Open(Outcome::Ok(ok)) => {
            found.push(Id::Stateid(ok.stateid));
            match &ok.delegation {
                OpenDelegation::Read(read) => found.push(Id::Stateid(read.stateid)),
                OpenDelegation::Write(write) => found.push(Id::Stateid(write.stateid)),
                _ => {}
            }
        }
        ResOp::OpenConfirm(Outcome::Ok(ok)) => found.push(Id::Stateid(ok.open_stateid)),
        ResOp::OpenDowngrade(Outcome::Ok(ok)) => found.push(Id::Stateid(ok.open_stateid)),
        ResOp::Lock(Outcome::Ok(ok)) => found.push(Id::Stateid(ok.lock_stateid)),
        ResOp::LockU(Outcome::Ok(ok)) => found.push(Id::Stateid(ok.lock_stateid)),
        _ => {}
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if list.len() < 256 && !list.contains(&one) {
        list.push(one);
    }
}

fn pick<T>(list: &[T], at: u8) -> Option<&T> {
    let at = usize::from(at).checked_rem(list.len())?;
    list.get(at)
}

fn place<T: PartialEq>(list: &[T], one: &T) -> u8 {
    let place = list.iter().position(|other| other == one);
    place.unwrap_or(0) as u8
}

/// What a symbol begins with.
const MARK: u8 = 0xee;
/// As a seqid, the newest that was told of the stateid.
const NEWEST: u32 = u32::MAX;
