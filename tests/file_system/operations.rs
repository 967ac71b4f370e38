//! What a file system without optional methods answers, and what an incomplete one does.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Caller, Data, Entries, FileSystem, FsError, FsHandle, Permissions, SetAttrs, Stability,
    Written,
};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, ClientId, FattrRaw, Owner, StableHow, Stateid, Status, Verifier};
use nfs4_tests::live::{CLOSE, Client};
use nfs4_tests::tree::{Smallest, TreeFs};

use crate::served::{Polled, Served, Set, results, status, walk};

fn open(share_access: u32, openhow: OpenFlag<'static>, name: &'static [u8]) -> args::Open<'static> {
    args::Open {
        seqid: 0,
        share_access,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"owner",
        },
        openhow,
        claim: OpenClaim::Null(name),
    }
}

type Build = fn(&mut CompoundBuilder) -> &mut CompoundBuilder;

const CREATE: OpenFlag<'static> = OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY));
const READ: args::Read = args::Read {
    stateid: Stateid::ANONYMOUS,
    offset: 0,
    count: 100,
};

on_all!(a_file_system_of_five_methods_is_read_only);

fn a_file_system_of_five_methods_is_read_only(on: Polled) {
    let operations: [(&str, Build, Status); 23] = [
        ("getattr", |c| walk(c, &["file"]).getattr(ALL), Status::OK),
        ("statfs", |c| walk(c, &[]).getattr(SPACE), Status::OK),
        ("lookup", |c| walk(c, &["file"]), Status::OK),
        ("lookup nothing", |c| walk(c, &["x"]), Status::NOENT),
        (
            "lookup in file",
            |c| walk(c, &["file", "x"]),
            Status::NOTDIR,
        ),
        ("lookupp", |c| walk(c, &[]).lookupp(), Status::NOENT),
        (
            "access",
            |c| walk(c, &[]).access(args::Access { access: 0x3f }),
            Status::OK,
        ),
        ("readdir", |c| walk(c, &[]).readdir(LIST), Status::OK),
        (
            "readdir file",
            |c| walk(c, &["file"]).readdir(LIST),
            Status::NOTDIR,
        ),
        ("read", |c| walk(c, &["file"]).read(READ), Status::OK),
        ("read dir", |c| walk(c, &[]).read(READ), Status::ISDIR),
        (
            "readlink",
            |c| walk(c, &["file"]).readlink(),
            Status::WRONG_TYPE,
        ),
        (
            "open",
            |c| {
                walk(c, &[])
                    .open(open(1, OpenFlag::NoCreate, b"file"))
                    .close(CLOSE)
            },
            Status::OK,
        ),
        (
            "open made",
            |c| walk(c, &[]).open(open(1, CREATE, b"file")).close(CLOSE),
            Status::OK,
        ),
        (
            "create",
            |c| walk(c, &[]).open(open(1, CREATE, b"new")),
            Status::ROFS,
        ),
        (
            "mkdir",
            |c| {
                walk(c, &[]).create(args::Create {
                    objtype: CreateType::Directory,
                    objname: b"new",
                    createattrs: FattrRaw::EMPTY,
                })
            },
            Status::ROFS,
        ),
        (
            "write",
            |c| {
                walk(c, &["file"]).write(args::Write {
                    stateid: Stateid::ANONYMOUS,
                    offset: 0,
                    stable: StableHow::Unstable,
                    data: b"bytes",
                })
            },
            Status::ROFS,
        ),
        (
            "commit",
            |c| {
                walk(c, &["file"]).commit(args::Commit {
                    offset: 0,
                    count: 0,
                })
            },
            Status::OK,
        ),
        (
            "commit dir",
            |c| {
                walk(c, &[]).commit(args::Commit {
                    offset: 0,
                    count: 0,
                })
            },
            Status::ISDIR,
        ),
        (
            "remove",
            |c| walk(c, &[]).remove(args::Remove { target: b"file" }),
            Status::ROFS,
        ),
        (
            "rename",
            |c| {
                walk(c, &[]).savefh().rename(args::Rename {
                    oldname: b"file",
                    newname: b"new",
                })
            },
            Status::ROFS,
        ),
        (
            "link",
            |c| walk(walk(c, &["file"]).savefh(), &[]).link(args::Link { newname: b"new" }),
            Status::NOTSUPP,
        ),
        (
            "open directory",
            |c| c.putrootfh().open(open(1, OpenFlag::NoCreate, b"x")),
            Status::NOENT,
        ),
    ];
    for permissions in [Permissions::ByMode, Permissions::Own] {
        let served = Served::start(on, Smallest(permissions));
        let mut user = served.client(1);
        for (name, build, expected) in operations {
            let expected = match (permissions, name) {
                // It checks no types where the default does nothing.
                (Permissions::Own, "commit dir") => Status::OK,
                (Permissions::Own, "lookup in file") => Status::NOENT,
                (Permissions::Own, "readlink") => Status::INVAL,
                _ => expected,
            };
            assert_eq!(user.in_session(build), expected, "{name} {permissions:?}");
        }
        let set = Set::mode(0o600);
        let change = args::SetAttr {
            stateid: Stateid::ANONYMOUS,
            obj_attributes: set.raw(),
        };
        let mut root = served.client(0);
        let changed = root.in_session(|c| walk(c, &["file"]).setattr(change));
        assert_eq!(changed, Status::ROFS);
        served.end([user, root]);
    }
}

