//! Requests that cannot be done: each is refused with an error that it may have, and leaves no trace.
//! That an error is one of those of its request is checked with every answer.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::driver::FsCall;
use nfs4_engine::fs::{
    AccessMask, Authority, Creation, DirWriter, FsError, FsHandle, FsOp, NewNode, OpenHow, Payload,
    SetAttrs, Stability, Target, Want,
};

use super::stage::Stage;
use super::subject::Subject;
use super::user::{User, bytes};

/// Every kind of request, for this object.
fn all_of(user: &User, fh: FsHandle) -> Vec<FsOp> {
    let can = user.fs.capabilities();
    let (authority, set) = (Authority::Credential, SetAttrs::default());
    let name = || bytes("name");
    vec![
        FsOp::GetAttrs {
            fh,
            want: Want::ATTRS,
        },
        FsOp::SetAttrs {
            fh,
            set: set.with(|set| set.size = Some(1)),
            authority,
        },
        FsOp::SetAttrs {
            fh,
            set: set.with(|set| set.mode = Some(0o700)),
            authority,
        },
        FsOp::Access {
            fh,
            mask: AccessMask(0x3f),
        },
        FsOp::Lookup {
            dir: fh,
            name: name(),
            want: Want::ATTRS,
        },
        FsOp::LookupParent {
            dir: fh,
            want: Want::ATTRS,
        },
        FsOp::ReadDir {
            dir: fh,
            cookie: 0,
            entries: DirWriter::of_probe(4096, 0, can).unwrap(),
        },
        FsOp::ReadLink { fh },
        FsOp::Read {
            fh,
            offset: 0,
            count: 10,
            authority,
            payload: Payload::new(),
        },
        FsOp::Write {
            fh,
            offset: 0,
            data: Bytes::from_static(b"x"),
            stability: Stability::File,
            authority,
        },
        FsOp::Commit {
            fh,
            offset: 0,
            count: 0,
        },
        FsOp::Create {
            dir: fh,
            name: name(),
            node: NewNode::Directory,
            set,
        },
        FsOp::Create {
            dir: fh,
            name: name(),
            node: NewNode::Symlink(name()),
            set,
        },
        FsOp::Create {
            dir: fh,
            name: name(),
            node: NewNode::Fifo,
            set,
        },
        FsOp::Open {
            target: Target::Name {
                dir: fh,
                name: name(),
            },
            how: OpenHow::new(true, true, Creation::Unchecked(set)),
        },
        FsOp::Open {
            target: Target::Handle(fh),
            how: OpenHow::new(true, true, Creation::No),
        },
        FsOp::Link {
            fh,
            dir: user.top(),
            name: name(),
        },
        FsOp::Link {
            fh: user.top(),
            dir: fh,
            name: name(),
        },
        FsOp::Remove {
            dir: fh,
            name: name(),
        },
        FsOp::Rename {
            from_dir: fh,
            from: name(),
            to_dir: user.top(),
            to: name(),
        },
        FsOp::Rename {
            from_dir: user.top(),
            from: name(),
            to_dir: fh,
            to: name(),
        },
    ]
}

/// Every request on an object that is gone says so.
pub fn what_is_gone_is_stale_to_every_request<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let (file, dir) = (user.touch(top, "f").unwrap(), user.mkdir(top, "d").unwrap());
    user.remove(top, "f").unwrap();
    user.remove(top, "d").unwrap();
    for fh in [file, dir] {
        for op in all_of(user, fh) {
            // The other object of this one is a directory, or there is no such name.
            let lenient = matches!(op.call(), FsCall::Link | FsCall::Rename);
            let asked = format!("{op:?}");
            match user.ask(op) {
                Err(FsError::Stale) => {}
                Err(FsError::IsDirectory | FsError::NotFound | FsError::NotDirectory)
                    if lenient => {}
                other => panic!("{asked}: {other:?}"),
            }
        }
    }
    assert!(user.names(top).is_empty());
    stage.end();
}

/// Every request on an object of any type is answered with a success or an error that it may have.
pub fn every_request_meets_every_type<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let can = user.fs.capabilities();
    let mut kinds: Vec<fn() -> Option<NewNode>> = vec![|| None, || Some(NewNode::Directory)];
    if can.symlinks {
        kinds.push(|| Some(NewNode::Symlink(bytes("target"))));
    }
    if stage.traits.special_files {
        kinds.push(|| Some(NewNode::Fifo));
        kinds.push(|| Some(NewNode::Socket));
    }
    for kind in kinds {
        let count = all_of(user, top).len();
        for at in 0..count {
            let fh = match kind() {
                None => user.touch(top, "it").unwrap(),
                Some(node) => user.make(top, "it", node).unwrap(),
            };
            let op = all_of(user, fh).swap_remove(at);
            let opens = matches!(op, FsOp::Open { .. });
            if let Ok(nfs4_engine::fs::FsReply::Opened(opened)) = user.ask(op) {
                assert!(opens);
                user.fs.release(opened.fh);
            }
            user.raze(top);
        }
    }
    stage.end();
}

/// A creation that is refused because of its attributes makes nothing.
pub fn what_is_refused_leaves_no_trace<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    user.settle();
    let before = user.attrs(top).unwrap();
    let set = SetAttrs::default().with(|set| set.size = Some(u64::MAX));
    let opened = user.open_name(top, "f", Creation::Guarded(set));
    let refused = matches!(opened, Err(FsError::TooLarge | FsError::Invalid));
    assert!(refused, "{opened:?}");
    assert_eq!(user.lookup(top, "f"), Err(FsError::NotFound));
    assert_eq!(user.attrs(top).map(|attrs| attrs.change), Ok(before.change));
    stage.end();
}
