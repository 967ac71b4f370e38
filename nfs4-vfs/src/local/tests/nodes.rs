//! Nodes of devices.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Device, FsError, FsOp, FsReply, FsResult, NewNode, SetAttrs};

use super::Scene;

fn make(scene: &Scene, name: &'static str, node: NewNode) -> FsResult {
    scene.ask(FsOp::Create {
        dir: scene.root(),
        name: Bytes::from_static(name.as_bytes()),
        node,
        set: SetAttrs::default(),
    })
}

#[test]
fn a_device_has_the_numbers_that_were_asked_for_or_is_not_made() {
    let scene = Scene::new("nodes");
    for (major, minor) in [(4_096 + 8, 0), (8, 1 << 20), (u32::MAX, u32::MAX)] {
        let device = Device { major, minor };
        for node in [NewNode::BlockDevice(device), NewNode::CharDevice(device)] {
            let reply = make(&scene, "other", node);
            assert_eq!(reply.err(), Some(FsError::Invalid), "{major} {minor}");
        }
    }
    assert!(!scene.path("other").exists());
    let last = Device {
        major: 4_095,
        minor: (1 << 20) - 1,
    };
    let reply = match make(&scene, "last", NewNode::CharDevice(last)) {
        // Not the superuser, or in a container.
        Err(FsError::NotPermitted | FsError::AccessDenied) => {
            return eprintln!("NOT RUN: this process makes no devices");
        }
        reply => reply,
    };
    let Ok(FsReply::Created { attrs, .. }) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(attrs.device, last);
}
