use super::*;

#[test]
fn written_bytes_take_free_space_until_they_are_removed() {
    let user = root();
    let before = user.used();
    let file = user.touch(user.top(), "f").unwrap();
    for i in 0..10 * MIB / 4096 {
        user.write(file, i * 4096, &[1; 4096]).unwrap();
    }
    let stat = user.fs.space.stat();
    assert_eq!(stat.space_total, 64 * MIB);
    let taken = user.used() - before;
    assert!((10 * MIB..11 * MIB).contains(&taken), "{taken}");
    assert_eq!(user.attrs(file).unwrap().space_used, 10 * MIB);
    user.remove(user.top(), "f").unwrap();
    assert_eq!(user.used(), before);
    check_invariants(&user.fs);
}

#[test]
fn an_open_of_a_file_that_was_just_removed_is_stale() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    // A request found the file just before it was removed.
    let inode = user.fs.inode(&file).unwrap();
    user.remove(user.top(), "f").unwrap();
    let held = user
        .fs
        .hold(&inode, false, DirChange::default(), |_| Ok(()));
    assert_eq!(held.err(), Some(FsError::Stale));
}

#[test]
fn a_write_that_does_not_fit_leaves_no_trace() {
    let user = with_capacity(MIB);
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &[1; 600_000]).unwrap();
    let (attrs, used) = (user.attrs(file).unwrap(), user.used());
    assert_eq!(
        user.write(file, 599_999, &[2; 600_000]),
        Err(FsError::NoSpace)
    );
    assert_eq!((user.attrs(file).unwrap(), user.used()), (attrs, used));
    assert_eq!(user.read(file), [1; 600_000][..]);
    // Existing bytes can be overwritten.
    user.write(file, 0, &[3; 600_000]).unwrap();
    check_invariants(&user.fs);
}

#[test]
fn names_links_and_targets_take_space() {
    let user = with_capacity(16 * 1024);
    let top = user.top();
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(top, "f").unwrap();
    let mut made = 0;
    while user.touch(dir, &format!("file {made}")).is_ok() {
        made += 1;
    }
    assert!((15..40).contains(&made), "{made}");
    while user.link(file, dir, &format!("link {made}")).is_ok() {
        made += 1;
    }
    let (used, attrs) = (user.used(), user.attrs(dir).unwrap());
    let long = "x".repeat(200);
    assert_eq!(user.link(file, dir, &long), Err(FsError::NoSpace));
    assert_eq!(user.mkdir(dir, &long), Err(FsError::NoSpace));
    assert_eq!(
        user.make(dir, &long, NewNode::Symlink(bytes("t"))),
        Err(FsError::NoSpace)
    );
    assert_eq!(
        user.rename((top, "f"), (dir, &long)).err(),
        Some(FsError::NoSpace)
    );
    assert_eq!((user.used(), user.attrs(dir).unwrap()), (used, attrs));
    check_invariants(&user.fs);
    for name in user.names(dir) {
        user.remove(dir, &name).unwrap();
    }
    check_invariants(&user.fs);
    user.mkdir(dir, &long).unwrap();
}

#[test]
fn a_hundred_thousand_tiny_files_are_cheap() {
    let user = with_capacity(150 * MIB);
    let dir = user.mkdir(user.top(), "d").unwrap();
    for i in 0..100_000 {
        let file = user.touch(dir, &i.to_string()).unwrap();
        user.write(file, 0, b"tiny").unwrap();
    }
    let per_file = user.used() / 100_000;
    assert!(per_file < 1500, "{per_file}");
    let free = user.fs.space.stat().files_free;
    assert_eq!(free, user.fs.space.stat().space_free / INODE_COST);
}
