//! Writes the committed seeds of all targets, with the client's codec:
//! `cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example seeds`.
//!
//! What a fuzzer finds is committed beside them, under a name that says what it was.

use std::path::Path;

use nfs4_proto::client::{CallCredential, CompoundBuilder, null_call};
use nfs4_proto::nfs4::any::{ArgOp, CbArgOp, CbResOp, ResOp};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::{AttrValue, Bitmap, FattrRaw, num};
use nfs4_proto::nfs4::basic::{ClientId, Owner, SessionId, StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::{CbOp, Op, OpNum};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::sample::{Sample, Tape};
use nfs4_proto::xdr::{List, Writer};
use nfs4_tests::fuzzing::wire::Frame;
use nfs4_tests::sim::Rng;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("record_marking", streams()),
        ("rpc_header", records()),
        ("compound", compounds()),
        ("callback", callbacks()),
        ("attributes", attributes()),
        ("engine_ops", choices()),
        ("engine_wire", frames()),
    ] {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder).expect("the repository can be written");
        for (name, data) in seeds {
            std::fs::write(folder.join(name), data).expect("the repository can be written");
        }
    }
}

type Seeds = Vec<(String, Vec<u8>)>;

fn named<const N: usize>(seeds: [(&str, Vec<u8>); N]) -> Seeds {
    seeds.map(|(name, data)| (name.to_owned(), data)).into()
}

