//! A disk whose power can be cut: a file system in a file that can be cloned in a moment.
//!
//! The file lies on an XFS, which clones it by reference: the clone has what had reached the disk at one
//! moment, and nothing of what the system still had in memory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The disk in use, with its file system mounted.
pub(crate) struct Disk {
    folder: PathBuf,
    /// Unmounted last.
    mounts: Vec<PathBuf>,
    cuts: u32,
}

impl Disk {
    /// A disk of 192 MiB with an ext4, or why there is none on this machine.
    pub(crate) fn new(name: &str) -> Result<Disk, String> {
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("nfs4d-power-{process}-{name}"));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let mut disk = Disk {
            folder,
            mounts: Vec::new(),
            cuts: 0,
        };
        let store = disk.folder.join("store.img");
        sparse(&store, 768 << 20)?;
        run("mkfs.xfs", &["-q", "-m", "reflink=1"], &[&store])?;
        disk.mount(&store, "store")?;
        let image = disk.folder.join("store/disk.img");
        sparse(&image, 192 << 20)?;
        run("mkfs.ext4", &["-q"], &[&image])?;
        disk.mount(&image, "files")?;
        Ok(disk)
    }

    /// Where its files are.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Cuts the power: where the files are that the disk has at this moment, after its journal is replayed.
    pub(crate) fn cut(&mut self) -> Result<PathBuf, String> {
        let clone = self.clone_image()?;
        let name = format!("cut-{}", self.cuts);
        self.mount(&clone, &name)?;
        Ok(self.folder.join(name))
    }

    /// Cuts the power; the files of that moment are at their place afterwards, as after a restart of the
    /// machine. `end` ends what uses them.
    pub(crate) fn restart(&mut self, end: impl FnOnce()) -> Result<(), String> {
        let clone = self.clone_image()?;
        end();
        run("umount", &[], &[&self.files()])?;
        self.mounts.retain(|place| !place.ends_with("files"));
        self.mount(&clone, "files")
    }

    fn clone_image(&mut self) -> Result<PathBuf, String> {
        self.cuts += 1;
        let image = self.folder.join("store/disk.img");
        let clone = self.folder.join(format!("store/cut-{}.img", self.cuts));
        run("cp", &["--reflink=always"], &[&image, &clone])?;
        Ok(clone)
    }

    fn mount(&mut self, image: &Path, name: &str) -> Result<(), String> {
        let place = self.folder.join(name);
        fs::create_dir_all(&place).map_err(|why| why.to_string())?;
        run("mount", &["-o", "loop"], &[image, &place])?;
        self.mounts.push(place);
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for place in self.mounts.iter().rev() {
            // A server that a failed test has left may still use it.
            drop(Command::new("umount").arg("-l").arg(place).status());
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn sparse(path: &Path, len: u64) -> Result<(), String> {
    let file = File::create(path).and_then(|file| file.set_len(len));
    file.map_err(|why| format!("{}: {why}", path.display()))
}

fn run(program: &str, flags: &[&str], paths: &[&Path]) -> Result<(), String> {
    let output = Command::new(program).args(flags).args(paths).output();
    let output = output.map_err(|why| format!("{program}: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", said.trim()))
}
