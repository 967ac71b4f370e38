//! What must be so: the exports as they were set, and what each client has.

use std::sync::Arc;

use nfs4_engine::{Cidr, Export, NetworkRule, Squash};
use nfs4_proto::nfs4::Stateid;
use nfs4_tests::sim::{Client, Fs};

/// How an export is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) read_only: bool,
    pub(super) squashes: bool,
    /// It is for the first host only.
    pub(super) inside: bool,
}

impl Options {
    pub(super) fn of(number: u8) -> Options {
        Options {
            // Mostly all hosts may write.
            read_only: number & 7 == 1,
            squashes: number & 16 != 0,
            inside: number & 96 == 96,
        }
    }
}

/// An export, whether it is served or not.
pub(super) struct Served {
    pub(super) fs: Arc<Fs>,
    pub(super) path: String,
    pub(super) number: u16,
    /// The options that it has or had last.
    pub(super) options: Options,
    pub(super) is_served: bool,
    /// Number of removals.
    pub(super) removals: u32,
    /// Number of requests that its file system has not answered.
    pub(super) asked: u32,
    /// The filehandles of its root and of its files.
    pub(super) root: Vec<u8>,
    pub(super) files: Vec<Vec<u8>>,
}

impl Served {
    /// For the server.
    pub(super) fn export(&self) -> Export {
        let backend = Arc::clone(&self.fs) as _;
        let Options {
            read_only,
            squashes,
            inside,
        } = self.options;
        Export::new(&*self.path, backend).with(|export| {
            export.number = Some(self.number);
            export.read_only = read_only;
            export.squash = if squashes { Squash::All } else { Squash::None };
            export.anonymous = (ANONYMOUS, ANONYMOUS);
            if inside {
                let network: Cidr = INSIDE.parse().expect("a network");
                export.access = vec![NetworkRule::new(network)];
            }
        })
    }

    /// Whether it is removed and has not ended.
    pub(super) fn is_ending(&self) -> bool {
        !self.is_served && self.asked > 0
    }
}

/// A file that a client has open.
pub(super) struct Opened {
    pub(super) stateid: Stateid,
    pub(super) writes: bool,
    /// The lock stateid, and whether bytes are locked.
    pub(super) lock: Option<(Stateid, bool)>,
}

/// A client.
pub(super) struct Peer {
    pub(super) client: Client,
    pub(super) is_inside: bool,
    /// Of each file of all exports.
    pub(super) opens: Vec<Option<Opened>>,
    pub(super) delegations: Vec<Option<Stateid>>,
    /// What has ended with exports, and it has not acknowledged.
    pub(super) lost: Vec<Stateid>,
    /// Its request in execution.
    pub(super) under_way: Option<UnderWay>,
    /// Number of files that it has made.
    pub(super) made: u32,
}

/// A request in execution.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    pub(super) xid: u32,
    pub(super) file: usize,
    pub(super) what: Work,
    /// The removals of the export when it was sent.
    pub(super) removals: u32,
}

/// What a request in execution does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Open,
    Read,
    GetAttr,
}

pub(super) const INSIDE: &str = "192.0.2.0/24";
pub(super) const ANONYMOUS: u32 = 4_711;
