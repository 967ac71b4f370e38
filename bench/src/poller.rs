//! Waiting for sockets.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// A set of sockets, each under a number.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// A socket of which something is to be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) number: usize,
    /// It may be written, and may be read too.
    pub(crate) writable: bool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(128),
        })
    }

    /// Adds a socket that is waited for until it can be read.
    pub(crate) fn add(&self, number: usize, socket: impl AsFd) -> io::Result<()> {
        let data = EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, socket, data, EventFlags::IN)?)
    }

    /// Waits for a socket until it can be read, and if so wanted until it can be written.
    pub(crate) fn change(&self, number: usize, socket: &TcpStream, write: bool) -> io::Result<()> {
        let data = EventData::new_u64(number as u64);
        let flags = match write {
            true => EventFlags::IN | EventFlags::OUT,
            false => EventFlags::IN,
        };
        Ok(epoll::modify(&self.epoll, socket, data, flags)?)
    }

    /// Puts the sockets that are ready into `ready`; none if the time is over.
    pub(crate) fn wait(&mut self, time: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.events.clear();
        ready.clear();
        let time = Timespec {
            tv_sec: time.as_secs() as i64,
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        ready.extend(self.events.iter().map(|event| Ready {
            number: event.data.u64() as usize,
            writable: { event.flags }.contains(EventFlags::OUT),
        }));
        Ok(())
    }
}
