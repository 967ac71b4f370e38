//! Clients that are there before the first frame.

use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{self, ChannelAttrs, Lock, Locker, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::{Bitmap, FattrRaw};
use nfs4_proto::nfs4::{
    ClientId, LockType, NetAddr, Owner, SessionId, StableHow, Stateid, Verifier,
};
use nfs4_proto::rpc::{AuthSys, Mark};
use nfs4_proto::xdr::List;

use super::frame::Frame;
use super::server::Server;

/// A server with a client of 4.1, one of 4.2 and one of 4.0, on a connection each: every one has a
/// file open, the second has locked bytes, and the first has a second session, on the last connection.
pub fn with_clients() -> Server {
    let mut setup = Setup {
        server: Server::new(),
        xid: 0,
    };
    setup.client(0, 1, b"first", 0);
    setup.client(1, 2, b"second", 1);
    setup.send(3, 1, |call| {
        call.create_session(session(client_id(0), 2));
    });
    setup.client_v40();
    setup.files(0, 1, 0, b"f");
    setup.files(1, 2, 1, b"g");
    setup.lock();
    setup.files_v40();
    setup.server
}

struct Setup {
    server: Server,
    xid: u32,
}

impl Setup {
    fn send(&mut self, connection: usize, minor: u32, of: impl FnOnce(&mut CompoundBuilder)) {
        self.xid += 1;
        let user = CallCredential::Sys(AuthSys {
            stamp: 0,
            machinename: b"client",
            uid: 0,
            gid: 0,
            gids: List::empty(),
        });
        let mut call = CompoundBuilder::call(self.xid, &user, b"", minor);
        of(&mut call);
        let record = call.finish();
        self.server
            .play(&Frame::record(connection, &record[Mark::LEN..]));
    }

    /// A client id, the `number`th, and a session of it.
    fn client(&mut self, connection: usize, minor: u32, owner: &[u8], number: u8) {
        self.send(connection, minor, |call| {
            call.exchange_id(args::ExchangeId {
                clientowner: args::ClientOwner {
                    verifier: Verifier([1; 8]),
                    ownerid: owner,
                },
                flags: 0,
                state_protect: args::StateProtect::None,
                client_impl_id: None,
            });
        });
        self.send(connection, minor, |call| {
            call.create_session(session(client_id(number), 1));
        });
        self.send(connection, minor, |call| {
            call.sequence(sequence(number));
            call.reclaim_complete(args::ReclaimComplete { one_fs: false });
        });
    }

    fn client_v40(&mut self) {
        self.send(2, 0, |call| {
            call.setclientid(args::SetClientId {
                client: args::NfsClientId {
                    verifier: Verifier([1; 8]),
                    id: b"third",
                },
                callback: args::CbClient {
                    cb_program: 0x4000_0000,
                    cb_location: NetAddr {
                        netid: b"tcp",
                        addr: b"192.0.2.2.8.1",
                    },
                },
                callback_ident: 1,
            });
        });
        self.send(2, 0, |call| {
            call.setclientid_confirm(args::SetClientIdConfirm {
                clientid: client_id(2),
                setclientid_confirm: Verifier([0xee, 0, 0, 0, 0, 0, 0, 0]),
            });
        });
    }

    /// Makes a file and keeps it open.
    fn files(&mut self, connection: usize, minor: u32, session: u8, name: &[u8]) {
        let open = open(client_id(session), name);
        self.send(connection, minor, |call| {
            call.sequence(sequence(session))
                .putrootfh()
                .open(open)
                .getfh();
        });
    }

    fn lock(&mut self) {
        self.send(1, 2, |call| {
            call.sequence(sequence(1)).putrootfh();
            call.lookup(args::Lookup { objname: b"g" });
            call.write(args::Write {
                stateid: Stateid::CURRENT,
                offset: 0,
                stable: StableHow::FileSync,
                data: b"hello",
            });
        });
        self.send(1, 2, |call| {
            call.sequence(sequence(1)).putrootfh();
            let mut again = open(client_id(1), b"g");
            again.openhow = OpenFlag::NoCreate;
            call.open(again);
            call.lock(Lock {
                locktype: LockType::Write,
                reclaim: false,
                offset: 0,
                length: 10,
                locker: Locker::New(args::OpenToLockOwner {
                    open_seqid: 0,
                    open_stateid: Stateid::CURRENT,
                    lock_seqid: 0,
                    lock_owner: Owner {
                        clientid: client_id(1),
                        owner: b"lock",
                    },
                }),
            });
        });
    }

    fn files_v40(&mut self) {
        self.send(2, 0, |call| {
            call.putrootfh().open(open(client_id(2), b"h")).getfh();
        });
        let number = self.server.known().stateids() - 1;
        self.send(2, 0, |call| {
            call.putrootfh().lookup(args::Lookup { objname: b"h" });
            let mut other = [0; 12];
            other[..2].copy_from_slice(&[0xee, number as u8]);
            call.open_confirm(args::OpenConfirm {
                open_stateid: Stateid {
                    seqid: u32::MAX,
                    other,
                },
                seqid: 1,
            });
        });
    }
}

fn client_id(number: u8) -> ClientId {
    ClientId(0xee << 56 | u64::from(number))
}

fn sequence(session: u8) -> args::Sequence {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&[0xee, session]);
    args::Sequence {
        sessionid: SessionId(id),
        sequenceid: 1,
        slotid: 0,
        highest_slotid: 7,
        cachethis: true,
    }
}

fn session(clientid: ClientId, sequence: u32) -> args::CreateSession<'static> {
    let channel = ChannelAttrs {
        headerpadsize: 0,
        maxrequestsize: 1 << 20,
        maxresponsesize: 1 << 20,
        maxresponsesize_cached: 4_096,
        maxoperations: 16,
        maxrequests: 16,
        rdma_ird: None,
    };
    args::CreateSession {
        clientid,
        sequence,
        flags: 2,
        fore_chan_attrs: channel,
        back_chan_attrs: channel,
        cb_program: 0x4000_0000,
        sec_parms: List::new(&[args::CallbackSecParms::None]),
    }
}

fn open(clientid: ClientId, name: &[u8]) -> args::Open<'_> {
    args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid,
            owner: b"open",
        },
        openhow: OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw {
            mask: Bitmap::of(&[33]),
            values: &[0, 0, 1, 0xff],
        })),
        claim: OpenClaim::Null(name),
    }
}
