//! File systems that are mounted below the root. Only the superuser can mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use nfs4_engine::fs::FsError;

use super::{LocalFs, LocalFsConfig, Scene};

/// A folder with mounts in it, which ends with them.
struct Folder(PathBuf, Vec<PathBuf>);

impl Folder {
    fn mount(&mut self, image: &Path, name: &str) -> bool {
        let place = self.0.join("root").join(name);
        fs::create_dir_all(&place).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "ext4", "-o", "loop"])
            .args([image, &place])
            .output();
        self.1.push(place);
        mounted.is_ok_and(|mounted| mounted.status.success())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for place in &self.1 {
            let _ = Command::new("umount").arg("-l").arg(place).status();
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An image with a directory "m" in which a file system can be mounted, and a copy; "first" and "second" within the
/// root have them. None where this process may not mount.
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
        return None;
    }
    // The same inodes in both.
    let root = folder.0.join("root");
    fs::create_dir(root.join("first/m")).unwrap();
    fs::write(root.join("first/f"), "content").unwrap();
    let unmount = Command::new("umount").arg(root.join("first")).status();
    assert!(unmount.unwrap().success());
    let copy = folder.0.join("copy");
    fs::copy(&image, &copy).unwrap();
    assert!(folder.mount(&image, "first") && folder.mount(&copy, "second"));
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
    let inner = two_copies("inner").unwrap();
    let unmount = |name: &str| {
        let place = inner.0.join("root").join(name);
        assert!(
            Command::new("umount")
                .arg(place)
                .status()
                .unwrap()
                .success()
        );
    };
    unmount("first");
    unmount("second");
    assert!(folder.mount(&inner.0.join("image"), "first/m"));
    assert!(folder.mount(&inner.0.join("copy"), "second/m"));
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
