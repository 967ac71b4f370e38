//! A client of NFSv4.1 with its sessions and connections, ready for load.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use nfs4_proto::client::{CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, CallbackSecParms, ChannelDirFromClient};
use nfs4_proto::nfs4::{ClientId, SessionId, Verifier};
use nfs4_proto::xdr::List;

use crate::channel::{Channel, compound, succeeded};
use crate::fault::{At as _, Fault};
use crate::slot::Slot;

/// How connections, sessions and slots are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) connections: usize,
    /// Sessions of one client; connection `c` is bound to session `c % sessions`.
    pub(crate) sessions: usize,
    /// Slots in flight on a connection.
    pub(crate) depth: usize,
}

impl Layout {
    /// Slots that one session must have.
    pub(crate) fn slots(self) -> usize {
        self.connections.div_ceil(self.sessions) * self.depth
    }

    /// The slot of a session that is the `turn`th of a connection.
    pub(crate) fn slot(self, connection: usize, turn: usize) -> u32 {
        (connection / self.sessions * self.depth + turn) as u32
    }
}

/// A client that a server knows.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: ClientId,
    /// The number of its next CREATE_SESSION.
    pub(crate) sequence: u32,
}

/// A session and the slot on which the client sends one request at a time.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) highest_slot: u32,
    slot: Slot,
}

/// All that a client has on a server.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) channels: Vec<Channel>,
    pub(crate) client: Client,
    pub(crate) sessions: Vec<Session>,
}

impl Mount {
    /// Connects, creates the sessions and binds all other connections to them.
    ///
    /// # Errors
    /// The server refuses a step, or grants fewer slots than the layout needs.
    pub(crate) fn new(server: SocketAddr, layout: Layout) -> Result<Mount, Fault> {
        let channels = (0..layout.connections).map(|_| Channel::connect(server));
        let mut channels = channels.collect::<Result<Vec<_>, _>>()?;
        let mut client = exchange_id(&mut channels[0])?;
        let mut sessions: Vec<Session> = Vec::new();
        for (at, channel) in channels.iter_mut().enumerate() {
            if at >= layout.sessions {
                let session = sessions[at % layout.sessions].id;
                bind(channel, session).at(format_args!("connection {at}"))?;
                continue;
            }
            let call = create_session(&client, layout.slots() as u32, at as u32);
            sessions.push(created(channel, &call, layout)?);
            client.sequence += 1;
        }
        let mut mount = Mount {
            channels,
            client,
            sessions,
        };
        mount.ask("RECLAIM_COMPLETE", |call| {
            call.reclaim_complete(args::ReclaimComplete { one_fs: false })
        })?;
        Ok(mount)
    }

    /// A COMPOUND in the first session, of which all operations must succeed; returns its reply.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn ask(
        &mut self,
        what: &str,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Result<Vec<u8>, Fault> {
        let reply = self.try_ask(build).at(what)?;
        succeeded(&reply)?;
        Ok(reply)
    }

    /// A COMPOUND in the first session; returns its reply, however that ends.
    ///
    /// # Errors
    /// The connection is lost, or SEQUENCE fails.
    pub(crate) fn try_ask(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Result<Vec<u8>, Fault> {
        let session = &mut self.sessions[0];
        let sequenceid = session.slot.begin();
        let mut call = compound(sequenceid);
        call.sequence(args::Sequence {
            sessionid: session.id,
            sequenceid,
            slotid: session.slot.id,
            highest_slotid: session.highest_slot,
            cachethis: false,
        });
        let reply = self.channels[0].exchange(&build(&mut call).finish())?;
        let sequenced = ReplyReader::parse(&reply).at("a reply")?.sequence();
        session.slot.end(sequenced.is_ok());
        sequenced.at("a slot")?;
        Ok(reply)
    }

    /// The slots for load: those of the first session go on where the client is.
    pub(crate) fn slot(&self, session: usize, slot: u32) -> Slot {
        let own = self.sessions[session].slot;
        if own.id == slot { own } else { Slot::new(slot) }
    }

    /// The load is over, and its slots are where they are.
    pub(crate) fn take_back(&mut self, session: usize, slot: Slot) {
        let own = &mut self.sessions[session].slot;
        if own.id == slot.id {
            *own = slot;
        }
    }

    /// DESTROY_SESSION of all sessions and DESTROY_CLIENTID.
    ///
    /// # Errors
    /// The server refuses one of them.
    pub(crate) fn end(mut self) -> Result<(), Fault> {
        for (session, channel) in self.sessions.iter().zip(&mut self.channels) {
            let sessionid = session.id;
            let destroy = args::DestroySession { sessionid };
            let call = compound(1).destroy_session(destroy).finish();
            channel.call("DESTROY_SESSION", &call)?;
        }
        forget(&mut self.channels[0], self.client.id)
    }
}

/// EXCHANGE_ID of a client that no server has seen before.
///
/// # Errors
/// The server refuses it.
pub(crate) fn exchange_id(channel: &mut Channel) -> Result<Client, Fault> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = since.unwrap_or_default().as_nanos() as u64;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let owner = format!("nfs4-bench {} {now} {count}", std::process::id());
    let exchange = args::ExchangeId {
        clientowner: args::ClientOwner {
            verifier: Verifier(now.to_be_bytes()),
            ownerid: owner.as_bytes(),
        },
        flags: 0,
        state_protect: args::StateProtect::None,
        client_impl_id: None,
    };
    let reply = channel.call("EXCHANGE_ID", &compound(1).exchange_id(exchange).finish())?;
    let mut results = ReplyReader::parse(&reply).at("EXCHANGE_ID")?;
    let made = results.exchange_id().at("EXCHANGE_ID")?;
    Ok(Client {
        id: made.clientid,
        sequence: made.sequenceid,
    })
}

