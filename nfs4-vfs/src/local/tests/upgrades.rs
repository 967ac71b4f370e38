//! Files that are opened to write while they are leased for reading.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use nfs4_engine::Touch;
use nfs4_engine::fs::{Authority, Stability};

use super::leases::{LONG, News, Play, READ, WRITE, open_to_write};
use super::*;

#[test]
fn who_may_not_write_the_file_recalls_nothing() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.lease(READ).unwrap();
    let op = FsOp::Write {
        fh: play.fh,
        offset: 0,
        data: Bytes::from_static(b"c"),
        stability: Stability::File,
        authority: Authority::Credential,
    };
    let other = rustix::process::geteuid().as_raw() + 1;
    let stranger = Credential::sys(other, other, &[]);
    let written = play.scene.submit_as(stranger, op);
    assert_eq!(written.err(), Some(FsError::AccessDenied));
    play.assert_quiet();
    let process = play.process(|path| drop(File::open(path).unwrap()));
    process.join().unwrap();
    play.assert_quiet();
}

/// The client that has it delegated.
#[test]
fn a_file_that_is_leased_for_reading_is_opened_to_write_without_a_recall() {
    type Act = fn(&Path);
    let reads: Act = |path| drop(File::open(path).unwrap());
    let writes: Act = |path| drop(open_to_write(path));
    for act in [reads, writes] {
        let Some(play) = Play::new(true, false) else {
            return;
        };
        play.lease(READ).unwrap();
        play.open(false, true).unwrap();
        play.write().unwrap();
        // Delegations to read, and one to write, are as good as before.
        play.lease(READ).unwrap();
        play.unlease();
        play.assert_quiet();
        // No process comes in between: also for one that reads the delegation comes back, as the file is not
        // protected from others afterwards.
        let process = play.process(act);
        for _ in 0..2 {
            assert_eq!(play.news(), News::Wanted(play.fh, Touch::Change));
        }
        assert!(!process.is_finished());
        play.unlease();
        process.join().unwrap();
    }
}

#[test]
fn a_delegation_for_reading_becomes_one_for_writing() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.lease(READ).unwrap();
    play.open(true, true).unwrap();
    play.lease(WRITE).unwrap();
    // The one for reading is returned.
    play.unlease();
    assert_eq!(play.lease(READ), Err(FsError::Busy));
    let process = play.process(|path| drop(File::open(path).unwrap()));
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
    play.unlease();
    process.join().unwrap();
}

/// A process changes the file just while its lease is exchanged, or a moment before or after.
#[test]
fn no_process_comes_in_between_unnoticed() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    let began = Instant::now();
    let mut round = 0;
    while began.elapsed() < Duration::from_secs(2) {
        round += 1;
        // The thread of the leases may still have the last one.
        while let Err(error) = play.lease(READ) {
            assert_eq!(error, FsError::Busy);
            assert!(began.elapsed() < LONG, "it is never leased");
        }
        let both = Arc::new(Barrier::new(2));
        let start = Arc::clone(&both);
        let process = play.process(move |path| {
            start.wait();
            for _ in 0..round % 100 * 30 {
                std::hint::spin_loop();
            }
            open_to_write(path).write_all(b"other").unwrap();
        });
        both.wait();
        let opened = play.scene.ask(play.opening(false, true));
        // Whether the process waits, or was in the file already.
        let news = play.news();
        let is_told = matches!(
            news,
            News::Wanted(_, Touch::Change) | News::Lost(_, Touch::Change)
        );
        assert!(is_told, "{news:?}");
        play.unlease();
        process.join().unwrap();
        if opened.is_ok() {
            play.scene.files.release(play.fh);
        }
        while play.news.try_recv().is_ok() {}
    }
}
