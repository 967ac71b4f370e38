use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use nfs4_engine::fs::{Backend, Capabilities, Completion, Flavor, FsHandle, FsReply};
use nfs4_engine::fs::{FsRequest, FsResult, Pending};
use nfs4_engine::proto::client::{CallCredential, CbReplyBuilder, CompoundBuilder};
use nfs4_engine::proto::nfs4::any::CbResOp;
use nfs4_engine::proto::nfs4::attr::num;
use nfs4_engine::proto::nfs4::res::Outcome;
use nfs4_engine::proto::nfs4::{Bitmap, args, callback};
use nfs4_engine::{Boot, Config, Engine, Export, Now};
use nfs4_vfs::{MemFs, MemFsConfig};
use tracing_subscriber::filter::LevelFilter;

use super::*;
use crate::{Limits, ManualClock, Node};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What is logged at any level while `log` runs.
    fn of(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let written = lines.0.lock().expect("no panic under it").clone();
        String::from_utf8(written).expect("the log is text")
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file system that answers when the test does so.
struct Silent {
    files: MemFs,
    asked: Mutex<Vec<Completion>>,
}

impl Backend for Silent {
    fn root(&self) -> FsHandle {
        self.files.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.files.capabilities()
    }

    fn submit(&self, _: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        self.asked
            .lock()
            .expect("no panic under it")
            .push(pending.completion());
        Poll::Pending
    }

    fn release(&self, _: FsHandle) {}
}

#[test]
fn what_arrives_is_a_call_or_the_answer_to_a_callback() {
    let ok = callback::res::CbSequenceOk {
        sessionid: SessionId([0; 16]),
        sequenceid: 1,
        slotid: 0,
        highest_slotid: 0,
        target_highest_slotid: 0,
    };
    let reply = CbReplyBuilder::reply(6, b"")
        .result(&CbResOp::Sequence(Outcome::Ok(ok)))
        .finish();
    let told = Lines::of(|| answer(ConnId::FIRST, &reply[Mark::LEN..]));
    assert!(told.contains("NFS4_OK: CB_SEQUENCE {"), "{told}");
    assert!(told.contains("callback=1.00000006"), "{told}");
    assert!(!told.contains("malformed"), "{told}");
}

#[test]
fn all_lines_that_a_request_causes_have_its_name() {
    let files = Arc::new(Silent {
        files: MemFs::new(MemFsConfig::new(1, 1 << 20)),
        asked: Mutex::default(),
    });
    let config = Config::default().with(|config| config.slow_request = Duration::from_secs(1));
    let export = Export::new("/", Arc::clone(&files) as _);
    let exports = vec![export.with(|export| export.flavors = vec![Flavor::None])];
    let boot = Boot::new(1, [7; 16], *b"log");
    let engine = Engine::new(boot, config, exports, Now::default()).unwrap();
    let clock = Arc::new(ManualClock::default());
    let node = Node::with_clock(engine, Limits::default(), Arc::clone(&clock) as _).unwrap();
    let told = Lines::of(|| {
        let mut connection = node.open("192.0.2.1:700").unwrap();
        let attr_request = Bitmap::of(&[num::SIZE]);
        let call = CompoundBuilder::call(0x77, &CallCredential::None, b"", 0)
            .putrootfh()
            .getattr(args::GetAttr { attr_request })
            .finish();
        let space = connection.space().unwrap();
        space[..call.len()].copy_from_slice(&call);
        connection.received(call.len());
        while connection.step(Waker::noop()).unwrap() {}
        let mut timer = node.timer();
        timer.run(Waker::noop()).unwrap();
        clock.advance(Duration::from_millis(1_200));
        timer.run(Waker::noop()).unwrap();
        // It answers another request.
        let asked = files.asked.lock().unwrap().pop().unwrap();
        asked.complete(Ok(FsReply::Done));
        while connection.step(Waker::noop()).unwrap() {}
        assert!(!connection.is_output_empty());
    });
    let line = |text: &str| {
        let found = told.lines().find(|line| line.contains(text));
        let line = found.unwrap_or_else(|| panic!("{text} is not in: {told}"));
        assert!(line.contains("request=1.00000077"), "{line}");
        line
    };
    line("<- ");
    line("-> ");
    line("a file system breaks its contract");
    let slow = line("a request is slow");
    let parts = [
        " WARN ",
        "peer=\"192.0.2.1:700\"",
        "operation=\"GETATTR\"",
        "waits_for=\"file system\"",
        "export=0",
        "call=GetAttrs",
        "took_ms=1200",
    ];
    for part in parts {
        assert!(slow.contains(part), "{part}: {slow}");
    }
    assert!(line("a slow request is answered").contains(" INFO "));
}

#[test]
fn a_list_of_exports_is_one_short_line() {
    let files = Arc::new(MemFs::new(MemFsConfig::new(1, 1 << 20)));
    let export = |number| Export::new(format!("/export-{number}"), Arc::clone(&files) as _);
    let exports: Vec<Export> = (0..1_000).map(export).collect();
    let one = exports[7].clone();
    let told = Lines::of(|| {
        admin(&Admin::SetExports(exports));
        admin(&Admin::PutExport(Box::new(one)));
        admin(&Admin::EndGrace);
    });
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.iter().all(|line| line.len() < 200), "{told}");
    for (line, part) in lines
        .iter()
        .zip(["exports=1000", "path=\"/export-7\"", "EndGrace"])
    {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(lines.len(), 3);
}
