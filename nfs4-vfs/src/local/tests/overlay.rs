//! A file system whose files have another device than its directories. Only the superuser can mount it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Scene;
use super::exhausted::{is_alone, make_as_soon_as_there_is_room};

/// Mounts in a folder, which end with it.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts "root" over two file systems; none where this process may not, or files have the device of their
    /// directories.
    fn new() -> Option<Mounted> {
        let folder = std::env::temp_dir().join(format!("nfs4-overlay-{}", std::process::id()));
        let mounted = Mounted(folder);
        let place = |name: &str| mounted.0.join(name);
        for name in ["lower", "upper", "root"] {
            fs::create_dir_all(place(name)).unwrap();
        }
        let below = ["lower", "upper"];
        if !below
            .iter()
            .all(|name| mount(&["-t", "tmpfs", "none"], &place(name)))
        {
            return None;
        }
        for name in ["upper/files", "upper/work"] {
            fs::create_dir(place(name)).unwrap();
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={},xino=off",
            place("lower").display(),
            place("upper/files").display(),
            place("upper/work").display()
        );
        if !mount(&["-t", "overlay", "-o", &options, "none"], &place("root")) {
            return None;
        }
        let root = place("root");
        fs::write(root.join("other"), "").unwrap();
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        (device(&root) != device(&root.join("other"))).then_some(mounted)
    }
}

fn mount(args: &[&str], place: &Path) -> bool {
    let mounted = Command::new("mount").args(args).arg(place).output();
    mounted.is_ok_and(|mounted| mounted.status.success())
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for name in ["root", "upper", "lower"] {
            let mut command = Command::new("umount");
            let _ = command.arg("-l").arg(self.0.join(name)).output();
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Without a descriptor to make them durable, all of the file system is.
#[test]
fn files_with_another_device_than_their_directory_are_durable_with_the_file_system() {
    if !is_alone(
        "overlay",
        "files_with_another_device_than_their_directory_are_durable_with_the_file_system",
    ) {
        return;
    }
    let Some(mounted) = Mounted::new() else {
        return eprintln!("NOT RUN: no file system has files with another device than directories");
    };
    let scene = Scene::at(&mounted.0.join("root"));
    make_as_soon_as_there_is_room(&scene);
    drop((scene, mounted));
}
