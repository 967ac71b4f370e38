//! Keeping a server busy for a while, and measuring it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::channel::{Channel, PATIENCE};
use crate::fault::{At as _, Fault};
use crate::files::Files;
use crate::lane::{Ended, Ground, Lane, Seat};
use crate::line::{AT_ONCE, Line};
use crate::measure::{Meter, Sample};
use crate::mount::{Layout, Mount, exchange_id, forget};
use crate::poller::Poller;
use crate::workload::{Echo, LARGE, SMALL, Step, Workload};

/// What to load, and how.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) server: SocketAddr,
    /// The process whose use of the machine counts, if it is known.
    pub(crate) process: Option<u32>,
    pub(crate) layout: Layout,
    /// What is measured begins after this time.
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

impl Load {
    /// Asks a server for a workload.
    ///
    /// # Errors
    /// The server cannot be used, or the connection is lost. Replies that are no success are
    /// counted.
    pub(crate) fn run(&self, workload: Workload) -> Result<Sample, Fault> {
        if workload == Workload::Sessions {
            return self.run_sessions();
        }
        let layout = self.layout;
        let mut mount = Mount::new(self.server, layout)?;
        let files = Files::prepare(&mut mount, workload)?;
        let parts = files.parts.len();
        let ground = Ground {
            steps: workload.steps(parts),
            files: Some(files),
            filling: Arc::from([]),
        };
        let mut lanes = Vec::new();
        for at in 0..layout.connections * layout.depth {
            let (connection, turn) = (at / layout.depth, at % layout.depth);
            let of = connection % layout.sessions;
            let seat = Seat::Slot {
                client: mount.client.id,
                session: mount.sessions[of].id,
                highest: mount.sessions[of].highest_slot,
                slot: mount.slot(of, layout.slot(connection, turn)),
            };
            lanes.push(Lane::new(at as u32, connection, seat, ground.steps.len()));
        }
        let mut sample = self.keep_busy(&mut mount.channels, &mut lanes, &ground)?;
        sample.count_as_one(workload.requests_in_one(parts));
        for lane in &lanes {
            if let Seat::Slot { slot, .. } = lane.seat {
                mount.take_back(lane.connection % layout.sessions, slot);
            }
        }
        if let Some(files) = &ground.files {
            verify(&mut mount, files, &ground.steps, lanes.len())?;
            files.close(&mut mount)?;
        }
        // What was measured was measured all the same.
        sample.after = mount.end().err();
        Ok(sample)
    }

