//! What is taken back of a request that fails, after others have used it.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Authority, Backend as _, Creation, Credential, FsHandle, FsOp, FsReply, NewNode, OpenHow,
    SetAttrs, Stability, Target,
};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::super::caller::Caller;
use super::super::stat::stat;
use super::super::taken_back::Made;
use super::{Scene, now};

/// Makes a file with four zeros.
fn make_file(scene: &Scene) -> FsHandle {
    let set = SetAttrs::default().with(|set| set.size = Some(4));
    let target = Target::Name {
        dir: scene.root(),
        name: Bytes::from_static(b"made"),
    };
    let how = OpenHow::new(true, true, Creation::Guarded(set));
    let reply = scene.ask(FsOp::Open { target, how }).unwrap();
    let FsReply::Opened(opened) = reply else {
        panic!("{reply:?}");
    };
    scene.files.release(opened.fh);
    opened.fh
}

fn make(scene: &Scene, node: NewNode) -> FsHandle {
    let op = FsOp::Create {
        dir: scene.root(),
        name: Bytes::from_static(b"made"),
        node,
        set: SetAttrs::default(),
    };
    match scene.ask(op).unwrap() {
        FsReply::Created { fh, .. } => fh,
        other => panic!("{other:?}"),
    }
}

/// Takes back what was made after `use_it`, and returns whether it is gone.
fn is_taken_back(scene: &Scene, fh: FsHandle, use_it: impl FnOnce(&Path)) -> bool {
    let shared = &scene.files.shared;
    let node = shared.node(&fh).unwrap();
    let made = Made::of(&stat(node.as_fd(), AtFlags::empty()).unwrap());
    use_it(&scene.path("made"));
    let dir = shared.root_node().unwrap();
    shared.take_back(&caller(), (&dir, b"made"), &made);
    let is_gone = fs::symlink_metadata(scene.path("made")).is_err();
    let left: Vec<_> = fs::read_dir(scene.path("")).unwrap().collect();
    let aside = left
        .iter()
        .flatten()
        .find(|entry| entry.file_name().as_encoded_bytes().starts_with(b".nfs4-"));
    assert!(aside.is_none(), "{left:?}");
    is_gone
}

/// NFS, 9P and older systems move nothing only to a name that is free.
#[test]
fn what_was_made_is_taken_back_where_nothing_is_moved_only_to_a_free_name() {
    let scene = Scene::new("moved nowhere");
    let shared = &scene.files.shared;
    let dir = shared.root_node().unwrap();
    for refusal in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
        let take_back = |fh, use_it: fn(&Path)| {
            let node = shared.node(&fh).unwrap();
            let made = Made::of(&stat(node.as_fd(), AtFlags::empty()).unwrap());
            use_it(&scene.path("made"));
            shared.take_back_by((&dir, b"made"), &made, &caller(), |_, _| Err(refusal));
            fs::symlink_metadata(scene.path("made")).is_err()
        };
        assert!(take_back(make_file(&scene), |_| ()), "{refusal}");
        let directory = make(&scene, NewNode::Directory);
        assert!(take_back(directory, |_| ()), "{refusal}");
        let writes: fn(&Path) = |path| write_at_once(path, b"more", 4);
        assert!(!take_back(make_file(&scene), writes), "{refusal}");
        fs::remove_file(scene.path("made")).unwrap();
    }
}

fn caller() -> Caller {
    Caller {
        cred: Arc::new(Credential::sys(0, 0, &[])),
        now: now(),
    }
}

fn write_at_once(path: &Path, bytes: &[u8], offset: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn what_others_have_used_is_not_taken_back() {
    let scene = Scene::new("used");
    let program = |use_it: fn(&Path)| is_taken_back(&scene, make_file(&scene), use_it);
    assert!(program(|_| ()));
    assert!(
        program(|path| drop(File::open(path).unwrap())),
        "it was read only"
    );
    assert!(!program(|path| write_at_once(path, b"more", 4)));
    assert_eq!(fs::read(scene.path("made")).unwrap(), b"\0\0\0\0more");
    fs::remove_file(scene.path("made")).unwrap();
    assert!(!program(|path| write_at_once(path, b"over", 0)));
    assert_eq!(fs::read(scene.path("made")).unwrap(), b"over");
    fs::remove_file(scene.path("made")).unwrap();
    assert!(!program(|path| fs::hard_link(
        path,
        path.with_file_name("other")
    )
    .unwrap()));
    fs::remove_file(scene.path("made")).unwrap();

    let open = |fh| {
        scene.ask(FsOp::Open {
            target: Target::Handle(fh),
            how: OpenHow::new(true, true, Creation::No),
        })
    };
    let fh = make_file(&scene);
    let is_gone = is_taken_back(&scene, fh, |_| {
        open(fh).unwrap();
        let write = FsOp::Write {
            fh,
            offset: 0,
            data: Bytes::from_static(b"safe"),
            stability: Stability::File,
            authority: Authority::Open,
        };
        scene.ask(write).unwrap();
        scene.files.release(fh);
    });
    assert!(!is_gone, "a client has written it and closed it");
    assert_eq!(fs::read(scene.path("made")).unwrap(), b"safe");
    fs::remove_file(scene.path("made")).unwrap();
    let fh = make_file(&scene);
    assert!(
        !is_taken_back(&scene, fh, |_| drop(open(fh).unwrap())),
        "it is open"
    );
    scene.files.release(fh);
}

#[test]
fn a_directory_is_taken_back_unless_something_is_in_it_and_a_link_unless_it_has_another_name() {
    let scene = Scene::new("used directory");
    let directory = || make(&scene, NewNode::Directory);
    assert!(is_taken_back(&scene, directory(), |_| ()));
    assert!(!is_taken_back(&scene, directory(), |path| fs::write(
        path.join("f"),
        ""
    )
    .unwrap()));
    assert!(scene.path("made/f").exists());
    fs::remove_dir_all(scene.path("made")).unwrap();
    let link = || make(&scene, NewNode::Symlink(Bytes::from_static(b"target")));
    assert!(is_taken_back(&scene, link(), |_| ()));
    let name = |path: &Path| fs::hard_link(path, path.with_file_name("other")).unwrap();
    assert!(!is_taken_back(&scene, link(), name));
}
