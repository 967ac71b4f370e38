use super::*;

#[test]
fn handles_of_other_boots_and_of_removed_objects_are_stale() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let fileid = user.attrs(file).unwrap().fileid;
    user.remove(user.top(), "f").unwrap();
    assert_eq!(user.attrs(file), Err(FsError::Stale));
    // A new object takes its slot in the table, under another number.
    for i in 0..64 {
        let other = user.touch(user.top(), &i.to_string()).unwrap();
        assert_ne!(user.attrs(other).unwrap().fileid, fileid);
        assert_ne!(other, file);
    }
    assert_eq!(user.attrs(file), Err(FsError::Stale));
    let later = MemFs::new(MemFsConfig::new(43, MIB));
    assert_eq!(
        User {
            fs: Arc::new(later),
            ..user.clone()
        }
        .attrs(user.top()),
        Err(FsError::Stale)
    );
    assert_eq!(user.lookup(user.top(), "f"), Err(FsError::NotFound));
}

#[test]
fn a_handle_that_was_never_issued_is_refused() {
    let user = root();
    for forged in [&[1, 2, 3][..], &[0; 60], &[0, 0, 0, 42]] {
        let fh = FsHandle::new(forged).unwrap();
        assert_eq!(user.attrs(fh), Err(FsError::BadHandle));
    }
    let gone = user.touch(user.top(), "gone").unwrap();
    user.remove(user.top(), "gone").unwrap();
    let known: Vec<FsHandle> = (0..100)
        .map(|i| user.touch(user.top(), &i.to_string()).unwrap())
        .collect();
    let forge = |change: &dyn Fn(&mut [u8; 20]), fh: &FsHandle| {
        let mut bytes = fh.as_bytes().try_into().unwrap();
        change(&mut bytes);
        FsHandle::new(&bytes).unwrap()
    };
    // The handle of another boot is stale; other changes make it bad.
    let refused = |bit: usize| {
        if bit < 32 {
            Err(FsError::Stale)
        } else {
            Err(FsError::BadHandle)
        }
    };
    for fh in [&known[0], &gone, &user.top()] {
        for bit in 0..160 {
            let forged = forge(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8), fh);
            assert_eq!(user.attrs(forged), refused(bit), "bit {bit}");
        }
    }
    // A client with many handles cannot make another: neither their check words nor a guess are accepted.
    for fh in &known {
        let fileid = user.attrs(*fh).unwrap().fileid;
        assert_eq!(fh.as_bytes()[4..12], fileid.to_be_bytes());
        for other in known.iter().filter(|other| *other != fh) {
            let check = &other.as_bytes()[12..];
            let forged = forge(&|bytes| bytes[12..].copy_from_slice(check), fh);
            assert_eq!(user.attrs(forged), Err(FsError::BadHandle));
        }
        for guess in [0, 1, fileid, !fileid, u64::MAX] {
            let forged = forge(
                &|bytes| bytes[12..].copy_from_slice(&guess.to_be_bytes()),
                fh,
            );
            assert_eq!(user.attrs(forged), Err(FsError::BadHandle));
        }
    }
    // Two file systems share no handle, unless they have the same boot.
    let twins = [with_entropy([1; 16]), with_entropy([1; 16])];
    let stranger = with_entropy([2; 16]);
    assert_eq!(
        twins[0].attrs(twins[1].top()),
        twins[1].attrs(twins[1].top())
    );
    assert_eq!(stranger.attrs(twins[0].top()), Err(FsError::BadHandle));
    assert_eq!(root().attrs(user.top()), Err(FsError::BadHandle));
}

fn with_entropy(entropy: [u8; 16]) -> User {
    let config = MemFsConfig::new(42, MIB).with(|files| files.entropy = entropy);
    User {
        fs: Arc::new(MemFs::new(config)),
        ..root()
    }
}