/// What READ answers.
fn read(user: &mut Client, offset: u64, count: u32) -> Result<(Vec<u8>, bool), Status> {
    let read = args::Read {
        offset,
        count,
        ..READ
    };
    let reply = user.reply_to(|c| walk(c, &["file"]).read(read));
    let mut results = results(&reply);
    let status = results.status();
    while let Some(result) = results.next_result().unwrap() {
        if let ResOp::Read(Outcome::Ok(ok)) = result {
            return Ok((ok.data.to_vec(), ok.eof));
        }
    }
    Err(status)
}

/// A file whose answers are wrong in many ways.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Nothing,
    Short,
    TooMuch,
    Endless,
    ManyPieces,
    Attributes,
    Kind,
    WroteNothing,
    WroteTooMuch,
    LessDurable,
    UnknownError,
}

struct WrongFs(Wrong);

impl FileSystem for WrongFs {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(1)
    }

    async fn getattr(&self, _: Caller, node: FsHandle) -> Result<Attrs, FsError> {
        match (node.number()?, self.0) {
            (1, _) => Ok(Attrs::dir(1).with_mode(0o777)),
            (_, Wrong::Attributes) => Ok(Attrs::file(0, u64::MAX).with_mode(0o777)),
            (_, Wrong::UnknownError) => Err(FsError::NotEmpty),
            _ => Ok(Attrs::file(2, 10).with_mode(0o777)),
        }
    }

    async fn lookup(
        &self,
        caller: Caller,
        _: FsHandle,
        name: Bytes,
    ) -> Result<(FsHandle, Attrs), FsError> {
        let file = FsHandle::from_number(2);
        let attrs = match self.0 {
            Wrong::Kind => Attrs::dir(2),
            Wrong::Attributes | Wrong::UnknownError => self.getattr(caller, file).await?,
            _ => Attrs::file(2, 10),
        };
        match &name[..] {
            b"file" => Ok((file, attrs.with_mode(0o777))),
            _ => Err(FsError::NotFound),
        }
    }

    async fn readdir(&self, _: Caller, _: FsHandle, _: u64) -> Result<Entries, FsError> {
        Ok(Entries::all([]))
    }

    async fn read(&self, _: Caller, _: FsHandle, at: u64, count: u32) -> Result<Data, FsError> {
        let content = Bytes::from_static(b"0123456789");
        match self.0 {
            Wrong::Short => Ok(Data {
                eof: false,
                ..Data::part_of(&content, at, count.min(3))
            }),
            Wrong::TooMuch => Ok(Data::new(content, true)),
            Wrong::Endless => Ok(Data::default()),
            Wrong::ManyPieces => {
                let mut data = Data::default();
                (0..100).for_each(|_| data.payload.push(Bytes::from_static(b"x")));
                Ok(data)
            }
            _ => Ok(Data::part_of(&content, at, count)),
        }
    }

    async fn write(
        &self,
        _: Caller,
        _: FsHandle,
        _: u64,
        data: Bytes,
        stability: Stability,
    ) -> Result<Written, FsError> {
        let (count, stability) = match self.0 {
            Wrong::WroteNothing => (0, stability),
            Wrong::WroteTooMuch => (data.len() as u32 + 1, stability),
            Wrong::LessDurable => (data.len() as u32, Stability::Unstable),
            _ => (data.len() as u32, stability),
        };
        Ok(Written { count, stability })
    }

    async fn setattr(&self, _: Caller, _: FsHandle, _: SetAttrs) -> Result<Attrs, FsError> {
        Err(FsError::CrossDevice)
    }
}

