//! Several names of one object.

use nfs4_engine::fs::{FsError, NewNode};

use super::stage::{Stage, runs};
use super::subject::Subject;

/// An object has the names that it is given, and lives until it has none.
pub fn an_object_lives_until_its_last_name<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    if !runs(user.fs.capabilities().hard_links, "there are no hard links") {
        return;
    }
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(top, "f").unwrap();
    user.write(file, 0, b"bytes").unwrap();
    let before = user.attrs(file).unwrap();
    assert_eq!(before.links, 1);
    user.at(2000).link(file, dir, "g").unwrap();
    let attrs = user.attrs(file).unwrap();
    assert_eq!((attrs.links, attrs.fileid), (2, before.fileid));
    assert!(attrs.change > before.change, "a name is an attribute");
    user.is_stamped(attrs.changed, 2000);
    assert_eq!(
        (user.lookup(top, "f"), user.lookup(dir, "g")),
        (Ok(file), Ok(file))
    );
    user.at(3000).remove(top, "f").unwrap();
    let after = user.attrs(file).unwrap();
    assert_eq!(after.links, 1);
    assert!(after.change > attrs.change);
    user.is_stamped(after.changed, 3000);
    user.is_stamped(user.attrs(top).unwrap().modified, 3000);
    assert_eq!(user.read(file), "bytes");
    user.remove(dir, "g").unwrap();
    user.is_gone(file);
    stage.end();
}

/// A link may be linked as well, itself and not its target; and what is no file.
pub fn objects_of_other_types_are_linked<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let can = user.fs.capabilities();
    if !runs(can.hard_links, "there are no hard links") {
        return;
    }
    let mut made = Vec::new();
    if can.symlinks {
        made.push(user.symlink(top, "link", "nowhere").unwrap());
    }
    if stage.traits.special_files {
        made.push(user.make(top, "fifo", NewNode::Fifo).unwrap());
        made.push(user.make(top, "socket", NewNode::Socket).unwrap());
    }
    for (at, fh) in made.into_iter().enumerate() {
        match user.link(fh, top, at.to_string()) {
            Ok(_) => {
                assert_eq!(user.lookup(top, at.to_string()), Ok(fh));
                assert_eq!(user.attrs(fh).unwrap().links, 2);
            }
            Err(error) => assert_eq!(error, FsError::NotSupported),
        }
    }
    stage.end();
}

/// A directory has one name, and only directories have names in them.
pub fn what_cannot_be_linked_is_not<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    if !runs(user.fs.capabilities().hard_links, "there are no hard links") {
        return;
    }
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(top, "f").unwrap();
    assert_eq!(user.link(top, top, "loop"), Err(FsError::IsDirectory));
    assert_eq!(user.link(dir, top, "other"), Err(FsError::IsDirectory));
    assert_eq!(user.link(dir, dir, "loop"), Err(FsError::IsDirectory));
    assert_eq!(user.link(file, file, "x"), Err(FsError::NotDirectory));
    assert_eq!(user.link(file, top, "f"), Err(FsError::Exists));
    let attrs = user.attrs(file).unwrap();
    assert_eq!(attrs.links, 1);
    user.remove(top, "f").unwrap();
    user.is_gone(file);
    assert_eq!(user.link(file, top, "f"), Err(FsError::Stale));
    assert_eq!(user.names(top), ["d"]);
    stage.end();
}

/// A file that is held and has lost its last name gets no new one.
pub fn a_file_without_a_name_gets_no_new_one<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    if !runs(user.fs.capabilities().hard_links, "there are no hard links") {
        return;
    }
    let file = user.hold(top, "f").unwrap();
    user.remove(top, "f").unwrap();
    assert_eq!(user.link(file, top, "g"), Err(FsError::NotFound));
    assert!(user.names(top).is_empty());
    user.fs.release(file);
    user.is_gone(file);
    stage.end();
}

/// Where the links of directories are counted: one from above, its own, and one from each in it.
pub fn links_of_directories_are_counted<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    if !runs(
        stage.traits.counts_directories,
        "links of directories are not counted",
    ) {
        return;
    }
    let (user, top) = (&stage.user, stage.user.top());
    let links = |fh| user.attrs(fh).unwrap().links;
    assert_eq!(links(top), 2);
    let (a, b) = (user.mkdir(top, "a").unwrap(), user.mkdir(top, "b").unwrap());
    user.mkdir(a, "c").unwrap();
    user.touch(a, "f").unwrap();
    assert_eq!([top, a, b].map(links), [4, 3, 2]);
    user.rename((a, "c"), (b, "c")).unwrap();
    assert_eq!([top, a, b].map(links), [4, 2, 3]);
    user.rename((b, "c"), (top, "a")).err().unwrap();
    user.remove(a, "f").unwrap();
    user.rename((b, "c"), (top, "a")).unwrap();
    assert_eq!([top, b].map(links), [4, 2]);
    user.remove(top, "a").unwrap();
    user.remove(top, "b").unwrap();
    assert_eq!(links(top), 2);
    stage.end();
}
