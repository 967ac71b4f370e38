//! The plain server: the echo server with a file, on which it makes the one system call that a request
//! is about.
//!
//! A GETATTR is one `statx`, a READ one `pread` straight into the reply, and a WRITE one `pwrite` of each
//! piece as it arrives, so that no byte is copied twice. A server of files cannot cost less.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use nfs4_proto::rpc::{Mark, write_mark};
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, StatxFlags, statx};
use rustix::io::{pread, pwrite};

use crate::call::{BULK, ECHO_HEAD};
use crate::cli::Plain as Options;
use crate::echo::filling;
use crate::fault::{At as _, Fault};
use crate::outbox::Outbox;
use crate::serve::{Peer, serve};
use crate::workload::{LARGE, Task};

/// Serves until the process ends.
///
/// # Errors
/// The address or the file cannot be had, or the listener fails.
pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    let listener = TcpListener::bind(options.listen).at(options.listen)?;
    println!("plain at {}", listener.local_addr().at(options.listen)?);
    serve_file(&listener, options)
}

/// The same at this listener.
///
/// # Errors
/// The file cannot be had, or the listener fails.
pub(crate) fn serve_file(listener: &TcpListener, options: &Options) -> Result<(), Fault> {
    let mut new = File::options();
    let file = new.read(true).write(true).create(true).truncate(true);
    let file = file.open(&options.file).at(options.file.display())?;
    file.write_all_at(&vec![7; LARGE], 0)
        .at(options.file.display())?;
    let (file, filling) = (Arc::new(file), filling());
    serve(listener, || {
        Plain::new(Arc::clone(&file), Arc::clone(&filling))
    })
}

/// The server's end of a connection.
pub(crate) struct Plain {
    file: Arc<File>,
    filling: Arc<[u8]>,
    /// The mark and the head of the call, as far as they have arrived.
    head: Vec<u8>,
    /// What is left of the call behind the head.
    left: usize,
}

/// A call, once its head has arrived.
struct Asked {
    xid: [u8; 4],
    reply: usize,
    task: Task,
    offset: usize,
}

impl Plain {
    pub(crate) fn new(file: Arc<File>, filling: Arc<[u8]>) -> Plain {
        Plain {
            file,
            filling,
            head: Vec::with_capacity(HEAD),
            left: 0,
        }
    }

    fn asked(&self) -> Option<Asked> {
        let words = self.head.get(Mark::LEN..HEAD)?;
        let word = |at: usize| {
            let word = words.get(4 * at..).and_then(|rest| rest.first_chunk());
            u32::from_be_bytes(*word.unwrap_or(&[0; 4]))
        };
        Some(Asked {
            xid: word(0).to_be_bytes(),
            reply: (word(1) as usize).clamp(4, self.filling.len()),
            task: Task::decode(word(2), word(3) as usize),
            offset: word(4) as usize,
        })
    }

    /// Takes bytes behind the head, and writes those that are data.
    fn body(&mut self, bytes: &[u8], asked: &Asked) {
        if let Task::Write(count) = asked.task {
            // The data ends the call.
            let skipped = self.left.saturating_sub(count).min(bytes.len());
            let data = &bytes[skipped..];
            let at = count.saturating_sub(self.left - skipped);
            // A full file system shows in what the load reads back.
            if !data.is_empty() {
                let _ = pwrite(&self.file, data, (asked.offset + at) as u64);
            }
        }
        self.left -= bytes.len();
    }

    fn answer(&self, asked: &Asked, outbox: &mut Outbox) {
        let bytes = outbox.bytes();
        bytes.extend_from_slice(&write_mark(asked.reply));
        bytes.extend_from_slice(&asked.xid);
        let mut rest = asked.reply - 4;
        match asked.task {
            Task::Stat => {
                let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
                let _ = statx(&self.file, c"", AtFlags::EMPTY_PATH, wanted);
            }
            Task::Read(count) => {
                let (from, count) = (bytes.len(), count.min(rest));
                let offset = asked.offset as u64;
                let end = from + count;
                if count < BULK {
                    bytes.resize(end, 0);
                    let _ = pread(&self.file, &mut bytes[from..], offset);
                } else {
                    // To fill that with zeros first would cost. The file ends where the data does.
                    bytes.reserve(rest);
                    let _ = pread(&self.file, spare_capacity(bytes), offset);
                    bytes.truncate(end);
                }
                rest -= bytes.len() - from;
            }
            Task::Nothing | Task::Write(_) => {}
        }
        bytes.extend_from_slice(&self.filling[..rest]);
    }
}

impl Peer for Plain {
    fn take(&mut self, mut bytes: &[u8], outbox: &mut Outbox) {
        while !bytes.is_empty() {
            if self.head.len() < HEAD {
                let (now, later) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(now);
                bytes = later;
                if self.head.len() < HEAD {
                    return;
                }
                let mark = Mark::peek(&self.head).map_or(0, |mark| mark.len as usize);
                self.left = mark.saturating_sub(ECHO_HEAD);
            }
            let Some(asked) = self.asked() else { return };
            let (now, later) = bytes.split_at(bytes.len().min(self.left));
            self.body(now, &asked);
            bytes = later;
            if self.left == 0 {
                self.answer(&asked, outbox);
                self.head.clear();
            }
        }
    }
}

const HEAD: usize = Mark::LEN + ECHO_HEAD;
