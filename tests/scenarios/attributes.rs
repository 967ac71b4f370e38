//! Which attributes there are. [RFC 7530 §5, RFC 8881 §5, RFC 7862 §12, RFC 9754 §2]

use std::sync::Arc;
use std::task::Poll;

use nfs4_engine::fs::{Backend, Capabilities, FsHandle, FsRequest, FsResult, Pending};
use nfs4_proto::nfs4::attr::{AttrValue, ChangeAttrType, num};
use nfs4_proto::nfs4::{Bitmap, args};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Reply, Sim};

/// GETATTR of the root of a server in a minor version.
fn ask(minor: u32, attr_request: Bitmap) -> Reply {
    let sim = &mut Sim::new();
    let asked = args::GetAttr { attr_request };
    if minor == 0 {
        let client = Client40::stranger(sim, "a");
        return client.call(sim, |c| c.putrootfh().getattr(asked)).all_ok();
    }
    let mut client = Client::stranger(sim, "a");
    client.minor = minor;
    client.mount(sim);
    client.call(sim, |c| c.putrootfh().getattr(asked)).all_ok()
}

/// The minor version that an attribute came with.
fn first_minor(attr: u32) -> u32 {
    match attr {
        0..=55 => 0,
        56..=76 => 1,
        _ => 2,
    }
}

#[test]
fn a_minor_version_has_its_own_attributes_and_tells_them_all() {
    for minor in 0..3 {
        let asked = Bitmap::of(&[num::SUPPORTED_ATTRS]);
        let reply = ask(minor, asked);
        let attrs = ok!(reply, GetAttr).obj_attributes;
        let Some(AttrValue::SupportedAttrs(listed)) = attrs.get(num::SUPPORTED_ATTRS) else {
            panic!("{reply:?}");
        };
        let later: Vec<u32> = listed
            .iter()
            .filter(|at| first_minor(*at) > minor)
            .collect();
        assert!(later.is_empty(), "{minor}: {later:?}");
        // Two can only be set.
        let only_set = [num::TIME_ACCESS_SET, num::TIME_MODIFY_SET];
        let readable = listed.iter().filter(|at| !only_set.contains(at));
        let readable = Bitmap::of(&readable.collect::<Vec<_>>());
        // A client that asks for all there are is told those, and of others only one that clients of
        // minor version 1 ask for without having looked.
        let everything = (0..96).filter(|at| !only_set.contains(at));
        let everything = Bitmap::of(&everything.collect::<Vec<_>>());
        let besides = if minor == 1 {
            readable.with(num::OPEN_ARGUMENTS)
        } else {
            readable
        };
        for (asked, expected) in [(readable, readable), (everything, besides)] {
            let reply = ask(minor, asked);
            let told = ok!(reply, GetAttr).obj_attributes;
            assert_eq!(told.mask, expected, "{minor}");
        }
    }
}

/// A file system whose files other processes change too.
struct Shared(Arc<dyn Backend>);

impl Backend for Shared {
    fn root(&self) -> FsHandle {
        self.0.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn is_private(&self) -> bool {
        false
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        self.0.submit(request, pending)
    }

    fn release(&self, fh: FsHandle) {
        self.0.release(fh);
    }
}

/// A client drops attributes for old ones if a counter has gone back, as a time can.
#[test]
fn the_change_attribute_is_a_counter_where_no_other_process_changes_files() {
    for (path, shared, expected) in [
        ("/", false, ChangeAttrType::VersionCounter),
        ("/", true, ChangeAttrType::Undefined),
        ("/a", true, ChangeAttrType::VersionCounter),
    ] {
        let mut sim = Sim::serving(&[path], |export| {
            if shared {
                export.backend = Arc::new(Shared(Arc::clone(&export.backend)));
            }
        });
        let mut client = Client::stranger(&mut sim, "a");
        client.minor = 2;
        client.mount(&mut sim);
        let asked = args::GetAttr {
            attr_request: Bitmap::of(&[num::CHANGE_ATTR_TYPE]),
        };
        let reply = client
            .call(&mut sim, |c| c.putrootfh().getattr(asked))
            .all_ok();
        let attrs = ok!(reply, GetAttr).obj_attributes;
        let told = attrs.get(num::CHANGE_ATTR_TYPE);
        assert_eq!(told, Some(AttrValue::ChangeAttrType(expected)), "{path}");
    }
}
