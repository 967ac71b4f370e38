//! Records out of captures of TCP, in the format of `tcpdump -w`.

use std::collections::{BTreeMap, HashMap};

use nfs4_engine::bytes::{Bytes, BytesMut};
use nfs4_proto::rpc::{Cut, RecordCutter, RecordLimits};

/// A record, and which way of which connection it went.
pub struct Record {
    /// The number of the connection.
    pub connection: usize,
    /// The ends of the connection: where it was opened from, and to.
    pub ends: (End, End),
    /// Whether it came from the end that opened the connection.
    pub by_opener: bool,
    /// Without marks.
    pub bytes: Bytes,
}

/// All records of a capture in the order in which they were complete. A stream of which a part is
/// missing, or that is none of records, ends there.
pub fn records(capture: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    let mut connections = Connections::default();
    for packet in packets(capture) {
        if let Some(segment) = Segment::of(packet) {
            connections.take(&segment, &mut found);
        }
    }
    found
}

/// The packets of a capture made on this kind of machine.
fn packets(capture: &[u8]) -> impl Iterator<Item = &[u8]> {
    let known = capture.get(..4).is_some_and(|magic| {
        let magic = u32::from_le_bytes([magic[0], magic[1], magic[2], magic[3]]);
        magic == MAGIC || magic == MAGIC_NANOSECONDS
    });
    assert!(known, "a capture in pcap's format");
    let mut rest = &capture[GLOBAL_HEADER..];
    std::iter::from_fn(move || {
        let header = rest.get(..PACKET_HEADER)?;
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let packet = rest.get(PACKET_HEADER..PACKET_HEADER + len)?;
        rest = &rest[PACKET_HEADER + len..];
        Some(packet)
    })
}

/// A segment of TCP over IPv4.
struct Segment<'a> {
    from: End,
    to: End,
    seq: u32,
    syn: bool,
    payload: &'a [u8],
}

/// An address and a port.
pub type End = ([u8; 4], u16);

impl Segment<'_> {
    fn of(packet: &[u8]) -> Option<Segment<'_>> {
        let ip = packet
            .get(ETHERNET..)
            .filter(|_| packet[12..14] == [8, 0])?;
        let ip = ip.get(..usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?])))?;
        let tcp = ip
            .get(usize::from(ip[0] & 15) * 4..)
            .filter(|_| ip[9] == 6)?;
        let payload = tcp.get(usize::from(*tcp.get(12)? >> 4) * 4..)?;
        let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        Some(Segment {
            from: (ip[12..16].try_into().ok()?, port(0)),
            to: (ip[16..20].try_into().ok()?, port(2)),
            seq: u32::from_be_bytes(tcp[4..8].try_into().ok()?),
            syn: tcp[13] & 2 != 0,
            payload,
        })
    }
}

#[derive(Default)]
struct Connections {
    ways: HashMap<(End, End), Way>,
    opened: usize,
}

/// One way of a connection.
struct Way {
    connection: usize,
    ends: (End, End),
    by_opener: bool,
    next: u32,
    early: BTreeMap<u32, Vec<u8>>,
    stream: BytesMut,
    cutter: RecordCutter,
    ended: bool,
}

impl Connections {
    fn take(&mut self, segment: &Segment<'_>, found: &mut Vec<Record>) {
        let key = (segment.from, segment.to);
        if segment.syn {
            let back = self.ways.get(&(segment.to, segment.from));
            let answers = back.filter(|back| back.by_opener && !self.ways.contains_key(&key));
            let (connection, by_opener) = match answers {
                Some(back) => (back.connection, false),
                None => (self.opened, true),
            };
            if by_opener {
                self.opened += 1;
                self.ways.remove(&(segment.to, segment.from));
            }
            let ends = if by_opener { key } else { (key.1, key.0) };
            self.ways
                .insert(key, Way::new(connection, ends, by_opener, segment.seq));
        } else if let Some(way) = self.ways.get_mut(&key) {
            way.take(segment, found);
        }
    }
}

impl Way {
    fn new(connection: usize, ends: (End, End), by_opener: bool, syn: u32) -> Way {
        Way {
            connection,
            ends,
            by_opener,
            next: syn.wrapping_add(1),
            early: BTreeMap::new(),
            stream: BytesMut::new(),
            cutter: RecordCutter::new(RecordLimits {
                max_record: 2 << 20,
                max_fragments: 4_096,
            }),
            ended: false,
        }
    }

    fn take(&mut self, segment: &Segment<'_>, found: &mut Vec<Record>) {
        if self.ended || segment.payload.is_empty() {
            return;
        }
        let ahead = segment.seq.wrapping_sub(self.next) as i32;
        if ahead > 0 {
            self.early.insert(segment.seq, segment.payload.to_vec());
            self.ended = self.early.len() > MAX_EARLY;
            return;
        }
        self.append(segment.seq, segment.payload);
        while let Some(entry) = self.early.first_entry()
            && entry.key().wrapping_sub(self.next) as i32 <= 0
        {
            let (seq, payload) = entry.remove_entry();
            self.append(seq, &payload);
        }
        loop {
            match self.cutter.cut(&mut self.stream) {
                Ok(Cut::Record(bytes)) => found.push(Record {
                    connection: self.connection,
                    ends: self.ends,
                    by_opener: self.by_opener,
                    bytes,
                }),
                Ok(Cut::Need(_)) => return,
                Err(_) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// Appends what is new of a segment.
    fn append(&mut self, seq: u32, payload: &[u8]) {
        let old = self.next.wrapping_sub(seq) as usize;
        if let Some(new) = payload.get(old..) {
            self.stream.extend_from_slice(new);
            self.next = self.next.wrapping_add(new.len() as u32);
        }
    }
}

const MAGIC: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const GLOBAL_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
const ETHERNET: usize = 14;
const MAX_EARLY: usize = 64;