    /// Asks an echo server, or a plain one, for these records.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn run_echo(&self, echoes: &[Echo]) -> Result<Sample, Fault> {
        let longest = echoes.iter().map(|echo| echo.size.call).max().unwrap_or(0);
        let ground = Ground {
            steps: echoes.iter().copied().map(Step::Echo).collect(),
            files: None,
            filling: vec![0; longest].into(),
        };
        let mut channels = self.connect()?;
        let mut lanes = self.lanes(|_| Ok(Seat::Echo), ground.steps.len())?;
        self.keep_busy(&mut channels, &mut lanes, &ground)
    }

    fn run_sessions(&self) -> Result<Sample, Fault> {
        let ground = Ground {
            steps: Workload::Sessions.steps(0),
            files: None,
            filling: Arc::from([]),
        };
        let mut channels = self.connect()?;
        let mut seat = |connection: usize| exchange_id(&mut channels[connection]).map(Seat::Client);
        let mut lanes = self.lanes(&mut seat, ground.steps.len())?;
        let sample = self.keep_busy(&mut channels, &mut lanes, &ground)?;
        for lane in &lanes {
            if let Seat::Client(client) = &lane.seat {
                forget(&mut channels[lane.connection], client.id)?;
            }
        }
        Ok(sample)
    }

    fn connect(&self) -> Result<Vec<Channel>, Fault> {
        let all = 0..self.layout.connections;
        all.map(|_| Channel::connect(self.server)).collect()
    }

    fn lanes(
        &self,
        mut seat: impl FnMut(usize) -> Result<Seat, Fault>,
        steps: usize,
    ) -> Result<Vec<Lane>, Fault> {
        let all = 0..self.layout.connections * self.layout.depth;
        all.map(|at| {
            let connection = at / self.layout.depth;
            Ok(Lane::new(at as u32, connection, seat(connection)?, steps))
        })
        .collect()
    }

    /// Sends a request as soon as a lane has its reply; at the end lets all lanes end their steps.
    fn keep_busy(
        &self,
        channels: &mut [Channel],
        lanes: &mut [Lane],
        ground: &Ground,
    ) -> Result<Sample, Fault> {
        let mut poller = Poller::new().at("epoll")?;
        let mut lines = Vec::new();
        for (number, channel) in channels.iter().enumerate() {
            let socket = channel.stream.try_clone().at("a connection")?;
            lines.push(Line::new(number, socket, &poller).at("a connection")?);
        }
        let mut run = Run::new(Meter::new(self.process, self.warm_up, self.time));
        for lane in lanes.iter_mut() {
            lane.start(ground, &mut lines[lane.connection].outbox, Instant::now());
            run.flying += 1;
        }
        for line in &mut lines {
            line.send(&poller).at("cannot send")?;
        }
        let mut buffer = vec![0; AT_ONCE];
        let mut ready = Vec::new();
        while run.flying > 0 {
            poller.wait(PATIENCE, &mut ready).at("epoll")?;
            if ready.is_empty() {
                return Err(Fault::new("the server has stopped replying"));
            }
            for event in &ready {
                let line = &mut lines[event.number];
                let now = Instant::now();
                let open = line.receive(&mut buffer, |head, len, outbox| {
                    run.reply(lanes, ground, (head, len), outbox, now);
                });
                if !open.at("no reply")? {
                    return Err(Fault::new("the server has closed the connection"));
                }
                if event.writable || !line.outbox.is_empty() {
                    line.send(&poller).at("cannot send")?;
                }
            }
            if let Some(fault) = run.fault {
                return Err(fault);
            }
            run.meter.tick().at("the server's process")?;
        }
        drop(lines);
        for channel in channels {
            channel.stream.set_nonblocking(false).at("a connection")?;
        }
        let sizes = lanes.first().and_then(Lane::sizes).unwrap_or_default();
        run.meter.end(run.histogram, run.errors, sizes)
    }
}

/// What has happened so far.
struct Run {
    meter: Meter,
    histogram: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    /// Requests in flight.
    flying: usize,
    fault: Option<Fault>,
}

impl Run {
    fn new(meter: Meter) -> Run {
        Run {
            meter,
            histogram: Sample::histogram(),
            errors: BTreeMap::new(),
            flying: 0,
            fault: None,
        }
    }

    fn reply(
        &mut self,
        lanes: &mut [Lane],
        ground: &Ground,
        (head, len): (&[u8], usize),
        outbox: &mut crate::outbox::Outbox,
        now: Instant,
    ) {
        let lane = Lane::of_reply(head).and_then(|index| lanes.get_mut(index));
        let Some(lane) = lane.filter(|lane| lane.awaits(head)) else {
            self.fault = Some(Fault::new("a reply to a call that is not in flight"));
            return;
        };
        self.flying -= 1;
        let data = match lane.finish(ground, head, len) {
            Ended::Well(data) => data,
            Ended::Badly(why) => {
                *self.errors.entry(why).or_default() += 1;
                0
            }
        };
        if self.meter.count(data) {
            let took = now.saturating_duration_since(lane.sent).as_nanos() as u64;
            self.histogram.saturating_record(took);
        }
        if !(self.meter.is_over() && lane.rests()) {
            lane.start(ground, outbox, now);
            self.flying += 1;
        }
    }
}

/// Reads back what was written.
fn verify(mount: &mut Mount, files: &Files, steps: &[Step], lanes: usize) -> Result<(), Fault> {
    let written = |bytes| steps.contains(&Step::Write(bytes));
    if written(LARGE) {
        return files.expect(mount, 0, &files.written);
    }
    if written(SMALL) {
        for lane in 0..lanes.min(LARGE / SMALL) {
            let offset = Lane::offset(lane as u32, SMALL);
            files.expect(mount, offset, &files.written[..SMALL])?;
        }
    }
    Ok(())
}
