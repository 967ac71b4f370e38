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
fn names_have_a_maximum_length() {
    let user = root();
    user.mkdir(user.top(), &"x".repeat(255)).unwrap();
    let long = "x".repeat(256);
    assert_eq!(user.mkdir(user.top(), &long), Err(FsError::NameTooLong));
    assert_eq!(user.touch(user.top(), &long), Err(FsError::NameTooLong));
    assert_eq!(user.lookup(user.top(), &long), Err(FsError::NameTooLong));
    assert_eq!(user.remove(user.top(), &long), Err(FsError::NameTooLong));
}

#[test]
fn links_are_bounded() {
    let user = root();
    let top = user.top();
    let file = user.touch(top, "f").unwrap();
    user.fs.inode(&file).unwrap().meta().links = user.fs.capabilities().max_links;
    assert_eq!(user.link(file, top, "h"), Err(FsError::TooManyLinks));
    user.fs.inode(&top).unwrap().meta().links = user.fs.capabilities().max_links;
    assert_eq!(user.mkdir(top, "d"), Err(FsError::TooManyLinks));
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
