//! Messages typed byte by byte from the RFCs: both halves of the codec could be wrong in the same
//! way, and only this and strangers would notice.

use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::attr::{Bitmap, SettableAttrs, num};
use nfs4_proto::nfs4::{
    ClientId, FattrRaw, LockType, Owner, SessionId, StableHow, Stateid, Time, Verifier, args,
    consts, res,
};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::{Encode, List, Writer};

/// Pieces of a message: integers are four bytes each.
enum Piece<'a> {
    Words(&'a [u32]),
    Bytes(&'a [u8]),
}

use Piece::{Bytes, Words};

fn message(pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Words(words) => words
                .iter()
                .for_each(|word| bytes.extend(word.to_be_bytes())),
            Bytes(raw) => bytes.extend(*raw),
        }
    }
    bytes
}

const STATEID: Stateid = Stateid {
    seqid: 1,
    other: *b"abcdefghijkl",
};
const OWNER: Owner<'static> = Owner {
    clientid: ClientId(0x11_0000_0022),
    owner: b"owner",
};

#[test]
fn a_call_from_mark_to_end() {
    let gids = [100, 101];
    let cred = CallCredential::Sys(AuthSys {
        stamp: 9,
        machinename: b"client",
        uid: 1000,
        gid: 100,
        gids: List::new(&gids),
    });
    let sequence = args::Sequence {
        sessionid: SessionId(*b"0123456789abcdef"),
        sequenceid: 5,
        slotid: 6,
        highest_slotid: 7,
        cachethis: true,
    };
    let attr_request = Bitmap::of(&[
        num::TYPE,
        num::CHANGE,
        num::SIZE,
        num::MODE,
        num::XATTR_SUPPORT,
    ]);
    let record = CompoundBuilder::call(0xabcd, &cred, b"hello", 2)
        .sequence(sequence)
        .putrootfh()
        .lookup(args::Lookup { objname: b"etc" })
        .getattr(args::GetAttr { attr_request })
        .finish();
    let want = message(&[
        Words(&[0x8000_0000 | 168, 0xabcd, 0, 2, 100_003, 4, 1]),
        Words(&[1, 36, 9, 6]),
        Bytes(b"client\0\0"),
        Words(&[1000, 100, 2, 100, 101]),
        Words(&[0, 0]),
        Words(&[5]),
        Bytes(b"hello\0\0\0"),
        Words(&[2, 4]),
        Words(&[53]),
        Bytes(b"0123456789abcdef"),
        Words(&[5, 6, 7, 1]),
        Words(&[24]),
        Words(&[15, 3]),
        Bytes(b"etc\0"),
        Words(&[9, 3, 0b1_1010, 0b10, 1 << 18]),
    ]);
    assert_eq!(record, want);
}

#[test]
fn sessions() {
    let clientowner = args::ClientOwner {
        verifier: Verifier(*b"verifier"),
        ownerid: b"me",
    };
    let exchange_id = args::ExchangeId {
        clientowner,
        flags: consts::EXCHGID4_FLAG_BIND_PRINC_STATEID,
        state_protect: args::StateProtect::None,
        client_impl_id: Some(args::ImplId {
            domain: b"kernel.org",
            name: b"n",
            date: Time {
                seconds: -1,
                nanos: 2,
            },
        }),
    };
    let channel = |n| args::ChannelAttrs {
        headerpadsize: 0,
        maxrequestsize: n,
        maxresponsesize: n + 1,
        maxresponsesize_cached: n + 2,
        maxoperations: n + 3,
        maxrequests: n + 4,
        rdma_ird: None,
    };
    let sys = AuthSys {
        stamp: 1,
        machinename: b"",
        uid: 2,
        gid: 3,
        gids: List::empty(),
    };
    let sec_parms = [
        args::CallbackSecParms::None,
        args::CallbackSecParms::Sys(sys),
    ];
    let create_session = args::CreateSession {
        clientid: ClientId(7),
        sequence: 1,
        flags: 2,
        fore_chan_attrs: channel(1000),
        back_chan_attrs: channel(2000),
        cb_program: 0x4000_0000,
        sec_parms: List::new(&sec_parms),
    };
    let body = CompoundBuilder::body(b"", 1)
        .exchange_id(exchange_id)
        .create_session(create_session)
        .finish();
    let want = message(&[
        Words(&[0, 1, 2]),
        Words(&[42]),
        Bytes(b"verifier"),
        Words(&[2]),
        Bytes(b"me\0\0"),
        Words(&[0x100, 0, 1, 10]),
        Bytes(b"kernel.org\0\0"),
        Words(&[1]),
        Bytes(b"n\0\0\0"),
        Words(&[0xffff_ffff, 0xffff_ffff, 2]),
        Words(&[43, 0, 7, 1, 2]),
        Words(&[0, 1000, 1001, 1002, 1003, 1004, 0]),
        Words(&[0, 2000, 2001, 2002, 2003, 2004, 0]),
        Words(&[0x4000_0000, 2, 0, 1, 1, 0, 2, 3, 0]),
    ]);
    assert_eq!(body, want);
}