on_all!(a_wrong_answer_costs_its_own_request);

fn a_wrong_answer_costs_its_own_request(on: Polled) {
    const FAULT: Status = Status::SERVERFAULT;
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"bytes",
    };
    for (wrong, reads, writes, opens) in [
        (Wrong::Nothing, Status::OK, Status::OK, Status::OK),
        (Wrong::Short, Status::OK, Status::OK, Status::OK),
        (Wrong::TooMuch, FAULT, Status::OK, Status::OK),
        (Wrong::Endless, FAULT, Status::OK, Status::OK),
        (Wrong::ManyPieces, FAULT, Status::OK, Status::OK),
        (Wrong::Kind, Status::OK, Status::OK, Status::ISDIR),
        (Wrong::WroteNothing, Status::OK, FAULT, Status::OK),
        (Wrong::WroteTooMuch, Status::OK, FAULT, Status::OK),
        (Wrong::LessDurable, Status::OK, FAULT, Status::OK),
    ] {
        let served = Served::start(on, WrongFs(wrong));
        let mut user = served.client(1);
        for _ in 0..2 {
            let status = read(&mut user, 2, 5).err().unwrap_or(Status::OK);
            assert_eq!(status, reads, "{wrong:?}");
            let status = user.in_session(|c| walk(c, &["file"]).write(write));
            assert_eq!(status, writes, "{wrong:?}");
            let open = open(1, OpenFlag::NoCreate, b"file");
            let status = user.in_session(|c| walk(c, &[]).open(open).close(CLOSE));
            assert_eq!(status, opens, "{wrong:?}");
        }
        served.end([user]);
    }
    for wrong in [Wrong::Attributes, Wrong::UnknownError] {
        let served = Served::start(on, WrongFs(wrong));
        let mut user = served.client(1);
        let status = user.in_session(|c| walk(c, &["file"]).getattr(ALL));
        assert!(!status.is_ok(), "{wrong:?}");
        assert_eq!(user.in_session(|c| walk(c, &[]).getattr(ALL)), Status::OK);
        served.end([user]);
    }
}

on_all!(reads_reach_the_end_of_the_file_and_say_so);

fn reads_reach_the_end_of_the_file_and_say_so(on: Polled) {
    let served = Served::start(on, WrongFs(Wrong::Nothing));
    let mut user = served.client(1);
    for (offset, count, bytes, eof) in [
        (0, 4, &b"0123"[..], false),
        (6, 4, b"6789", true),
        (6, 9, b"6789", true),
        (10, 1, b"", true),
        (u64::MAX - 1, 1, b"", true),
    ] {
        assert_eq!(read(&mut user, offset, count), Ok((bytes.to_vec(), eof)));
    }
    served.end([user]);
    let served = Served::start(on, WrongFs(Wrong::Short));
    let mut user = served.client(1);
    assert_eq!(read(&mut user, 0, 9), Ok((b"012".to_vec(), false)));
    served.end([user]);
}

