//! Seeds for `engine_wire`: what clients did, told to a server of our own, whose ids become symbols.

use std::collections::HashMap;

use nfs4_tests::fuzzing::wire::{Frame, Server, Symbols, rewrite_call, with_clients};

use super::codecs::Seeds;
use super::exchange::Exchange;

/// Conversations of so many records, each behind the introduction of its clients. Of minor versions
/// with sessions, a request like two before it is left out.
pub fn conversations(exchanges: &[Exchange], name: &str) -> Seeds {
    let mut seeds = Seeds::new();
    let mut seen = HashMap::<_, u32>::new();
    let mut introduction = Vec::new();
    let mut part = Vec::new();
    let mut parts = 0;
    for exchange in exchanges {
        let Some((minor, ops)) = exchange.shape() else {
            continue;
        };
        if exchange.call.len() > MAX_RECORD {
            continue;
        }
        if ops.iter().any(|op| INTRODUCTIONS.contains(op)) {
            introduction.push(exchange);
            continue;
        }
        let times = seen.entry((minor, ops, exchange.is_callback)).or_default();
        *times += 1;
        if *times > if minor == 0 { 6 } else { 2 } {
            continue;
        }
        part.push(exchange);
        if part.len() == PART {
            parts += 1;
            seeds.insert(
                format!("linux_{name}_{parts:02}"),
                told(&introduction, &part),
            );
            part.clear();
        }
    }
    if !part.is_empty() {
        seeds.insert(
            format!("linux_{name}_{:02}", parts + 1),
            told(&introduction, &part),
        );
    }
    seeds
}

/// The frames of a conversation, as a live server took it.
fn told(introduction: &[&Exchange], part: &[&Exchange]) -> Vec<u8> {
    let mut seed = Vec::new();
    let mut server = with_clients();
    let mut symbols = Symbols::default();
    let first = introduction.len().saturating_sub(MAX_INTRODUCTION);
    for exchange in introduction[first..].iter().chain(part) {
        tell(exchange, &mut server, &mut symbols, &mut seed);
    }
    seed
}

fn tell(exchange: &Exchange, server: &mut Server, symbols: &mut Symbols, seed: &mut Vec<u8>) {
    let at = exchange.connection % Frame::CONNECTIONS;
    if exchange.is_callback {
        if let Some(reply) = &exchange.reply {
            let frame = Frame::reply(reply);
            frame.put(seed);
            server.play(&frame);
        }
        return;
    }
    let record = rewrite_call(&exchange.call, symbols);
    let frame = Frame::record(at, &record);
    frame.put(seed);
    server.play(&frame);
    if let (Some(theirs), [ours]) = (&exchange.reply, &server.take_replies()[..]) {
        symbols.pair(theirs, ours, server.known());
    }
}

/// Operations that make clients and sessions.
const INTRODUCTIONS: [&str; 5] = [
    "EXCHANGE_ID",
    "CREATE_SESSION",
    "RECLAIM_COMPLETE",
    "SETCLIENTID",
    "SETCLIENTID_CONFIRM",
];
/// The last of them, which are those of the clients that go on.
const MAX_INTRODUCTION: usize = 8;
/// Records of a conversation.
const PART: usize = 14;
/// Longest record, in bytes.
const MAX_RECORD: usize = 1_024;
