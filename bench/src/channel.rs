//! A connection on which one call at a time is sent and waited for.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::rpc::{AuthSys, Mark};
use nfs4_proto::xdr::List;

use crate::fault::{At as _, Fault};

/// A blocking connection to a server.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) stream: TcpStream,
}

impl Channel {
    /// # Errors
    /// The server does not listen.
    pub(crate) fn connect(server: SocketAddr) -> Result<Channel, Fault> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)
            .at(format_args!("cannot connect to {server}"))?;
        stream.set_nodelay(true).at("TCP_NODELAY")?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .at("a time limit for replies")?;
        Ok(Channel { stream })
    }

    /// Sends a call and returns the record of its reply.
    ///
    /// # Errors
    /// The connection is lost, or no reply came in time.
    pub(crate) fn exchange(&mut self, call: &[u8]) -> Result<Vec<u8>, Fault> {
        self.stream.write_all(call).at("cannot send")?;
        let mut record = Vec::new();
        loop {
            let mut mark = [0; Mark::LEN];
            self.stream.read_exact(&mut mark).at("no reply")?;
            let mark = Mark::from_bytes(mark);
            let from = record.len();
            record.resize(from + mark.len as usize, 0);
            self.stream
                .read_exact(&mut record[from..])
                .at("half a reply")?;
            if mark.last {
                return Ok(record);
            }
        }
    }

    /// Sends a COMPOUND in which all operations must succeed, and returns the record of its reply.
    ///
    /// # Errors
    /// The same, and an operation that fails.
    pub(crate) fn call(&mut self, what: &str, call: &[u8]) -> Result<Vec<u8>, Fault> {
        let reply = self.exchange(call).at(what)?;
        succeeded(&reply)?;
        Ok(reply)
    }
}

/// # Errors
/// An operation has failed; its name is in the reason.
pub(crate) fn succeeded(reply: &[u8]) -> Result<(), Fault> {
    let results = ReplyReader::parse(reply).and_then(|mut results| results.finish());
    results.map_err(|why| Fault::new(why.to_string()))
}

/// Starts a COMPOUND of minor version 1, as root.
pub(crate) fn compound(xid: u32) -> CompoundBuilder {
    CompoundBuilder::call(xid, &CallCredential::Sys(ROOT), b"", 1)
}

const ROOT: AuthSys<'_> = AuthSys {
    stamp: 0,
    machinename: b"nfs4-bench",
    uid: 0,
    gid: 0,
    gids: List::empty(),
};

/// Time after which a reply counts as lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
