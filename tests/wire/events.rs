//! What a program hears of a running server, and the connections that it sees.

use std::collections::HashMap;
use std::time::Duration;

use nfs4_driver::engine::proto::nfs4::{SessionId, args};
use nfs4_driver::engine::{Admin, Change, Event};
use nfs4_driver::{Events, Fact, Happened, Limits};

use crate::caller::Caller;
use crate::peer::Peer;
use crate::server::{PATIENCE, Running, Transport};

async fn next(events: &mut Events) -> Option<Happened> {
    let next = tokio::time::timeout(PATIENCE, events.next()).await;
    next.expect("it comes in time")
}

async fn fact(events: &mut Events) -> Fact {
    match next(events).await {
        Some(Happened::Fact(fact)) => fact,
        other => panic!("no fact: {other:?}"),
    }
}

fn largest(number: u32) -> Admin {
    let change = Change::default().with(|change| change.max_states = Some(number));
    Admin::Configure(Box::new(change))
}

on_each!(
    events_of_many_clients_are_numbered_in_order,
    flavor = "multi_thread",
    worker_threads = 2
);

async fn events_of_many_clients_are_numbered_in_order(on: Transport) {
    const CLIENTS: usize = 8;
    const SESSIONS: usize = 8;
    let server = Running::start(on, Limits::default()).await;
    let mut events = server.node.events();
    let address = server.address;
    let clients = (0..CLIENTS).map(|number| {
        tokio::spawn(async move {
            for round in 0..SESSIONS {
                let owner = format!("client {number}, {round}");
                let mut client = Caller::mounted(address, owner.as_bytes()).await;
                let destroy = args::DestroySession {
                    sessionid: client.session,
                };
                client.bare(|c| c.destroy_session(destroy)).await.all_ok();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    // How far each session has come: made, bound, not bound, and gone.
    let mut stages: HashMap<SessionId, u32> = HashMap::new();
    let (mut number, mut gone) = (0, 0);
    while gone < CLIENTS * SESSIONS {
        let fact = fact(&mut events).await;
        number += 1;
        assert_eq!(fact.number, number);
        assert!(fact.at.seconds > 0);
        let (session, stage) = match fact.event {
            Event::SessionCreated { session, .. } => (session, 1),
            Event::Bound { session, .. } => (session, 2),
            Event::Unbound { session, .. } => (session, 3),
            Event::SessionDestroyed { session, .. } => (session, 4),
            _ => continue,
        };
        gone += usize::from(stage == 4);
        let before = stages.insert(session, stage).unwrap_or(0);
        assert_eq!(before + 1, stage, "{session:?}");
    }
}

on_each!(a_reader_continues_where_it_was_and_ends_with_the_node);

async fn a_reader_continues_where_it_was_and_ends_with_the_node(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut events = server.node.events();
    let change = |number| server.node.admin(largest(number)).unwrap();
    (100..105).for_each(change);
    let first = fact(&mut events).await;
    assert!(matches!(first.event, Event::SettingsChanged { .. }));
    let mut again = server.node.events_since(first.number);
    for reader in [&mut events, &mut again] {
        for number in first.number + 1..first.number + 5 {
            assert_eq!(fact(reader).await.number, number);
        }
    }
    // One that only begins hears of what comes, and waits for it.
    let mut late = server.node.events();
    let waiting = tokio::time::timeout(Duration::from_millis(20), late.next());
    assert!(waiting.await.is_err(), "nothing has happened");
    change(200);
    let numbers = [fact(&mut late).await.number, fact(&mut again).await.number];
    assert_eq!(numbers, [first.number + 5; 2]);
    // A reader that sleeps loses what is more than a thousand back.
    (0..1_500).for_each(|number| change(1_000 + number));
    assert_eq!(next(&mut late).await, Some(Happened::Lost(1_500 - 1_024)));
    assert_eq!(
        fact(&mut late).await.number,
        first.number + 6 + 1_500 - 1_024
    );
    let mut last = server.node.events();
    server.ended().await.unwrap();
    assert_eq!(next(&mut last).await, None);
}

on_each!(all_connections_are_listed_once_in_pages_of_any_length);

async fn all_connections_are_listed_once_in_pages_of_any_length(on: Transport) {
    const STRANGERS: usize = 70;
    let server = Running::start(on, Limits::default()).await;
    let node = &server.node;
    let client = Caller::mounted(server.address, b"client").await;
    let mut peers = Vec::new();
    for _ in 0..STRANGERS {
        peers.push(Peer::connect(server.address).await);
    }
    server.has_connections(STRANGERS + 1).await;
    let whole = node.all_connections(None, usize::MAX).unwrap();
    let numbers: Vec<_> = whole.iter().map(|shown| shown.connection_id).collect();
    assert_eq!(numbers.len(), STRANGERS + 1);
    assert!(numbers.is_sorted());
    for max in [1, 16, 17, 100] {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = node.all_connections(after, max).unwrap();
            assert!(page.len() <= max);
            let Some(last) = page.last() else { break };
            after = Some(last.connection_id);
            paged.extend(page);
        }
        assert_eq!(paged, whole, "in pages of {max}");
    }
    assert_eq!(node.all_connections(None, 0).unwrap(), []);
    let bound: Vec<_> = whole
        .iter()
        .filter(|shown| !shown.sessions.is_empty())
        .collect();
    let [bound] = bound[..] else {
        panic!("{bound:?}")
    };
    assert_eq!(bound.sessions[0].session_id, client.session);
    let address = client.peer.address.to_string();
    assert_eq!(bound.peer.as_deref(), Some(&*address));
    assert_eq!(
        node.connection(bound.connection_id).unwrap().as_ref(),
        Some(bound)
    );
    drop(peers);
    server.has_connections(1).await;
    assert_eq!(node.all_connections(None, 100).unwrap().len(), 1);
}