/// The call CREATE_SESSION for a session with so many slots.
pub(crate) fn create_session(client: &Client, slots: u32, xid: u32) -> Vec<u8> {
    let channel = args::ChannelAttrs {
        headerpadsize: 0,
        maxrequestsize: LARGEST,
        maxresponsesize: LARGEST,
        maxresponsesize_cached: 4_096,
        maxoperations: 16,
        maxrequests: slots,
        rdma_ird: None,
    };
    let create = args::CreateSession {
        clientid: client.id,
        sequence: client.sequence,
        flags: 0,
        fore_chan_attrs: channel,
        back_chan_attrs: args::ChannelAttrs {
            maxrequestsize: 4_096,
            maxresponsesize: 4_096,
            maxrequests: 1,
            ..channel
        },
        cb_program: 0x4000_0000,
        sec_parms: List::new(&[CallbackSecParms::None]),
    };
    compound(xid).create_session(create).finish()
}

/// DESTROY_CLIENTID.
///
/// # Errors
/// The server refuses it.
pub(crate) fn forget(channel: &mut Channel, clientid: ClientId) -> Result<(), Fault> {
    let destroy = args::DestroyClientId { clientid };
    let call = compound(1).destroy_clientid(destroy).finish();
    channel.call("DESTROY_CLIENTID", &call).map(drop)
}

fn created(channel: &mut Channel, call: &[u8], layout: Layout) -> Result<Session, Fault> {
    let what = "CREATE_SESSION";
    let reply = channel.call(what, call)?;
    let mut results = ReplyReader::parse(&reply).at(what)?;
    let made = results.create_session().at(what)?;
    let (granted, needed) = (made.fore_chan_attrs.maxrequests, layout.slots() as u32);
    if granted < needed {
        return Err(Fault::new(format!(
            "the server grants a session {granted} slots, and {needed} are needed"
        )));
    }
    Ok(Session {
        id: made.sessionid,
        highest_slot: needed - 1,
        slot: Slot::new(0),
    })
}

/// Binds a connection to a session's fore channel [RFC 8881 §18.34].
fn bind(channel: &mut Channel, sessid: SessionId) -> Result<(), Fault> {
    let bind = args::BindConnToSession {
        sessid,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let call = compound(1).bind_conn_to_session(bind).finish();
    channel.call("BIND_CONN_TO_SESSION", &call).map(drop)
}

/// What sessions are asked to carry in one record: 1 MiB of data and what is around it.
const LARGEST: u32 = (1 << 20) + (64 << 10);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_requests_in_flight_share_a_slot() {
        for (connections, sessions, depth) in [(1, 1, 1), (4, 4, 32), (5, 2, 3), (16, 3, 4)] {
            let layout = Layout {
                connections,
                sessions,
                depth,
            };
            let mut seen = BTreeSet::new();
            for connection in 0..connections {
                for turn in 0..depth {
                    let slot = layout.slot(connection, turn);
                    assert!((slot as usize) < layout.slots(), "{layout:?}");
                    assert!(seen.insert((connection % sessions, slot)), "{layout:?}");
                }
            }
        }
    }
}
