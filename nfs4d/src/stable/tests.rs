use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nfs4_engine::fs::Flavor;
use nfs4_engine::stable::RecordKey;

use super::*;

/// A directory of a test, which removes it in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let name = format!("nfs4d-state-{name}-{}", std::process::id());
        Directory(std::env::temp_dir().join(name))
    }

    fn open(&self) -> State {
        State::open(&self.0).unwrap()
    }

    fn database(&self) -> PathBuf {
        self.0.join("nfs4d.redb")
    }

    /// The message of a start that fails, which leaves the database as it is.
    fn refusal(&self) -> String {
        let before = fs::read(self.database()).ok();
        let refused = State::open(&self.0).unwrap_err();
        assert_eq!(fs::read(self.database()).ok(), before, "it is untouched");
        refused.to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_server_stays_the_same_at_another_address_and_every_start_is_another() {
    let directory = Directory::new("same");
    let state = directory.open();
    let first = state.boot(address("127.0.0.1:2049")).unwrap();
    let secret = state.secret();
    drop(state);
    let state = directory.open();
    let second = state.boot(address("192.0.2.7:4000")).unwrap();
    assert_eq!(state.secret(), secret);
    assert_ne!(secret, [0; 16]);
    assert_ne!(secret, second.entropy);
    let names = |boot: &Boot| {
        (
            boot.server_major.clone(),
            boot.server_scope.clone(),
            boot.server_minor,
        )
    };
    assert_eq!(names(&first), names(&second));
    assert_eq!(first.entropy, second.entropy);
    assert!(second.epoch > first.epoch);
    assert_ne!(first.write_verifier, second.write_verifier);
    assert_eq!(second.write_verifier[..4], second.epoch.to_be_bytes());
}

#[test]
fn the_epoch_only_grows() {
    let now = 14_000_000_000;
    assert_eq!(epoch_after(0, now), now);
    assert_eq!(epoch_after(now, now), now + 1);
    assert_eq!(epoch_after(now, 8), now + 1, "the clock is set back");
    assert_eq!(epoch_after((7 << 32) - 1, 8), (7 << 32) + 1, "never zero");
    assert_eq!(epoch_of(1_700_000_000_125), epoch_of(1_700_000_000_000) + 1);
}

#[test]
fn a_clock_that_is_set_back_does_not_repeat_an_epoch() {
    let directory = Directory::new("clock");
    let state = directory.open();
    let ahead = epoch_of(1_700_000_000_000) * 4;
    let put = state.database.write(|transaction| {
        transaction.open_table(NUMBERS)?.insert(EPOCH, ahead)?;
        Ok(())
    });
    put.unwrap();
    let listen = address("127.0.0.1:2049");
    let boots = [0, 1].map(|_| state.boot(listen).unwrap().epoch);
    assert_eq!(boots, [ahead as u32 + 1, ahead as u32 + 2]);
}

#[test]
fn an_export_keeps_its_number_and_no_other_gets_it() {
    let directory = Directory::new("numbers");
    let state = directory.open();
    let number = |state: &State, key: &str| state.export_number(key).unwrap();
    assert_eq!(["/", "/b", "/"].map(|key| number(&state, key)), [0, 1, 0]);
    drop(state);
    let state = directory.open();
    assert_eq!(["/c", "/b", "/"].map(|key| number(&state, key)), [2, 1, 0]);
    let put = state.database.write(|transaction| {
        let last = u64::from(u16::MAX);
        transaction.open_table(NUMBERS)?.insert(NEXT_EXPORT, last)?;
        Ok(())
    });
    put.unwrap();
    assert_eq!(number(&state, "/c"), 2);
    let refused = state.export_number("/d").unwrap_err().to_string();
    assert!(refused.contains("has had 65535 exports"), "{refused}");
}

#[test]
fn exports_and_settings_outlast_the_server() {
    let directory = Directory::new("exports");
    let state = directory.open();
    assert_eq!(state.exports().unwrap(), []);
    assert_eq!(state.settings().unwrap(), None);
    for (path, text) in [("/b", "2"), ("/a", "1"), ("/b", "3"), ("/c", "4")] {
        state.put_export(path, text).unwrap();
    }
    assert!(state.remove_export("/c").unwrap());
    assert!(!state.remove_export("/c").unwrap());
    state.put_settings("{}").unwrap();
    drop(state);
    let state = directory.open();
    let texts = |(path, text): (&str, &str)| (path.to_owned(), text.to_owned());
    let expected = [("/a", "1"), ("/b", "3")].map(texts);
    assert_eq!(state.exports().unwrap(), expected);
    assert_eq!(state.settings().unwrap().as_deref(), Some("{}"));
}

#[test]
fn a_directory_is_of_one_server() {
    let directory = Directory::new("one");
    let state = directory.open();
    let refused = State::open(&directory.0).unwrap_err();
    assert_eq!(refused.path, directory.0);
    assert!(matches!(refused.source, StateFault::Taken), "{refused}");
    drop(state);
    directory.open();
}

#[test]
fn what_a_kill_leaves_is_opened() {
    let directory = Directory::new("kill");
    let state = directory.open();
    let listen = address("127.0.0.1:2049");
    let boot = state.boot(listen).unwrap();
    // The file as it is while the database is open, and the rest of a database that was being made.
    let copy = fs::read(directory.database()).unwrap();
    drop(state);
    fs::write(directory.database(), copy).unwrap();
    fs::write(directory.0.join("nfs4d.redb.new"), "half").unwrap();
    let again = directory.open().boot(listen).unwrap();
    assert!(again.epoch > boot.epoch);
    assert_eq!(again.server_major, boot.server_major);
}

#[test]
fn what_is_broken_is_refused_and_untouched() {
    let directory = Directory::new("broken");
    let state = directory.open();
    state.boot(address("127.0.0.1:2049")).unwrap();
    for n in 0..200 {
        let text = "text".repeat(n);
        state.put_export(&format!("/{n}"), &text).unwrap();
    }
    drop(state);
    let path = directory.database();
    let good = fs::read(&path).unwrap();
    let half = good.len() / 2;
    for length in [0, 1, 9, 300, 4_095, 4_096, half, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let told = directory.refusal();
        assert!(told.contains("it is broken"), "{length}: {told}");
        assert!(
            told.contains("nfs4d.redb") && told.contains("a copy"),
            "{told}"
        );
    }
    fs::write(&path, vec![b'x'; good.len()]).unwrap();
    assert!(directory.refusal().contains("it is broken"));
    // A page of what is stored.
    let at = good.windows(8).position(|bytes| bytes == b"texttext");
    let mut bad = good.clone();
    bad[at.unwrap()] ^= 1;
    fs::write(&path, &bad).unwrap();
    let told = directory.refusal();
    assert!(told.contains("it is broken"), "{told}");
    fs::write(&path, good).unwrap();
    assert_eq!(directory.open().exports().unwrap().len(), 200);
}

#[test]
fn a_later_version_is_refused_and_untouched() {
    let directory = Directory::new("later");
    let state = directory.open();
    let put = state.database.write(|transaction| {
        transaction.open_table(NUMBERS)?.insert("format", 7)?;
        Ok(())
    });
    put.unwrap();
    drop(state);
    let told = directory.refusal();
    assert!(
        told.contains("its format is 7") && told.contains("that version"),
        "{told}"
    );
    // A later format of the database itself: the version is the first byte of each commit slot.
    let file = File::options()
        .write(true)
        .open(directory.database())
        .unwrap();
    for slot in [64, 192] {
        file.write_all_at(&[9], slot).unwrap();
    }
    let told = directory.refusal();
    assert!(told.contains("its format is 9 of redb"), "{told}");
}

#[test]
fn a_database_that_is_lost_is_not_made_anew() {
    let directory = Directory::new("lost");
    let state = directory.open();
    let listen = address("127.0.0.1:2049");
    let boot = state.boot(listen).unwrap();
    let aside = directory.0.join("aside");
    fs::rename(directory.database(), &aside).unwrap();
    let refused = state.put_export("/a", "1").unwrap_err();
    assert!(matches!(refused.source, StateFault::Lost), "{refused}");
    fs::write(directory.database(), "another").unwrap();
    let refused = state.put_export("/a", "1").unwrap_err();
    assert!(matches!(refused.source, StateFault::Lost), "{refused}");
    fs::remove_file(directory.database()).unwrap();
    drop(state);
    let told = directory.refusal();
    assert!(
        told.contains("missing") && told.contains("nfs4d.id"),
        "{told}"
    );
    // What it says helps.
    fs::rename(&aside, directory.database()).unwrap();
    let state = directory.open();
    assert_eq!(state.exports().unwrap(), []);
    state.put_export("/a", "1").unwrap();
    drop(state);
    fs::remove_file(directory.database()).unwrap();
    fs::remove_file(directory.0.join("nfs4d.id")).unwrap();
    let state = directory.open();
    assert_ne!(state.boot(listen).unwrap().entropy, boot.entropy);
}

#[test]
fn after_an_error_the_database_goes_on_with_what_was_committed() {
    let directory = Directory::new("error");
    let state = directory.open();
    state.put_export("/a", "1").unwrap();
    let failed = state.database.write(|transaction| {
        transaction.open_table(EXPORTS)?.insert("/b", "2")?;
        Err::<(), _>(redb::Error::PreviousIo)
    });
    failed.unwrap_err();
    let panicked = state
        .database
        .write(|transaction| -> Result<(), redb::Error> {
            transaction.open_table(EXPORTS)?.insert("/b", "2")?;
            panic!("a fault")
        });
    panicked.unwrap_err();
    assert_eq!(state.exports().unwrap().len(), 1);
    state.put_export("/c", "3").unwrap();
    assert_eq!(state.exports().unwrap().len(), 2);
}

fn record(name: &str, lease: u64) -> ClientRecord {
    let key = RecordKey::new(false, name.as_bytes().to_vec(), Flavor::Sys, 0);
    ClientRecord::new(key, [7; 8], Duration::from_secs(lease))
}

#[test]
fn records_of_a_former_start_stay_until_the_grace_period_is_over() {
    let directory = Directory::new("records");
    let listen = address("127.0.0.1:2049");
    let recovered = |state: &State| {
        let boot = state.boot(listen).unwrap();
        let mut records = boot.recovered.expect("there is stable storage");
        records.sort_by(|a, b| a.key.owner.cmp(&b.key.owner));
        records
    };
    let state = directory.open();
    assert_eq!(recovered(&state), []);
    let all = ["a", "b", "c"].map(|name| record(name, 90));
    let mut writes: Vec<_> = all.iter().cloned().map(StableWrite::Client).collect();
    writes.push(StableWrite::Client(record("d", 90)));
    writes.push(StableWrite::Forget {
        key: record("d", 90).key,
    });
    state.apply(&writes).unwrap();
    // A clock that is set back makes no record one of this start.
    drop(state);
    let state = directory.open();
    assert_eq!(recovered(&state), all);
    let again = record("b", 60);
    state.apply(&[StableWrite::Client(again.clone())]).unwrap();
    drop(state);
    // A second crash, within the grace period of the second start.
    let state = directory.open();
    let [a, _, c] = all;
    assert_eq!(recovered(&state), [a, again, c]);
    let again = record("c", 60);
    let writes = [
        StableWrite::Client(again.clone()),
        StableWrite::GraceOver,
        StableWrite::Client(record("e", 60)),
    ];
    state.apply(&writes).unwrap();
    drop(state);
    assert_eq!(recovered(&directory.open()), [again, record("e", 60)]);
}

#[test]
fn a_record_of_a_later_version_ends_the_start() {
    let directory = Directory::new("record");
    let state = directory.open();
    let put = state.database.write(|transaction| {
        let mut clients = transaction.open_table(CLIENTS)?;
        clients.insert(&b"key"[..], (1, &b"what is this"[..]))?;
        Ok(())
    });
    put.unwrap();
    let refused = state.boot(address("127.0.0.1:2049")).unwrap_err();
    assert!(refused.to_string().contains("later version"), "{refused}");
}

/// Prints what `NFS4D_RECORDS` records cost, some at once; a few without it.
#[test]
fn records_that_come_at_once_share_a_transaction() {
    let number = std::env::var("NFS4D_RECORDS").ok();
    let number = number.and_then(|number| number.parse().ok()).unwrap_or(64);
    let directory = Directory::new("rate");
    let state = directory.open();
    state.boot(address("127.0.0.1:2049")).unwrap();
    for at_once in [1, 16, 256, 4_096] {
        let writes = |from: usize| {
            let names = (from..number.min(from + at_once)).map(|n| format!("client {n:040}"));
            names.map(|name| StableWrite::Client(record(&name, 90)))
        };
        let start = Instant::now();
        for from in (0..number).step_by(at_once) {
            state.apply(&writes(from).collect::<Vec<_>>()).unwrap();
        }
        let rate = number as f64 / start.elapsed().as_secs_f64();
        println!("{at_once} at once: {rate:.0} records a second");
    }
    assert_eq!(state.records().unwrap().len(), number);
}
