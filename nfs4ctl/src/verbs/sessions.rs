//! `nfs4ctl sessions`.

use nfs4_admin::client::Server;
use nfs4_admin::{BackChannel, Direction, Session, Transport};

use super::clients;
use crate::cli::{Consent, Form, Sessions};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::ids::SESSION;
use crate::output::Output;
use crate::table::{Cell, Column, Table, Tone};

pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Sessions,
) -> Result<(), Fault> {
    match verb {
        Sessions::List { client } => {
            let sessions = match client {
                Some(given) => {
                    let client = clients::find(server, &given).await?;
                    server.client_sessions(&client.client_id).await?
                }
                None => server.sessions().all().await?,
            };
            output.show(&sessions, |sessions| table(sessions))
        }
        Sessions::Show { id } => {
            let session = find(server, &id).await?;
            match output.form() {
                Form::Table => {
                    output.details(&details(&session))?;
                    output.line("")?;
                    output.table(&connections(&session))
                }
                Form::Json | Form::Yaml => output.value(&session),
            }
        }
        Sessions::Destroy { ids, consent } => destroy(server, output, &ids, consent).await,
    }
}

/// The session whose id is `given` or begins with it.
async fn find(server: &Server, given: &str) -> Result<Session, Fault> {
    let given = SESSION.read(given)?;
    let all = server.sessions().all().await?;
    SESSION.find(&given, all, |session| &session.session_id)
}

async fn destroy(
    server: &Server,
    output: &mut Output,
    ids: &[String],
    consent: Consent,
) -> Result<(), Fault> {
    let mut sessions = Vec::new();
    for id in ids {
        sessions.push(find(server, id).await?);
    }
    let named = sessions.iter().map(|session| {
        let (id, client) = (&session.session_id, &session.client_id);
        let connections = session.connection_summary.total;
        format!("session {id} of client {client}, on {connections} connections")
    });
    let named: Vec<String> = named.collect();
    let question = format!("Destroy {}?", named.join("\n  and "));
    confirm(&question, consent)?;
    for session in sessions {
        let (id, client) = (&session.session_id, &session.client_id);
        server.destroy_session(client, id).await?;
        output.done(&format!("destroyed session {id}"))?;
    }
    Ok(())
}

fn table(sessions: &[Session]) -> Table {
    let mut table = Table::new(&[
        Column::id("SESSION"),
        Column::id("CLIENT").dropped(1),
        Column::number("CONNECTIONS"),
        Column::number("FORE").dropped(4),
        Column::number("BACK").dropped(4),
        Column::number("BOTH").dropped(4),
        Column::id("CALLBACKS"),
        Column::number("SLOTS").dropped(2),
        Column::number("IN USE").dropped(3),
        Column::number("REPLAYS").dropped(5),
        Column::id("CREATED").dropped(6),
    ]);
    for session in sessions {
        let summary = &session.connection_summary;
        table.row([
            Cell::new(&session.session_id),
            Cell::new(&session.client_id),
            Cell::new(summary.total),
            Cell::new(summary.fore),
            Cell::new(summary.back),
            Cell::new(summary.both),
            back_channel(session.back_channel),
            Cell::new(session.fore_slots),
            Cell::new(session.slots_in_use),
            Cell::new(session.replay_hits),
            Cell::new(&session.created_at),
        ]);
    }
    table
}

fn details(session: &Session) -> Vec<(&'static str, Cell)> {
    let callbacks = &session.callbacks;
    vec![
        ("session", Cell::new(&session.session_id)),
        ("client", Cell::new(&session.client_id)),
        ("created", Cell::new(&session.created_at)),
        ("slots", Cell::new(session.fore_slots)),
        ("slots in use", Cell::new(session.slots_in_use)),
        ("replays", Cell::new(session.replay_hits)),
        ("flags", Cell::new(format!("{:#x}", session.flags))),
        ("callbacks", back_channel(session.back_channel)),
        ("callback slots", Cell::new(session.back_slots)),
        ("outstanding", Cell::new(callbacks.outstanding)),
        ("failed", Cell::new(callbacks.failed)),
        ("connections", Cell::new(session.connection_summary.total)),
    ]
}

fn connections(session: &Session) -> Table {
    let mut table = Table::new(&[
        Column::number("CONNECTION"),
        Column::id("DIRECTION"),
        Column::text("PEER", 9),
        Column::id("TYPE").dropped(2),
        Column::id("STATE").dropped(1),
        Column::id("BOUND").dropped(4),
        Column::id("ACTIVE").dropped(3),
    ]);
    for connection in &session.connections {
        table.row([
            Cell::new(connection.connection_id),
            Cell::new(direction(connection.direction)),
            Cell::known(connection.peer.as_ref()),
            Cell::new(transport(connection.conn_type)),
            state(connection.draining),
            Cell::new(&connection.bound_at),
            Cell::new(&connection.last_activity),
        ]);
    }
    table
}

fn back_channel(state: BackChannel) -> Cell {
    match state {
        BackChannel::None => Cell::new("none"),
        BackChannel::Ok => Cell::new("ok"),
        BackChannel::Down => Cell::new("down").toned(Tone::Bad),
        BackChannel::Fault => Cell::new("fault").toned(Tone::Bad),
        _ => Cell::new("unknown"),
    }
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Fore => "fore",
        Direction::Back => "back",
        Direction::Both => "both",
        _ => "unknown",
    }
}

pub(super) fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Rdma => "rdma",
        _ => "unknown",
    }
}

pub(super) fn state(draining: bool) -> Cell {
    if draining {
        Cell::new("draining").toned(Tone::Notice)
    } else {
        Cell::new("open")
    }
}
