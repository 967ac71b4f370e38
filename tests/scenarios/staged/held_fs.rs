//! A client, its file "f", and a file system that executes a request when the test says so.

use nfs4_proto::nfs4::basic::Stateid;

use super::*;

/// The file has one byte, and no client has it open.
pub(super) struct HeldFs {
    pub(super) sim: Sim,
    pub(super) client: Client,
}

impl HeldFs {
    pub(super) fn new() -> HeldFs {
        let mut sim = Sim::new();
        let client = with_file(&mut sim);
        sim.set_pace(Pace::Held);
        HeldFs { sim, client }
    }

    /// One in which [`HeldFs::truncation`] waits for its first step.
    pub(super) fn truncating() -> (HeldFs, Request) {
        let mut held = HeldFs::new();
        let request = held.truncation(0);
        held.send(&[&request]);
        (held, request)
    }

    /// OPEN with truncation of the file: two steps of the file system.
    pub(super) fn truncation(&mut self, slot: u32) -> Request {
        let empty = Fattr::size(0);
        let open = args::Open {
            openhow: OpenFlag::Create(CreateHow::Unchecked(empty.raw())),
            ..open_args(b"o", b"f")
        };
        self.client.request(&mut self.sim, slot, true, |c| {
            c.putrootfh().open(open).getfh()
        })
    }

    /// Sends requests, which then wait for the file system.
    pub(super) fn send(&mut self, requests: &[&Request]) {
        for request in requests {
            request.send(&mut self.sim, self.client.conn);
        }
        self.sim.run();
    }

    /// The client reboots, on another connection.
    pub(super) fn reboot(&mut self) {
        let mut new = self.rebooted();
        new.create_session(&mut self.sim).all_ok();
    }

    /// The next incarnation of the client, on another connection and not confirmed.
    pub(super) fn rebooted(&mut self) -> Client {
        let mut new = self.client.clone();
        new.conn = self.sim.connect();
        new.reboot();
        new.exchange_id(&mut self.sim).all_ok();
        new
    }

    #[track_caller]
    pub(super) fn reply(&mut self, request: &Request) -> Reply {
        let reply = self.sim.take_reply(request.xid());
        reply.expect("the request is answered")
    }
}

/// A client that has made the file and closed it.
fn with_file(sim: &mut Sim) -> Client {
    let mut client = Client::mounted(sim, "a");
    let one = Fattr::size(1);
    let open = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(one.raw())),
        ..open_args(b"o", b"f")
    };
    let close = args::Close {
        seqid: 0,
        open_stateid: Stateid::CURRENT,
    };
    client
        .call(sim, |c| c.putrootfh().open(open).close(close))
        .all_ok();
    assert_eq!(sim.fs().held(), 0);
    client
}