#[test]
fn the_space_of_the_file_system_is_shown_and_names_that_are_too_long_refused() {
    let served = Served::start(Polled::ByThreads(1), TreeFs::new(0o777));
    let mut user = served.client(1);
    let reply = user.call(|c| walk(c, &[]).getattr(SPACE));
    let mut results = results(&reply);
    results.sequence().unwrap();
    results.putrootfh().unwrap();
    let shown = format!("{:?}", results.getattr().unwrap().obj_attributes);
    for space in [1_u64 << 28, 1 << 29, 1 << 30] {
        assert!(shown.contains(&space.to_string()), "{shown}");
    }
    let long = "x".repeat(256);
    assert_eq!(user.in_session(|c| walk(c, &[&long])), Status::NAMETOOLONG);
    user.open(&"x".repeat(255));
    user.close();
    served.end([user]);
}

#[test]
fn a_directory_says_how_it_changed() {
    let served = Served::start(Polled::OnTokio, TreeFs::new(0o777));
    let mut user = served.client(1);
    let mut last = None;
    for name in ["a", "b", "a"] {
        let reply = user.reply_to(|c| {
            let name = name.as_bytes();
            walk(c, &[]).open(args::Open {
                openhow: CREATE,
                claim: OpenClaim::Null(name),
                ..open(3, CREATE, b"")
            })
        });
        assert_eq!(status(&reply), Status::OK);
        let mut results = results(&reply);
        results.sequence().unwrap();
        results.putrootfh().unwrap();
        let change = results.open().unwrap().cinfo;
        assert_eq!(change.before, last.unwrap_or(change.before));
        assert_eq!(change.after > change.before, last.is_none() || name == "b");
        assert_eq!(change.atomic, change.after == change.before);
        last = Some(change.after);
    }
}

#[test]
fn an_exclusive_creation_is_repeated_by_its_client_only() {
    let served = Served::start(Polled::OnTokio, TreeFs::new(0o777));
    let (mut user, mut other) = (served.client(1), served.client(2));
    let exclusive = |verifier: u8, name| {
        let set = CreateHow::Exclusive41 {
            verf: Verifier([verifier; 8]),
            attrs: FattrRaw {
                mask: Bitmap::of(&[num::MODE]),
                values: &[0, 0, 0, 0],
            },
        };
        open(3, OpenFlag::Create(set), name)
    };
    let create = |user: &mut Client, verifier, name| {
        user.in_session(|c| walk(c, &[]).open(exclusive(verifier, name)).close(CLOSE))
    };
    assert_eq!(create(&mut user, 1, b"file"), Status::OK);
    // Its mode is 0, so only as the creation is it opened again.
    assert_eq!(create(&mut user, 1, b"file"), Status::OK);
    assert_eq!(create(&mut user, 2, b"file"), Status::EXIST);
    assert_eq!(create(&mut other, 1, b"file"), Status::ACCESS);
    assert_eq!(create(&mut other, 2, b"file"), Status::EXIST);
    served.end([user, other]);
}

const ALL: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[num::TYPE, num::CHANGE, num::SIZE, num::FILEID, num::OWNER]),
};
const SPACE: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[
        num::FILES_AVAIL,
        num::SPACE_AVAIL,
        num::SPACE_FREE,
        num::SPACE_TOTAL,
    ]),
};
const LIST: args::ReadDir = args::ReadDir {
    cookie: 0,
    cookieverf: Verifier([0; 8]),
    dircount: 4_096,
    maxcount: 4_096,
    attr_request: Bitmap::of(&[num::TYPE, num::SIZE]),
};