#[test]
fn the_root_stays_and_has_no_parent() {
    let user = root();
    let attrs = user.attrs(user.top()).unwrap();
    assert!(attrs.fileid != 0 && attrs.links == 2);
    assert_eq!(user.parent(user.top()), Err(FsError::NotFound));
    let dir = user.mkdir(user.top(), "d").unwrap();
    assert_eq!(user.parent(dir), Ok(user.top()));
    assert_eq!(user.attrs(user.top()).unwrap().links, 3);
    user.remove(user.top(), "d").unwrap();
    assert_eq!(user.attrs(user.top()).unwrap().links, 2);
    assert_eq!(user.parent(dir), Err(FsError::Stale));
    assert_eq!(user.mkdir(dir, "x"), Err(FsError::Stale));
}

#[test]
fn names_are_any_bytes_up_to_a_length() {
    let user = root();
    let name = Bytes::from_static(b"\xff\xfe \n\x01");
    let set = SetAttrs::default();
    let op = FsOp::Create {
        dir: user.top(),
        name: name.clone(),
        node: NewNode::Socket,
        set,
    };
    user.ask(op).unwrap();
    let op = FsOp::Lookup {
        dir: user.top(),
        name,
        want: Want::default(),
    };
    assert!(matches!(user.ask(op), Ok(FsReply::Node { .. })));
    user.mkdir(user.top(), &"x".repeat(255)).unwrap();
    let long = "x".repeat(256);
    assert_eq!(user.mkdir(user.top(), &long), Err(FsError::NameTooLong));
    assert_eq!(user.touch(user.top(), &long), Err(FsError::NameTooLong));
    assert_eq!(user.lookup(user.top(), &long), Err(FsError::NameTooLong));
    assert_eq!(user.remove(user.top(), &long), Err(FsError::NameTooLong));
}

#[test]
fn change_infos_of_successive_changes_are_contiguous() {
    let user = root();
    let top = user.top();
    let file = user.touch(top, "f").unwrap();
    let first = user.link(file, top, "g").unwrap();
    let second = user.remove(top, "g").unwrap();
    let (third, same) = user.rename((top, "f"), (top, "h")).unwrap();
    assert!(first.atomic && first.after == second.before && second.after == third.before);
    assert_eq!(third, same);
    assert_eq!(user.attrs(top).unwrap().change, third.after);
    let opened = user
        .open_name(top, "h", Creation::Unchecked(SetAttrs::default()))
        .unwrap();
    assert_eq!(
        (opened.dir.before, opened.dir.after),
        (third.after, third.after)
    );
    user.fs.release(opened.fh);
}

#[test]
fn renaming_replaces_what_is_compatible() {
    let user = root();
    let top = user.top();
    let (a, b) = (user.mkdir(top, "a").unwrap(), user.mkdir(top, "b").unwrap());
    let (f, g) = (user.touch(a, "f").unwrap(), user.touch(b, "g").unwrap());
    // Non-directories and directories do not replace each other, and nothing replaces a directory that is
    // not empty.
    for (from, to) in [
        ((a, "f"), (top, "b")),
        ((top, "b"), (a, "f")),
        ((top, "a"), (top, "b")),
    ] {
        assert_eq!(user.rename(from, to).err(), Some(FsError::Exists));
    }
    assert_eq!(
        user.rename((top, "x"), (top, "b")).err(),
        Some(FsError::NotFound)
    );
    assert_eq!(
        user.rename((f, "x"), (top, "b")).err(),
        Some(FsError::NotDirectory)
    );
    user.rename((a, "f"), (b, "g")).unwrap();
    assert_eq!(user.lookup(b, "g"), Ok(f));
    assert_eq!(user.attrs(g), Err(FsError::Stale));
    // An empty directory is replaced, also across directories.
    user.rename((top, "b"), (top, "a")).unwrap();
    assert_eq!(
        (user.lookup(top, "a"), user.attrs(a)),
        (Ok(b), Err(FsError::Stale))
    );
    assert_eq!(user.attrs(top).unwrap().links, 3);
    let sub = user.mkdir(b, "sub").unwrap();
    let other = user.mkdir(top, "other").unwrap();
    user.rename((top, "other"), (b, "sub")).unwrap();
    assert_eq!(
        (user.parent(other), user.attrs(sub)),
        (Ok(b), Err(FsError::Stale))
    );
    check_invariants(&user.fs);
}

