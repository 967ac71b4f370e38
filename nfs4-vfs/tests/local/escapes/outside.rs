//! The export of the race, and what lies outside.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::folder::Folder;
use crate::subject::owner;

/// A folder with the export and, beside it, what must not be reached.
pub(crate) struct Ground {
    folder: Folder,
    /// The numbers of what lies outside, on the same file system.
    numbers: HashSet<u64>,
}

/// The name that lies outside only.
pub(crate) const NAME: &str = "escape-marker";
/// The bytes that lie outside only.
pub(crate) const BYTES: &[u8] = b"these bytes lie outside of the export";

impl Ground {
    pub(crate) fn new(parent: &Path) -> Ground {
        let folder = Folder::within(parent);
        let (outside, export) = (folder.folder("outside"), folder.folder("export"));
        fs::set_permissions(&export, Permissions::from_mode(0o777)).unwrap();
        // As deep as the deepest directory of the export, with the names that are looked up there.
        for dir in ["", "x", "x/d", "d", "d/d", "parked"] {
            let dir = outside.join(dir);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(NAME), BYTES).unwrap();
            fs::write(dir.join("f"), BYTES).unwrap();
        }
        let mut numbers = HashSet::new();
        let mut note = |path: &Path| numbers.insert(fs::symlink_metadata(path).unwrap().ino());
        note(folder.path());
        note_all(&outside, &mut note);
        // What is above, as far as it is on the same file system.
        let device = fs::metadata(&export).unwrap().dev();
        for above in folder.path().ancestors() {
            if fs::metadata(above).unwrap().dev() == device {
                note(above);
            }
        }
        let ground = Ground { folder, numbers };
        ground.fill();
        ground
    }

    pub(crate) fn export(&self) -> PathBuf {
        self.folder.path().join("export")
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// Whether an object with this number lies outside.
    pub(crate) fn is_outside(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// Makes the directories that are raced on, and the nasty links.
    fn fill(&self) {
        let (export, outside) = (self.export(), self.outside());
        for dir in ["x/d", "y/d", "a/b/c", "e", "m/out/d", "mnt", "r"] {
            fs::create_dir_all(export.join(dir)).unwrap();
        }
        for file in [
            "f",
            "x/f",
            "x/d/f",
            "y/f",
            "a/b/c/f",
            "m/out/f",
            "m/out/d/f",
            "mnt/f",
            "r/f",
        ] {
            fs::write(export.join(file), "these bytes lie inside").unwrap();
        }
        let absolute = outside.to_str().unwrap();
        let links = [
            ("x.link", absolute),
            ("y.link", "../outside"),
            ("up", ".."),
            ("far", "../../../../../../../../../../../../etc"),
            ("root", "/"),
            ("passwd", "/etc/passwd"),
            ("proc-root", "/proc/self/root"),
            ("proc-cwd", "/proc/self/cwd"),
            ("proc-fd", "/proc/self/fd"),
            ("dangling", "nothing"),
            ("loop", "loop"),
            ("one", "two"),
            ("two", "one"),
            ("dot", "."),
            ("inside", "x"),
        ];
        for (name, target) in links {
            symlink(target, export.join(name)).unwrap();
        }
        symlink(outside.join("f"), export.join("file.link")).unwrap();
        for number in 0..32 {
            let target = format!("/proc/self/fd/{number}");
            symlink(target, export.join(format!("fd{number}"))).unwrap();
        }
        fs::hard_link(export.join("f"), export.join("hard")).unwrap();
        let make = |name: &str, kind, device| {
            mknodat(
                CWD,
                export.join(name),
                kind,
                Mode::RUSR | Mode::WUSR,
                device,
            )
        };
        make("pipe", FileType::Fifo, 0).unwrap();
        make("socket", FileType::Socket, 0).unwrap();
        if owner().0 == 0 {
            // The kernel's memory, the first disk, and a terminal.
            let _ = make("mem", FileType::CharacterDevice, rustix::fs::makedev(1, 1));
            let _ = make("disk", FileType::BlockDevice, rustix::fs::makedev(254, 0));
            let _ = make("tty", FileType::CharacterDevice, rustix::fs::makedev(5, 0));
        }
    }

    /// Checks that what lies outside is as it was.
    pub(crate) fn is_untouched(&self) {
        let mut seen = 0;
        note_all(&self.outside(), &mut |path| {
            let is_parked = path.starts_with(self.outside().join("parked/out"));
            let about = fs::symlink_metadata(path).unwrap();
            if is_parked {
                return true;
            }
            assert!(self.is_outside(about.ino()), "{} is new", path.display());
            if about.is_file() {
                assert_eq!(fs::read(path).unwrap(), BYTES, "{}", path.display());
                assert_eq!((about.mode() & 0o777, about.nlink()), (0o644, 1));
                seen += 1;
            }
            true
        });
        assert_eq!(seen, 12, "something is gone");
    }
}

fn note_all(dir: &Path, note: &mut dyn FnMut(&Path) -> bool) {
    note(dir);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            note_all(&path, note);
        } else {
            note(&path);
        }
    }
}
