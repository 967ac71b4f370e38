//! What other processes do meanwhile. Each deed is done and undone; it returns how often it succeeded.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use rustix::thread::UnshareFlags;

use super::outside::Ground;

/// Lets this thread, and those that it starts, have mounts of their own.
#[expect(
    deprecated,
    reason = "only a table of descriptors may not be left safely"
)]
pub(super) fn leave_mounts() -> rustix::io::Result<()> {
    rustix::thread::unshare(UnshareFlags::FS | UnshareFlags::NEWNS)?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
}

/// Directories become links that lead out, and directories again.
pub(super) fn swap(ground: &Ground) -> u32 {
    let export = ground.export();
    let mut done = 0;
    for (dir, link) in [
        ("x", "x.link"),
        ("y", "y.link"),
        ("f", "file.link"),
        ("e", "root"),
    ] {
        for _ in 0..2 {
            let (dir, link) = (export.join(dir), export.join(link));
            let swapped = renameat_with(CWD, dir, CWD, link, RenameFlags::EXCHANGE);
            done += u32::from(swapped.is_ok());
        }
    }
    done
}

/// Directories move to other places of the export, with all that is below.
pub(super) fn shuffle(ground: &Ground) -> u32 {
    let export = ground.export();
    let mut done = 0;
    for (from, to) in [
        ("a/b", "b"),
        ("b", "r/b"),
        ("r/b", "a/b"),
        ("a/b/c", "c"),
        ("c", "a/b/c"),
    ] {
        done += u32::from(fs::rename(export.join(from), export.join(to)).is_ok());
    }
    done
}

/// A directory leaves the export while it is in use, and comes back.
pub(super) fn move_out(ground: &Ground) -> u32 {
    let (inside, parked) = (
        ground.export().join("m/out"),
        ground.outside().join("parked/out"),
    );
    let mut done = u32::from(fs::rename(&inside, &parked).is_ok());
    done += u32::from(fs::rename(&parked, &inside).is_ok());
    done
}

/// A directory is removed, and a link that leads out takes its name.
pub(super) fn replace(ground: &Ground) -> u32 {
    let place = ground.export().join("r/swap");
    let mut done = 0;
    if fs::create_dir(&place).is_ok() {
        done += u32::from(fs::remove_dir(&place).is_ok());
    }
    if symlink(ground.outside(), &place).is_ok() {
        done += u32::from(fs::remove_file(&place).is_ok());
    }
    done
}

/// What lies outside is mounted over a directory of the export.
pub(super) fn mount(ground: &Ground) -> u32 {
    let place = ground.export().join("mnt");
    let mut done = 0;
    for what in [ground.outside(), ground.outside().join("d"), "/proc".into()] {
        if mount_bind(what, &place).is_ok() {
            done += 1;
            unmount(&place, UnmountFlags::DETACH).unwrap();
        }
    }
    done
}