#[test]
fn renaming_between_links_of_one_object_does_nothing() {
    let user = root();
    let top = user.top();
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(top, "f").unwrap();
    user.link(file, top, "g").unwrap();
    user.link(file, dir, "h").unwrap();
    let before = (
        user.attrs(top).unwrap(),
        user.attrs(dir).unwrap(),
        user.attrs(file).unwrap(),
    );
    user.rename((top, "f"), (top, "f")).unwrap();
    user.rename((top, "f"), (top, "g")).unwrap();
    let (from, to) = user.rename((top, "f"), (dir, "h")).unwrap();
    assert!(from.before == from.after && to.before == to.after);
    let after = (
        user.attrs(top).unwrap(),
        user.attrs(dir).unwrap(),
        user.attrs(file).unwrap(),
    );
    assert_eq!(before, after);
    assert_eq!(after.2.links, 3);
}

#[test]
fn a_directory_is_never_moved_below_itself() {
    let user = root();
    let top = user.top();
    let a = user.mkdir(top, "a").unwrap();
    let b = user.mkdir(a, "b").unwrap();
    let c = user.mkdir(b, "c").unwrap();
    for to in [a, b, c] {
        assert_eq!(
            user.rename((top, "a"), (to, "x")).err(),
            Some(FsError::Invalid)
        );
    }
    // Onto its own ancestors: they are not empty.
    assert_eq!(
        user.rename((b, "c"), (top, "a")).err(),
        Some(FsError::Exists)
    );
    assert_eq!(user.rename((b, "c"), (a, "b")).err(), Some(FsError::Exists));
    user.rename((a, "b"), (top, "b")).unwrap();
    user.rename((top, "a"), (c, "a")).unwrap();
    assert_eq!(user.parent(a), Ok(c));
    check_invariants(&user.fs);
}

#[test]
fn links_are_counted_and_bounded() {
    let user = root();
    let top = user.top();
    let file = user.touch(top, "f").unwrap();
    assert_eq!(user.link(top, top, "loop"), Err(FsError::IsDirectory));
    assert_eq!(user.link(file, file, "x"), Err(FsError::NotDirectory));
    assert_eq!(user.link(file, top, "f"), Err(FsError::Exists));
    user.at(2000).link(file, top, "g").unwrap();
    let attrs = user.attrs(file).unwrap();
    assert_eq!((attrs.links, attrs.changed), (2, at(2000).wall));
    user.at(3000).remove(top, "f").unwrap();
    let attrs = user.attrs(file).unwrap();
    assert_eq!((attrs.links, attrs.changed), (1, at(3000).wall));
    assert_eq!(user.attrs(top).unwrap().modified, at(3000).wall);
    user.fs.inode(&file).unwrap().meta().links = user.fs.capabilities().max_links;
    assert_eq!(user.link(file, top, "h"), Err(FsError::TooManyLinks));
    user.fs.inode(&top).unwrap().meta().links = user.fs.capabilities().max_links;
    assert_eq!(user.mkdir(top, "d"), Err(FsError::TooManyLinks));
}

