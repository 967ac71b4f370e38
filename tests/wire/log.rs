//! The server's log lines, kept to be looked at.

use std::io;
use std::sync::{Mutex, Once};

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::nfs4::Verifier;

use crate::caller::{CHANNEL, Caller};
use crate::server::{Running, Transport};

on_each!(clients_that_share_a_name_are_told_ever_more_seldom_and_in_one_line);

async fn clients_that_share_a_name_are_told_ever_more_seldom_and_in_one_line(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let owner = format!("{on:?}\n\u{1b}[31mERROR forged");
    let mut clients = [
        Caller::stranger(server.address).await,
        Caller::stranger(server.address).await,
    ];
    // The first two are new; each of the five others comes back.
    for round in 0..7 {
        let verifier = Verifier([round % 2; 8]);
        let client = &mut clients[usize::from(round % 2)];
        client
            .introduce_as(owner.as_bytes(), verifier)
            .await
            .all_ok();
        client.session = Default::default();
        client.enter(CHANNEL, 0).await.all_ok();
    }
    let told = lines("two clients use the same name", &format!("owner={on:?}"));
    let times: Vec<_> = told
        .iter()
        .map(|line| line.split("times=").nth(1))
        .collect();
    assert_eq!(times, [Some("1"), Some("2"), Some("4")]);
    for line in told {
        let named = format!("{on:?}\\n\\x1b[31mERROR forged");
        assert!(line.contains("WARN") && line.contains(&named), "{line}");
    }
}

/// Starts keeping log lines; the first call of the process counts.
pub(crate) fn keep() {
    static START: Once = Once::new();
    START.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(|| Lines)
            .init();
    });
}

/// The lines that hold both texts.
pub(crate) fn lines(one: &str, other: &str) -> Vec<String> {
    let kept = KEPT.lock().unwrap();
    let text = String::from_utf8_lossy(&kept);
    text.lines()
        .filter(|line| line.contains(one) && line.contains(other))
        .map(str::to_owned)
        .collect()
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        KEPT.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
