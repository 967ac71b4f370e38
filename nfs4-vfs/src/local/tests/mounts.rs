//! File systems that are mounted below the root. Only the superuser can mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::fs::FsError;

use super::{LocalFs, LocalFsConfig, Scene};

/// A folder with mounts in it, which ends with them.
struct Folder(PathBuf, Vec<PathBuf>);

impl Folder {
    /// Mounts an image; where one was mounted before, it waits for a loop device that other tests have.
    fn mount(&mut self, image: &Path, name: &str) -> bool {
        let place = self.0.join("root").join(name);
        fs::create_dir_all(&place).unwrap();
        let was_mounted = !self.1.is_empty();
        self.1.push(place.clone());
        let mounted = || {
            let mut command = Command::new("mount");
            command.args(["-t", "ext4", "-o", "loop"]);
            command
                .arg(image)
                .arg(&place)
                .output()
                .is_ok_and(|mounted| mounted.status.success())
        };
        if was_mounted {
            until(mounted)
        } else {
            mounted()
        }
    }

    /// Unmounts what no other process uses any longer: one that another test has started may for a moment.
    #[track_caller]
    fn unmount(&self, name: &str) {
        let place = self.0.join("root").join(name);
        let unmounted = until(|| {
            let mut command = Command::new("umount");
            let unmounted = command.arg(&place).output();
            unmounted.is_ok_and(|unmounted| unmounted.status.success())
        });
        assert!(unmounted, "{name} is in use");
    }
}

/// Does it again until it is done; not for ever.
fn until(done: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < LONG {
        if done() {
            return true;
        }
        thread::sleep(Duration::from_millis(50));
    }
    false
}

impl Drop for Folder {
    fn drop(&mut self) {
        for place in &self.1 {
            let _ = Command::new("umount").arg("-l").arg(place).output();
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An image with a directory "m" in which a file system can be mounted, and a copy; "first" and "second" within the
/// root have them. None where this process may not mount, or has no two loop devices.
fn two_copies(name: &str) -> Option<Folder> {
    let folder = std::env::temp_dir().join(format!("nfs4-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut folder = Folder(folder, Vec::new());
    let image = folder.0.join("image");
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let formatted = Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&image)
        .status();
    let is_formatted = formatted.is_ok_and(|status| status.success());
    if !is_formatted || !folder.mount(&image, "first") {
        eprintln!("NOT RUN: no image of a disk can be mounted");
        return None;
    }
    // The same inodes in both.
    let root = folder.0.join("root");
    fs::create_dir(root.join("first/m")).unwrap();
    fs::write(root.join("first/f"), "content").unwrap();
    folder.unmount("first");
    let copy = folder.0.join("copy");
    fs::copy(&image, &copy).unwrap();
    if !folder.mount(&image, "first") || !folder.mount(&copy, "second") {
        eprintln!("NOT RUN: no second image of a disk can be mounted");
        return None;
    }
    fs::write(root.join("second/f"), "other content").unwrap();
    Some(folder)
}

/// What clients have of the files at these paths leads there after a restart, too.
fn assert_handles_stay(root: PathBuf, paths: [&str; 2], sizes: [u64; 2]) {
    let nothing = root.join("nothing to remove");
    let config = LocalFsConfig::new(root, [7; 16]).with(|config| config.cross_mounts = true);
    let open = || Scene {
        files: LocalFs::open(config.clone()).unwrap(),
        folder: nothing.clone(),
    };
    let scene = open();
    let found = paths.map(|path| {
        let (folders, file) = path.rsplit_once('/').unwrap();
        let dir = folders
            .split('/')
            .fold(scene.root(), |dir, name| scene.lookup(dir, name).unwrap().0);
        scene.lookup(dir, file).unwrap()
    });
    assert_eq!(found.map(|(_, attrs)| attrs.size), sizes);
    drop(scene);
    let again = open();
    assert_eq!(found.map(|(fh, _)| again.attrs(fh).unwrap().size), sizes);
    let file_systems = found.map(|(fh, _)| again.attrs(fh).unwrap().fs);
    assert_ne!(file_systems[0], file_systems[1]);
}

#[test]
fn a_handle_leads_to_the_same_one_of_two_copies_after_a_restart() {
    let Some(folder) = two_copies("copies") else {
        return;
    };
    let root = folder.0.join("root");
    assert_handles_stay(root, ["second/f", "first/f"], [13, 7]);
}

/// What is mounted in copies covers directories with the same number.
#[test]
fn a_handle_leads_to_the_same_one_of_two_copies_that_are_mounted_in_copies() {
    let Some(mut folder) = two_copies("nested") else {
        return;
    };
    let Some(inner) = two_copies("inner") else {
        return;
    };
    inner.unmount("first");
    inner.unmount("second");
    for (image, place) in [("image", "first/m"), ("copy", "second/m")] {
        if !folder.mount(&inner.0.join(image), place) {
            return eprintln!("NOT RUN: four images of disks cannot be mounted at once");
        }
    }
    folder.1.reverse();
    let root = folder.0.join("root");
    assert_handles_stay(root, ["second/m/f", "first/m/f"], [13, 7]);
}

/// Both roots are alike.
#[test]
fn a_handle_of_an_export_is_none_of_its_copy() {
    let Some(folder) = two_copies("exports") else {
        return;
    };
    let root = folder.0.join("root");
    let scenes = ["first", "second"].map(|name| Scene::at(&root.join(name)));
    let handles = [0, 1].map(|at: usize| scenes[at].lookup(scenes[at].root(), "f").unwrap().0);
    for at in [0, 1] {
        scenes[at].attrs(handles[at]).unwrap();
        assert_eq!(scenes[at].attrs(handles[1 - at]), Err(FsError::BadHandle));
        assert_eq!(
            scenes[at].attrs(scenes[1 - at].root()),
            Err(FsError::BadHandle)
        );
    }
}

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);
