//! What clients see of a setting, from the other end of a socket.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_proto::client::{CbReplyBuilder, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, ChannelAttrs, ChannelDirFromClient};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, CbOp, SessionId, Stateid, Status, Verifier};
use nfs4_proto::rpc::CallHeader;
use nfs4_proto::xdr::List;

use super::Server;
use crate::live::{Client, Connection, Recalled};

/// A name that no client or file had before.
fn unique() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("seen-{}", LAST.fetch_add(1, Ordering::Relaxed))
}

fn client(server: &Server<'_>) -> Client {
    Client::connect(server.address)
}

fn mounted(server: &Server<'_>) -> Client {
    let mut client = client(server);
    client.mount(&unique(), 1);
    client
}

/// Mounts a client that stays, so that the server keeps its record.
pub fn stay(address: SocketAddr) {
    let drain = &|_: &SessionId| {};
    mounted(&Server { address, drain });
}

/// A mounted client that can be called back.
fn reachable(server: &Server<'_>) -> Client {
    let mut client = client(server);
    client.reachable = true;
    client.mount(&unique(), 1);
    client
}

fn call(minor: u32) -> CompoundBuilder {
    CompoundBuilder::call(7, &crate::NOBODY, b"", minor)
}

fn status(connection: &mut Connection, call: &[u8]) -> Status {
    let reply = connection.exchange(call).expect("it answers");
    ReplyReader::parse(&reply).expect("a reply").status()
}

/// What the attribute lease_time says.
pub fn lease_time(server: &Server<'_>) -> String {
    let attr_request = Bitmap::of(&[num::LEASE_TIME]);
    let look = args::GetAttr { attr_request };
    let reply = mounted(server).call(|c| c.putrootfh().getattr(look));
    let mut results = ReplyReader::parse(&reply).expect("a reply");
    results.sequence().expect("in its session");
    results.putrootfh().expect("a root");
    let values = results.getattr().expect("attributes").obj_attributes.values;
    u32::from_be_bytes(values.try_into().expect("a word")).to_string()
}

/// How a request ends that comes after the lease of its client.
pub(super) fn after_its_lease(server: &Server<'_>) -> String {
    let mut client = mounted(server);
    thread::sleep(Duration::from_millis(1_300));
    let status = client.in_session(|c| c.putrootfh());
    status.to_string()
}

/// How OPEN of a new file ends, if it is tried again for two seconds of a grace period.
pub(super) fn open(server: &Server<'_>) -> String {
    let mut client = mounted(server);
    let until = Instant::now() + Duration::from_secs(2);
    loop {
        match client.try_open(&unique()) {
            Ok(_) => return Status::OK.to_string(),
            Err(Status::GRACE) if Instant::now() < until => {
                thread::sleep(Duration::from_millis(50));
            }
            Err(status) => return status.to_string(),
        }
    }
}

