//! What people see of clients on sockets.

use std::sync::Arc;

use nfs4_driver::engine::proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_driver::engine::proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_driver::engine::snapshot::{BackChannelState, Cursor, SessionView};
use nfs4_driver::engine::{Admin, Direction};
use nfs4_driver::{Limits, Node};

use crate::caller::{CHANNEL, Caller};
use crate::files::{Held, root_attrs};
use crate::flight::wait_for;
use crate::peer::Peer;
use crate::server::{Running, Transport};

on_each!(sessions_are_shown_with_the_sockets_that_they_have);

async fn sessions_are_shown_with_the_sockets_that_they_have(on: Transport) {
    let files = Arc::new(Held::default());
    let server = Running::serve(on, Limits::default(), Arc::clone(&files) as _).await;
    let mut client = Caller::stranger(server.address).await;
    client.introduce(b"shown").await.all_ok();
    client
        .enter(CHANNEL, CREATE_SESSION4_FLAG_CONN_BACK_CHAN)
        .await
        .all_ok();
    let mut second = Peer::connect(server.address).await;
    client
        .bind(&mut second, ChannelDirFromClient::Fore)
        .await
        .all_ok();
    let view = only_session(&server.node);
    assert_eq!(view.session_id, client.session);
    assert_eq!(view.client_id, client.id.0);
    assert_eq!((view.fore_slots, view.slots_in_use), (64, 0));
    assert_eq!(view.back_channel, BackChannelState::Ok);
    let shown: Vec<_> = view
        .connections
        .iter()
        .map(|shown| (shown.peer.as_deref().unwrap().to_owned(), shown.direction))
        .collect();
    let expected = [
        (client.peer.address.to_string(), Direction::Both),
        (second.address.to_string(), Direction::Fore),
    ];
    assert_eq!(shown, expected);
    let summary = view.connection_summary;
    assert_eq!((summary.fore, summary.back, summary.both), (1, 0, 1));
    assert_eq!(summary.total, 2);

    // While a request is executed, and its connection drains.
    files.hold(true);
    let look = args::GetAttr {
        attr_request: Default::default(),
    };
    let call = client.request(5, |c| c.putrootfh().getattr(look));
    second.send(&call).await;
    wait_for(&files, 1).await;
    let conn = view.connections[1].connection_id;
    server.node.admin(Admin::Drain { conn }).unwrap();
    let view = only_session(&server.node);
    assert_eq!(view.slots_in_use, 1);
    assert!(!view.connections[0].draining && view.connections[1].draining);
    files.take(0).complete(Ok(root_attrs()));
    second.record().await.unwrap();
    second.is_closed().await;
    server.has_connections(1).await;
    let view = only_session(&server.node);
    assert_eq!((view.slots_in_use, view.connection_summary.total), (0, 1));

    drop(client.peer);
    server.has_connections(0).await;
    let view = only_session(&server.node);
    assert!(view.connections.is_empty());
    assert_eq!(view.back_channel, BackChannelState::Down);
}

on_each!(clients_are_shown_page_by_page);

async fn clients_are_shown_page_by_page(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut callers = Vec::new();
    for number in 0..5_u8 {
        callers.push(Caller::mounted(server.address, &[b'a' + number]).await);
    }
    let mut shown = Vec::new();
    let mut next = Some(Cursor::default());
    while let Some(from) = next {
        let page = server.node.clients(from, 2).unwrap();
        assert!(page.items.len() <= 2);
        shown.extend(page.items);
        next = page.next;
    }
    assert_eq!(shown.len(), callers.len());
    for (caller, number) in callers.iter().zip(b'a'..) {
        let view = shown.iter().find(|view| view.client_id == caller.id.0);
        let view = view.expect("each is shown");
        assert_eq!(*view.owner, [number]);
        let address = caller.peer.address.to_string();
        assert_eq!(view.address.as_deref(), Some(&address[..]));
        assert!(view.confirmed && view.sessions == 1 && view.minor == 1);
        let own = server.node.sessions_of(view.client_id).unwrap().unwrap();
        assert_eq!(own[0].session_id, caller.session);
    }
    assert_eq!(server.node.sessions_of(0), Ok(None));
}

fn only_session(node: &Node) -> SessionView {
    let mut page = node.sessions(Cursor::default(), 100).unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    page.items.remove(0)
}