#[test]
fn opens_and_locks() {
    let attrs = SettableAttrs {
        mode: Some(0o644),
        size: Some(0),
        ..SettableAttrs::default()
    };
    let mut values = Writer::new();
    attrs.encode_values(&mut values);
    let createattrs = FattrRaw {
        mask: attrs.mask(),
        values: values.as_slice(),
    };
    let open = args::Open {
        seqid: 0,
        share_access: consts::OPEN4_SHARE_ACCESS_BOTH | consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: 0,
        owner: OWNER,
        openhow: args::OpenFlag::Create(args::CreateHow::Exclusive41 {
            verf: Verifier(*b"exclusiv"),
            attrs: createattrs,
        }),
        claim: args::OpenClaim::Null(b"file"),
    };
    let lock = args::Lock {
        locktype: LockType::WriteWait,
        reclaim: false,
        offset: 1 << 32,
        length: u64::MAX,
        locker: args::Locker::New(args::OpenToLockOwner {
            open_seqid: 3,
            open_stateid: STATEID,
            lock_seqid: 4,
            lock_owner: OWNER,
        }),
    };
    let write = args::Write {
        stateid: STATEID,
        offset: 1,
        stable: StableHow::FileSync,
        data: b"d",
    };
    let body = CompoundBuilder::body(b"", 1)
        .open(open)
        .lock(lock)
        .write(write)
        .finish();
    let want = message(&[
        Words(&[0, 1, 3]),
        Words(&[18, 0, 0x403, 0, 0x11, 0x22, 5]),
        Bytes(b"owner\0\0\0"),
        Words(&[1, 3]),
        Bytes(b"exclusiv"),
        Words(&[2, 1 << 4, 1 << 1, 12, 0, 0, 0o644]),
        Words(&[0, 4]),
        Bytes(b"file"),
        Words(&[12, 4, 0, 1, 0, 0xffff_ffff, 0xffff_ffff, 1, 3, 1]),
        Bytes(b"abcdefghijkl"),
        Words(&[4, 0x11, 0x22, 5]),
        Bytes(b"owner\0\0\0"),
        Words(&[38, 1]),
        Bytes(b"abcdefghijkl"),
        Words(&[0, 1, 2, 1]),
        Bytes(b"d\0\0\0"),
    ]);
    assert_eq!(body, want);
}

#[test]
fn a_reply() {
    let record = message(&[
        Words(&[0xabcd, 1, 0, 0, 0, 0]),
        Words(&[10_010, 0, 4]),
        Words(&[53, 0]),
        Bytes(b"0123456789abcdef"),
        Words(&[5, 6, 7, 8, 0x200]),
        Words(&[18, 0, 1]),
        Bytes(b"abcdefghijkl"),
        Words(&[1, 0, 10, 0, 11, 4, 1, 1 << 4, 3, 1, 1]),
        Words(&[26, 0]),
        Bytes(b"cookieve"),
        Words(&[1, 0, 3, 1]),
        Bytes(b"a\0\0\0"),
        Words(&[1, 1 << 1, 4, 2]),
        Words(&[0, 1]),
        Words(&[12, 10_010, 0, 1, 0, 2, 2, 0x11, 0x22, 5]),
        Bytes(b"owner\0\0\0"),
    ]);
    let mut reply = ReplyReader::parse(&record).unwrap();
    assert_eq!(reply.xid(), 0xabcd);
    let sequence = reply.sequence().unwrap();
    assert_eq!((sequence.slotid, sequence.target_highest_slotid), (6, 8));
    assert_eq!(
        sequence.status_flags,
        consts::SEQ4_STATUS_CB_PATH_DOWN_SESSION
    );
    let open = reply.open().unwrap();
    assert_eq!(
        (open.stateid, open.rflags),
        (STATEID, consts::OPEN4_RESULT_LOCKTYPE_POSIX)
    );
    assert_eq!(
        (open.cinfo.before, open.cinfo.after, open.attrset),
        (10, 11, Bitmap::of(&[4]))
    );
    let why = res::NoDelegation::Contention(true);
    assert_eq!(open.delegation, res::OpenDelegation::NoneExt(why));
    let readdir = reply.readdir().unwrap();
    let entries: Vec<_> = readdir
        .entries
        .iter()
        .map(|entry| (entry.cookie, entry.name))
        .collect();
    assert_eq!((entries, readdir.eof), (vec![(3, &b"a"[..])], true));
    let denied = reply.next_result().unwrap().unwrap();
    let mut w = Writer::new();
    denied.encode(&mut w);
    assert!(record.ends_with(w.as_slice()));
    assert_eq!(denied.status(), nfs4_proto::nfs4::Status::DENIED);
    assert_eq!(reply.next_result(), Ok(None));
}