/// Every operation, some to a message: `head` and their number, and each as `sample` makes it.
fn every(name: &str, head: &[u32], ops: &[&str], sample: fn(&mut Tape<'_>, &mut Writer)) -> Seeds {
    let mut seeds = Seeds::new();
    for first in (0..ops.len()).step_by(TOGETHER) {
        let count = TOGETHER.min(ops.len() - first);
        let mut w = Writer::new();
        w.raw(&words(head));
        w.u32(count as u32);
        for op in first..first + count {
            let choices = [&[op as u8][..], &[3, 130, 1, 5, 2, 1, 7].repeat(12)].concat();
            sample(&mut Tape::new(&choices), &mut w);
        }
        let from = ops[first].to_lowercase();
        let to = ops[first + count - 1].to_lowercase();
        seeds.push((format!("{name}_{from}_to_{to}"), w.into_vec()));
    }
    seeds
}

fn callbacks() -> Seeds {
    let names: Vec<_> = CbOp::ALL.iter().map(|op| op.name()).collect();
    let mut seeds = every("arguments", &[0, 1, 0], &names, CbArgOp::sample);
    seeds.extend(every("results", &[0, 0], &names, CbResOp::sample));
    seeds.extend(named([
        ("refused", words(&[10_008, 0, 1, 11, 10_008])),
        ("more_counted_than_there", words(&[0, 0, u32::MAX, 4, 0])),
    ]));
    seeds
}

/// Every attribute alone, behind its number; and sets of them.
fn attributes() -> Seeds {
    let alone = num::ALL.iter().map(|info| {
        let mut w = Writer::new();
        let choices = [3, 130, 1, 5, 2, 1, 7].repeat(12);
        AttrValue::sample_value(info.number, &mut Tape::new(&choices), &mut w);
        let data = [&[info.number as u8][..], w.as_slice()].concat();
        (format!("alone_{}", info.name), data)
    });
    let mut seeds: Seeds = alone.collect();
    seeds.extend(named([
        ("none", words(&[0, 0])),
        ("of_no_attribute", words(&[3, 0, 0, 1 << 31, 4, 0])),
        ("beyond_all", words(&[4, 0, 0, 0, 1, 0])),
        ("longer_than_its_values", words(&[1, 1 << 4, 12, 0, 7, 0])),
        ("bitmap_too_long", words(&[257, 0])),
    ]));
    seeds
}

/// What clients of `engine_wire` send, and what happens beside.
fn frames() -> Seeds {
    let play = |frames: &[Frame<'_>]| {
        let mut data = Vec::new();
        frames.iter().for_each(|frame| frame.put(&mut data));
        data
    };
    let deed = |control, arg| Frame {
        control,
        arg,
        payload: &[],
    };
    let listing = sequenced().finish();
    let listing = Frame::record(0, &listing[4..]);
    let in_pieces = Frame {
        control: Frame::PIECES | Frame::FRAGMENTS,
        arg: 7,
        ..listing
    };
    named([
        ("one_record", play(&[listing])),
        ("fragments_in_pieces", play(&[in_pieces, in_pieces])),
        ("late_files", play(&[deed(24, 0), listing, deed(24, 1)])),
        ("wrong_files", play(&[deed(24, 0), listing, deed(24, 4)])),
        ("leases_end", play(&[listing, deed(16, 255), listing])),
        ("reconnected", play(&[listing, deed(20, 0), listing])),
        ("drained", play(&[deed(28, 0), listing])),
        ("evicted", play(&[deed(28, 5), listing])),
        ("reads_nothing", play(&[deed(28, 2), listing, listing])),
        ("touched", play(&[deed(28, 0x0b), deed(28, 0x1b)])),
    ])
}

/// Choices by chance, as many as two dozen steps take.
fn choices() -> Seeds {
    ["one", "two", "three", "four"]
        .into_iter()
        .zip(1..)
        .map(|(name, seed)| {
            let mut chance = Rng::new(seed);
            (
                name.to_owned(),
                (0..256).map(|_| chance.next_u64() as u8).collect(),
            )
        })
        .collect()
}

/// What a connection reads, marks and fragments, after the number of sizes of its pieces, and these.
fn streams() -> Seeds {
    let call = sequenced().finish();
    let two = [null_call(1, &sys()), call.clone()].concat();
    let streams = vec![
        ("one_fragment", call.clone()),
        ("three_fragments", fragments(&call[4..], 3)),
        (
            "every_byte_a_fragment",
            fragments(&null_call(1, &CallCredential::None)[4..], 40),
        ),
        (
            "empty_fragments",
            [&[0; 8][..], &[0x80, 0, 0, 0], &call].concat(),
        ),
        ("two_records", two),
        ("cut_short", call[..call.len() - 5].to_vec()),
        ("mark_cut_short", vec![0x80, 0]),
        ("longest_mark", vec![0xff; 12]),
        (
            "http",
            b"GET / HTTP/1.1\r\nHost: files.example\r\n\r\n".to_vec(),
        ),
    ];
    let in_pieces = |(name, stream): (&str, _)| (name.to_owned(), [vec![2, 7, 0], stream].concat());
    streams.into_iter().map(in_pieces).collect()
}

/// What a record holds: RPC calls, and what is none.
fn records() -> Seeds {
    let body = |record: Vec<u8>| record[4..].to_vec();
    let mut reply = null_call(1, &CallCredential::None)[4..12].to_vec();
    reply[7] = 1;
    reply.extend([0; 16]);
    named([
        ("null_auth_none", body(null_call(1, &CallCredential::None))),
        ("null_auth_sys", body(null_call(2, &sys()))),
        ("compound", body(sequenced().finish())),
        ("reply", reply),
        (
            "cut_in_credential",
            body(null_call(3, &sys()))[..30].to_vec(),
        ),
        (
            "credential_too_long",
            words(&[4, 0, 2, 100_003, 4, 1, 1, 401]),
        ),
        (
            "other_program",
            words(&[5, 0, 2, 100_005, 3, 0, 0, 0, 0, 0]),
        ),
        (
            "rpc_version_3",
            words(&[6, 0, 3, 100_003, 4, 1, 0, 0, 0, 0]),
        ),
    ])
}

/// The arguments of COMPOUNDs.
fn compounds() -> Seeds {
    let body = || CompoundBuilder::body(b"", 1);
    let attributes = Bitmap::of(&[0, 1, 3, 4, 8, 19, 20, 33, 35, 36, 37, 45, 47, 52, 53, 55]);
    let stateid = Stateid {
        seqid: 1,
        other: [7; 12],
    };
    let names: Vec<_> = Op::ALL.iter().map(|op| op.name()).collect();
    let mut seeds = every("arguments", &[0, 2], &names, ArgOp::sample);
    seeds.extend(every("results", &[0, 0], &names, ResOp::sample));
    seeds.extend(named([
        ("empty", CompoundBuilder::body(b"tag", 1).finish()),
        ("sequence", body().sequence(sequence()).finish()),
        ("exchange_id", body().exchange_id(exchange_id()).finish()),
        (
            "create_session",
            body().create_session(create_session()).finish(),
        ),
        (
            "lookup_getattr",
            body()
                .sequence(sequence())
                .putrootfh()
                .lookup(args::Lookup { objname: b"home" })
                .getfh()
                .getattr(args::GetAttr {
                    attr_request: attributes,
                })
                .finish(),
        ),
        (
            "open_create",
            body()
                .sequence(sequence())
                .putfh(args::PutFh { object: &[3; 28] })
                .open(open(attributes))
                .getfh()
                .finish(),
        ),
        (
            "write_read_close",
            body()
                .sequence(sequence())
                .putfh(args::PutFh { object: &[3; 28] })
                .write(args::Write {
                    stateid,
                    offset: 1,
                    stable: StableHow::FileSync,
                    data: b"hello",
                })
                .read(args::Read {
                    stateid,
                    offset: 0,
                    count: 4096,
                })
                .close(args::Close {
                    seqid: 0,
                    open_stateid: stateid,
                })
                .finish(),
        ),
        (
            "readdir",
            body()
                .sequence(sequence())
                .putrootfh()
                .readdir(args::ReadDir {
                    cookie: 0,
                    cookieverf: Verifier([0; 8]),
                    dircount: 4096,
                    maxcount: 32_768,
                    attr_request: attributes,
                })
                .finish(),
        ),
        (
            "unknown_operation",
            body().raw(OpNum(9_999), &[0xff; 8]).finish(),
        ),
        (
            "more_counted_than_there",
            body().putrootfh().set_count(u32::MAX).finish(),
        ),
        (
            "minor_version_0",
            CompoundBuilder::body(b"", 0).putrootfh().getfh().finish(),
        ),
        ("tag_longer_than_the_rest", words(&[u32::MAX, 1, 0])),
        ("garbage", (0..=255).rev().collect()),
    ]));
    seeds
}

fn sequenced() -> CompoundBuilder {
    let mut call = CompoundBuilder::call(7, &sys(), b"", 1);
    call.sequence(sequence()).putrootfh().getfh();
    call
}

fn sys() -> CallCredential<'static> {
    CallCredential::Sys(AuthSys {
        stamp: 1,
        machinename: b"client.example",
        uid: 1000,
        gid: 100,
        gids: List::new(&[100, 27]),
    })
}