#[test]
fn open_creates_finds_or_refuses_a_file() {
    let user = root();
    let top = user.top();
    let set = SetAttrs::default().with(|set| set.mode = Some(0o444));
    assert_eq!(
        user.open_name(top, "f", Creation::No).err(),
        Some(FsError::NotFound)
    );
    let made = user.open_name(top, "f", Creation::Unchecked(set)).unwrap();
    assert!(made.created && made.attrs.mode == 0o444 && made.dir.before < made.dir.after);
    let found = user
        .open_name(top, "f", Creation::Unchecked(SetAttrs::default()))
        .unwrap();
    assert!(!found.created && found.fh == made.fh && found.attrs.mode == 0o444);
    assert_eq!(
        user.open_name(top, "f", Creation::Guarded(set)).err(),
        Some(FsError::Exists)
    );
    let exclusive = |verifier| Creation::Exclusive {
        verifier: [verifier; 8],
        set,
    };
    assert_eq!(
        user.open_name(top, "f", exclusive(1)).err(),
        Some(FsError::Exists)
    );
    let first = user.open_name(top, "x", exclusive(1)).unwrap();
    let again = user.open_name(top, "x", exclusive(1)).unwrap();
    assert!(first.created && again.created && first.fh == again.fh);
    assert_eq!(
        user.open_name(top, "x", exclusive(2)).err(),
        Some(FsError::Exists)
    );
    // A client that guesses the verifier did not create the file.
    let stranger = user.user(4711, 4711, &[]);
    assert_eq!(
        stranger.open_name(top, "x", exclusive(1)).err(),
        Some(FsError::AccessDenied)
    );

    user.mkdir(top, "d").unwrap();
    let link = user.make(top, "l", NewNode::Symlink(bytes("f"))).unwrap();
    user.make(top, "p", NewNode::Fifo).unwrap();
    for create in [Creation::No, Creation::Unchecked(set)] {
        assert_eq!(
            user.open_name(top, "d", create).err(),
            Some(FsError::IsDirectory)
        );
        assert_eq!(
            user.open_name(top, "l", create).err(),
            Some(FsError::IsSymlink)
        );
        assert_eq!(
            user.open_name(top, "p", create).err(),
            Some(FsError::WrongType)
        );
    }
    assert_eq!(
        user.open_name(link, "f", Creation::No).err(),
        Some(FsError::IsSymlink)
    );
    assert_eq!(
        user.open_name(made.fh, "f", Creation::No).err(),
        Some(FsError::NotDirectory)
    );
    assert_eq!(user.lookup(link, "f"), Err(FsError::IsSymlink));
}

#[test]
fn a_deep_tree_is_dropped_without_a_deep_stack() {
    let user = root();
    let dirs: Vec<_> = (0..20_000)
        .map(|i| user.mkdir(user.top(), &i.to_string()).unwrap())
        .collect();
    for (i, pair) in dirs.windows(2).enumerate() {
        user.rename((user.top(), &i.to_string()), (pair[1], "d"))
            .unwrap();
    }
    check_invariants(&user.fs);
    std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || drop(user))
        .unwrap()
        .join()
        .unwrap();
}

/// Other renames wait for one that walks up the ancestors, so the walk is bounded.
#[test]
fn a_rename_checks_names_first_and_walks_a_bounded_depth() {
    let user = root();
    let other = user.mkdir(user.top(), "other").unwrap();
    let mut deep = vec![user.top()];
    for _ in 0..3_000 {
        let dir = user.mkdir(*deep.last().unwrap(), "d").unwrap();
        user.touch(dir, "f").unwrap();
        deep.push(dir);
    }
    let stranger = user.user(1000, 1000, &[]);
    for depth in [2_048, 2_049, 3_000] {
        let dir = deep[depth];
        let too_deep = depth > 2_048;
        for (from, to) in [(dir, other), (other, dir)] {
            let missing = user.rename((from, "missing"), (to, "g"));
            assert_eq!(missing, Err(FsError::NotFound), "{depth}");
            let refused = stranger.rename((from, "f"), (to, "g"));
            assert_eq!(refused, Err(FsError::AccessDenied), "{depth}");
        }
        let moved = user.rename((dir, "f"), (other, "g")).map(|_| ());
        let expected = if too_deep {
            Err(FsError::NameTooLong)
        } else {
            Ok(())
        };
        assert_eq!(moved, expected, "{depth}");
        // A rename within one directory needs no walk.
        user.touch(dir, "own").unwrap();
        user.rename((dir, "own"), (dir, "renamed")).unwrap();
        // The moved directory can contain any depth.
        let whole = user.rename((deep[1], "d"), (other, "whole")).map(|_| ());
        assert_eq!(whole, Ok(()), "{depth}");
        user.rename((other, "whole"), (deep[1], "d")).unwrap();
    }
}
