//! What is known of types of file systems.

use rustix::fs::StatFs;

use super::change::Grain;

/// Properties of a file system by its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct FsType {
    /// Attributes are in memory: to read those of an object that is held never waits.
    pub(super) is_resident: bool,
    /// Nothing in it outlives the machine.
    pub(super) is_volatile: bool,
    /// Other machines, or a program behind it, may change its files without the kernel's knowledge: a lease
    /// keeps out processes of this machine alone.
    pub(super) is_shared: bool,
    pub(super) grain: Grain,
    pub(super) max_links: u32,
}

impl FsType {
    /// The properties of the file system that this describes.
    pub(super) fn of(space: &StatFs) -> FsType {
        #[expect(clippy::cast_sign_loss, reason = "a magic number of 32 bits")]
        let magic = space.f_type as u32;
        let (has_fine_times, max_links) = match magic {
            EXT4 => (true, 65_000),
            XFS => (true, i32::MAX as u32),
            BTRFS => (true, 65_535),
            TMPFS => (true, u32::MAX),
            F2FS | BCACHEFS | RAMFS => (false, 65_535),
            _ => (false, 32_000),
        };
        let local = [EXT4, XFS, BTRFS, TMPFS, F2FS, BCACHEFS, RAMFS];
        FsType {
            is_resident: local.contains(&magic),
            is_volatile: [TMPFS, RAMFS].contains(&magic),
            is_shared: SHARED.contains(&magic),
            grain: if has_fine_times && linux() >= MULTIGRAIN {
                Grain::Fine
            } else {
                Grain::Coarse
            },
            max_links,
        }
    }
}

/// The version of the kernel.
fn linux() -> (u32, u32) {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|part| part.parse().ok());
    (number().unwrap_or(0), number().unwrap_or(0))
}

/// The first Linux with multigrain timestamps.
const MULTIGRAIN: (u32, u32) = (6, 13);
const EXT4: u32 = 0xef53;
const XFS: u32 = 0x5846_5342;
const BTRFS: u32 = 0x9123_683e;
const TMPFS: u32 = 0x0102_1994;
const F2FS: u32 = 0xf2f5_2010;
const BCACHEFS: u32 = 0xca45_1a4e;
const RAMFS: u32 = 0x8584_58f6;
/// FUSE, virtiofs included; NFS; SMB in three versions; 9P; Ceph; AFS in two clients; Coda; Lustre; OrangeFS; GFS2;
/// OCFS2; folders of VirtualBox.
const SHARED: [u32; 15] = [
    0x6573_5546,
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x00c3_6400,
    0x5346_414f,
    0x6b41_4653,
    0x7375_7245,
    0x0bd0_0bd0,
    0x2003_0528,
    0x0116_1970,
    0x7461_636f,
    0x786f_4256,
];

#[cfg(test)]
mod tests {
    use rustix::fs::statfs;

    use super::*;

    #[test]
    fn files_that_other_machines_may_change_are_not_leased() {
        let mut space = statfs("/proc").unwrap();
        for (magic, is_shared) in [(EXT4, false), (TMPFS, false), (0x794c_7630, false)]
            .into_iter()
            .chain(SHARED.map(|magic| (magic, true)))
        {
            space.f_type = magic.into();
            assert_eq!(FsType::of(&space).is_shared, is_shared, "{magic:#x}");
        }
    }
}
