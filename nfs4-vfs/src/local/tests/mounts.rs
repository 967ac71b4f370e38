//! File systems that are mounted below the root. Only the superuser can mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

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

#[test]
fn a_handle_leads_to_the_same_one_of_two_copies_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("nfs4-copies-{}", std::process::id()));
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
        return;
    }
    // The same inode in both.
    let root = folder.0.join("root");
    fs::write(root.join("first/f"), "content").unwrap();
    let unmount = Command::new("umount").arg(root.join("first")).status();
    assert!(unmount.unwrap().success());
    let copy = folder.0.join("copy");
    fs::copy(&image, &copy).unwrap();
    assert!(folder.mount(&image, "first") && folder.mount(&copy, "second"));
    fs::write(root.join("second/f"), "other content").unwrap();

    let config = LocalFsConfig::new(root, [7; 16]).with(|config| config.cross_mounts = true);
    let open = || Scene {
        files: LocalFs::open(config.clone()).unwrap(),
        folder: folder.0.join("nothing to remove"),
    };
    let scene = open();
    let found = ["second", "first"].map(|name| {
        let (dir, _) = scene.lookup(scene.root(), name).unwrap();
        scene.lookup(dir, "f").unwrap()
    });
    let sizes = || found.map(|(_, attrs)| attrs.size);
    assert_eq!(sizes(), [13, 7]);
    drop(scene);
    let again = open();
    assert_eq!(found.map(|(fh, _)| again.attrs(fh).unwrap().size), sizes());
}
