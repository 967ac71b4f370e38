//! The input of `engine_wire`: frames, each for one connection.

/// A step: two bytes that say what is done, the length of the payload, and the payload.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Which connection, what is done, and how: see the constants.
    pub control: u8,
    /// A number whose meaning depends on what is done.
    pub arg: u8,
    /// A record without its mark, or bytes of a stream.
    pub payload: &'a [u8],
}

/// What a frame does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Sends the payload as a record.
    Record,
    /// Sends the payload as it is.
    Stream,
    /// Sends the payload as the reply to a callback that waits for one.
    Reply,
    /// Lets time pass, and runs the timers.
    Time,
    /// Closes the connection, and opens another in its place.
    Reconnect,
    /// Makes file systems late or not, or lets one answer.
    Files,
    /// Is the administrator's, or another program's on the server.
    Administer,
}

impl<'a> Frame<'a> {
    /// Number of connections.
    pub const CONNECTIONS: usize = 4;
    /// Ids in the payload are what they seem: they are not replaced by those of the server.
    pub const VERBATIM: u8 = 1 << 5;
    /// The record is sent in fragments of `arg` bytes.
    pub const FRAGMENTS: u8 = 1 << 6;
    /// The bytes arrive in pieces of `arg` bytes.
    pub const PIECES: u8 = 1 << 7;
    /// Bytes before the payload.
    pub const HEAD: usize = 4;

    /// A record for a connection.
    pub fn record(connection: usize, payload: &'a [u8]) -> Frame<'a> {
        Frame {
            control: connection as u8,
            arg: 0,
            payload,
        }
    }

    /// The reply to a callback.
    pub fn reply(payload: &'a [u8]) -> Frame<'a> {
        Frame {
            control: REPLY << 2,
            arg: 0,
            payload,
        }
    }

    /// What is done.
    pub fn deed(&self) -> Deed {
        match self.control >> 2 & 7 {
            2 => Deed::Stream,
            REPLY => Deed::Reply,
            4 => Deed::Time,
            5 => Deed::Reconnect,
            6 => Deed::Files,
            7 => Deed::Administer,
            _ => Deed::Record,
        }
    }

    /// The number of the connection.
    pub fn connection(&self) -> usize {
        usize::from(self.control) % Frame::CONNECTIONS
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.control & flag != 0
    }

    /// Takes the first frame off `data`; the last may be cut short.
    pub fn take(data: &mut &'a [u8]) -> Option<Frame<'a>> {
        let ([control, arg, high, low], rest) = data.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (payload, rest) = rest.split_at(len.min(rest.len()));
        *data = rest;
        Some(Frame {
            control: *control,
            arg: *arg,
            payload,
        })
    }

    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
        let len = self.payload.len().min(usize::from(u16::MAX));
        out.extend([self.control, self.arg]);
        out.extend((len as u16).to_be_bytes());
        out.extend_from_slice(&self.payload[..len]);
    }
}

const REPLY: u8 = 3;