/// How requests of the minor versions 0, 1 and 2 end.
pub(super) fn versions(server: &Server<'_>) -> String {
    let mut connection = Connection::new(server.address);
    let of = |minor| status(&mut connection, &call(minor).putrootfh().finish());
    let served = [0, 1, 2]
        .map(of)
        .map(|status| status != Status::MINOR_VERS_MISMATCH);
    let served = served.iter().zip(0..).filter(|(served, _)| **served);
    served
        .map(|(_, minor)| minor.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn bind(client: &Client, connection: &mut Connection) -> Status {
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    status(connection, &call(1).bind_conn_to_session(bind).finish())
}

/// How a bind of a second connection to a session ends.
pub(super) fn second_connection(server: &Server<'_>) -> String {
    let client = mounted(server);
    bind(&client, &mut Connection::new(server.address)).to_string()
}

/// Whether a session of two connections at most takes a third, after another session has taken the second.
pub(super) fn third_after_another_bind(server: &Server<'_>) -> String {
    let (one, other) = (mounted(server), mounted(server));
    let [mut second, mut third] = [(), ()].map(|()| Connection::new(server.address));
    assert_eq!(bind(&one, &mut second), Status::OK);
    assert_eq!(bind(&other, &mut second), Status::OK);
    bind(&one, &mut third).to_string()
}

/// What EXCHANGE_ID and then CREATE_SESSIONs of a new client are granted, until one is refused.
fn sessions(server: &Server<'_>, most: u32) -> (Vec<ChannelAttrs>, Status) {
    let mut connection = Connection::new(server.address);
    let name = unique();
    let exchange = args::ExchangeId {
        clientowner: args::ClientOwner {
            verifier: Verifier([1; 8]),
            ownerid: name.as_bytes(),
        },
        flags: 0,
        state_protect: args::StateProtect::None,
        client_impl_id: None,
    };
    let reply = connection
        .exchange(&call(1).exchange_id(exchange).finish())
        .expect("it answers");
    let mut known = ReplyReader::parse(&reply).expect("a reply");
    if known.status() != Status::OK {
        return (Vec::new(), known.status());
    }
    let known = known.exchange_id().expect("a client id");
    let mut granted = Vec::new();
    for sequence in known.sequenceid..known.sequenceid + most {
        let create = args::CreateSession {
            clientid: known.clientid,
            sequence,
            flags: 0,
            fore_chan_attrs: CHANNEL,
            back_chan_attrs: CHANNEL,
            cb_program: 0x4000_0000,
            sec_parms: List::empty(),
        };
        let reply = connection.exchange(&call(1).create_session(create).finish());
        let reply = reply.expect("it answers");
        let mut made = ReplyReader::parse(&reply).expect("a reply");
        if made.status() != Status::OK {
            return (granted, made.status());
        }
        granted.push(made.create_session().expect("a session").fore_chan_attrs);
    }
    (granted, Status::OK)
}

fn granted(server: &Server<'_>) -> ChannelAttrs {
    sessions(server, 1).0[0]
}

pub(super) fn slots(server: &Server<'_>) -> String {
    granted(server).maxrequests.to_string()
}

pub(super) fn operations(server: &Server<'_>) -> String {
    granted(server).maxoperations.to_string()
}

pub(super) fn cached_reply(server: &Server<'_>) -> String {
    granted(server).maxresponsesize_cached.to_string()
}

/// How many sessions a client gets, of three.
pub(super) fn sessions_of_a_client(server: &Server<'_>) -> String {
    sessions(server, 3).0.len().to_string()
}

/// How a new client's first session ends.
pub(super) fn new_client(server: &Server<'_>) -> String {
    sessions(server, 1).1.to_string()
}

/// How a blocked operation ends.
pub(super) fn getfh(server: &Server<'_>) -> String {
    mounted(server)
        .in_session(|c| c.putrootfh().getfh())
        .to_string()
}

/// Of six files, how many a client opens and how many of them are delegated to it.
fn opened(server: &Server<'_>) -> (usize, usize) {
    let mut client = reachable(server);
    let mut opens = Vec::new();
    for _ in 0..6 {
        if let Ok(opened) = client.try_open(&unique()) {
            opens.push((client.file.clone(), opened));
        }
    }
    let delegated = opens
        .iter()
        .filter_map(|(_, opened)| opened.delegation)
        .count();
    // The next look at it begins anew.
    for (file, opened) in &opens {
        if let Some(stateid) = opened.delegation {
            give_back(&mut client, file, stateid);
        }
        let close = args::Close {
            seqid: 0,
            open_stateid: opened.stateid,
        };
        client.call(|c| c.putfh(args::PutFh { object: file }).close(close));
    }
    client.unmount();
    (opens.len(), delegated)
}

fn give_back(client: &mut Client, object: &[u8], deleg_stateid: Stateid) {
    let back = args::DelegReturn { deleg_stateid };
    client.call(|c| c.putfh(args::PutFh { object }).delegreturn(back));
}

pub(super) fn opens(server: &Server<'_>) -> String {
    opened(server).0.to_string()
}

pub(super) fn delegations(server: &Server<'_>) -> String {
    opened(server).1.to_string()
}

/// Opens of files of one client in the way of another, which has a delegation of them and returns it.
fn recalled(holder: &mut Client, other: &mut Client, name: &str) {
    let delegated = holder.try_open(name).expect("an open").delegation;
    assert!(delegated.is_some(), "{name} is delegated");
    while let Err(status) = other.try_open(name) {
        assert_eq!(status, Status::DELAY);
        holder.call(|c| c);
        for Recalled { stateid, fh } in std::mem::take(&mut holder.connection.back.recalled) {
            give_back(holder, &fh, stateid);
        }
    }
}

/// Whether a file is delegated again right after its delegation was recalled.
pub(super) fn delegated_after_a_recall(server: &Server<'_>) -> String {
    let (mut holder, mut other) = (reachable(server), mounted(server));
    let name = unique();
    recalled(&mut holder, &mut other, &name);
    other.close();
    holder.close();
    let again = holder.try_open(&name).expect("an open");
    again.delegation.is_some().to_string()
}

/// Whether a client gets a delegation after one that it did not return.
pub(super) fn delegated_after_a_revocation(server: &Server<'_>) -> String {
    let (mut holder, mut other) = (reachable(server), mounted(server));
    let name = unique();
    let kept = holder.try_open(&name).expect("an open").delegation;
    assert!(kept.is_some(), "it is delegated");
    while let Err(status) = other.try_open(&name) {
        assert_eq!(status, Status::DELAY);
        // It lives, and keeps what it is asked for.
        holder.call(|c| c);
        thread::sleep(Duration::from_millis(20));
    }
    let next = holder.try_open(&unique()).expect("an open");
    next.delegation.is_some().to_string()
}

/// Whether ten replies of 3 000 bytes are kept for replay, each of another client.
pub(super) fn all_replies_are_kept(server: &Server<'_>) -> String {
    let mut writer = mounted(server);
    let name = unique();
    let stateid = writer.open(&name);
    writer.write(stateid, 0, &[7; 3_000]);
    let object = &writer.file.clone()[..];
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 3_000,
    };
    let mut all = true;
    let mut readers: Vec<Client> = (0..10).map(|_| mounted(server)).collect();
    for reader in &mut readers {
        all &= reader.in_session(|c| c.putfh(args::PutFh { object }).read(read)) == Status::OK;
    }
    for reader in &mut readers {
        reader.unmount();
    }
    all.to_string()
}

fn within(start: Instant, limit: Duration) -> String {
    match start.elapsed() {
        soon if soon < limit => "soon".to_owned(),
        _ => "late".to_owned(),
    }
}

/// Asks for what only the holder of a write delegation knows.
fn look_at_size() -> args::GetAttr {
    let attr_request = Bitmap::of(&[num::SIZE, num::CHANGE]);
    args::GetAttr { attr_request }
}

/// When a look at a file is answered whose holder does not say what it knows.
pub(super) fn answered_without_the_holder(server: &Server<'_>) -> String {
    let (mut holder, mut other) = (reachable(server), mounted(server));
    let delegated = holder.try_open(&unique()).expect("an open").delegation;
    assert!(delegated.is_some(), "it is delegated");
    let object = &holder.file.clone()[..];
    let start = Instant::now();
    let look = |other: &mut Client| {
        other.in_session(|c| c.putfh(args::PutFh { object }).getattr(look_at_size()))
    };
    while look(&mut other) == Status::DELAY {}
    within(start, Duration::from_millis(1_500))
}

/// When a recall comes again that the holder has answered with DELAY.
pub(super) fn called_again(server: &Server<'_>) -> String {
    let (mut holder, mut other) = (reachable(server), mounted(server));
    let name = unique();
    let delegated = holder.try_open(&name).expect("an open").delegation;
    assert!(delegated.is_some(), "it is delegated");
    assert_eq!(other.try_open(&name).err(), Some(Status::DELAY));
    let call = holder.connection.record().expect("a call");
    let (header, _) = CallHeader::decode(&call).expect("a call");
    let mut later = CbReplyBuilder::reply(header.xid, b"");
    let refused = later
        .raw(CbOp::Sequence.number(), Status::DELAY, &[])
        .finish();
    let start = Instant::now();
    holder.connection.send(&refused).expect("it reads");
    holder.connection.record().expect("the same call");
    within(start, Duration::from_millis(1_500))
}

/// What becomes of a request that waits when its connection drains.
pub(super) fn under_way_while_draining(server: &Server<'_>) -> String {
    // It waits for a fifth of a second, and the administrator may come late.
    let closed = (0..5).any(|_| is_cut_off(server));
    if closed { "closed" } else { "answered" }.to_owned()
}

/// Whether a connection is closed before a request is answered that waits for the holder of a delegation.
fn is_cut_off(server: &Server<'_>) -> bool {
    let (mut holder, mut other) = (reachable(server), mounted(server));
    let delegated = holder.try_open(&unique()).expect("an open").delegation;
    assert!(delegated.is_some(), "it is delegated");
    let object = &holder.file.clone()[..];
    let call = other
        .compose()
        .putfh(args::PutFh { object })
        .getattr(look_at_size())
        .finish();
    other.connection.send(&call).expect("it reads");
    // The holder is asked, so the request has begun.
    holder.connection.record().expect("a call");
    (server.drain)(&other.session);
    other.connection.record().is_err()
}

const CHANNEL: ChannelAttrs = ChannelAttrs {
    headerpadsize: 0,
    maxrequestsize: 1 << 20,
    maxresponsesize: 1 << 20,
    maxresponsesize_cached: 4_096,
    maxoperations: 16,
    maxrequests: 16,
    rdma_ird: None,
};