fn sequence() -> args::Sequence {
    args::Sequence {
        sessionid: SessionId([5; 16]),
        sequenceid: 1,
        slotid: 0,
        highest_slotid: 63,
        cachethis: true,
    }
}

fn exchange_id() -> args::ExchangeId<'static> {
    args::ExchangeId {
        clientowner: args::ClientOwner {
            verifier: Verifier([1; 8]),
            ownerid: b"Linux NFSv4.1 x",
        },
        flags: 0x101,
        state_protect: args::StateProtect::None,
        client_impl_id: None,
    }
}

fn create_session() -> args::CreateSession<'static> {
    let channel = args::ChannelAttrs {
        headerpadsize: 0,
        maxrequestsize: 1 << 20,
        maxresponsesize: 1 << 20,
        maxresponsesize_cached: 4096,
        maxoperations: 8,
        maxrequests: 64,
        rdma_ird: None,
    };
    args::CreateSession {
        clientid: ClientId(1),
        sequence: 1,
        flags: 2,
        fore_chan_attrs: channel,
        back_chan_attrs: channel,
        cb_program: 0x4000_0000,
        sec_parms: List::new(&[args::CallbackSecParms::None]),
    }
}

fn open(attributes: Bitmap) -> args::Open<'static> {
    args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(1),
            owner: b"open id",
        },
        openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw {
            mask: attributes,
            values: &[0, 0, 1, 0xa4],
        })),
        claim: args::OpenClaim::Null(b"file"),
    }
}

/// The record in `count` fragments of one size, the last with what is left.
fn fragments(record: &[u8], count: usize) -> Vec<u8> {
    let size = record.len().div_ceil(count);
    let mut stream = Vec::new();
    let mut left = record;
    while !left.is_empty() {
        let (fragment, rest) = left.split_at(size.min(left.len()));
        let last = if rest.is_empty() { 1 << 31 } else { 0 };
        stream.extend((last | fragment.len() as u32).to_be_bytes());
        stream.extend(fragment);
        left = rest;
    }
    stream
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Operations to a message.
const TOGETHER: usize = 8;
