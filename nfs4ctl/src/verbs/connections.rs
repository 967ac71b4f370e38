//! `nfs4ctl connections`.

use nfs4_admin::Connection;
use nfs4_admin::client::Server;

use super::sessions::{direction, state, transport};
use crate::cli::{Connections, Consent, Form};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::output::Output;
use crate::table::{Cell, Column, Table};

pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Connections,
) -> Result<(), Fault> {
    match verb {
        Connections::List => {
            let connections = server.connections().all().await?;
            output.show(&connections, |connections| table(connections))
        }
        Connections::Show { id } => {
            let connection = find(server, id).await?;
            match output.form() {
                Form::Table => {
                    output.details(&details(&connection))?;
                    if connection.sessions.is_empty() {
                        return Ok(());
                    }
                    output.line("")?;
                    output.table(&sessions(&connection))
                }
                Form::Json | Form::Yaml => output.value(&connection),
            }
        }
        Connections::Drain { ids, consent } => drain(server, output, &ids, consent).await,
        Connections::Undrain { ids } => {
            for id in ids {
                known(id, server.undrain_connection(id).await)?;
                output.done(&format!("connection {id} takes requests again"))?;
            }
            Ok(())
        }
    }
}

async fn find(server: &Server, id: u64) -> Result<Connection, Fault> {
    known(id, server.connection(id).await)
}

/// What the server answered, if it knows the connection.
fn known<T>(id: u64, answer: Result<T, nfs4_admin::client::ServerFault>) -> Result<T, Fault> {
    answer.map_err(|why| match why.status() {
        Some(404) => Fault::Unknown {
            kind: "connection",
            given: id.to_string(),
            near: Vec::new(),
        },
        _ => why.into(),
    })
}

async fn drain(
    server: &Server,
    output: &mut Output,
    ids: &[u64],
    consent: Consent,
) -> Result<(), Fault> {
    let mut named = Vec::new();
    for id in ids {
        let connection = find(server, *id).await?;
        let peer = connection.peer.as_deref().unwrap_or("an unknown address");
        let sessions = connection.sessions.len();
        named.push(format!(
            "connection {id} from {peer}, of {sessions} sessions"
        ));
    }
    let question = format!("Drain {}?", named.join("\n  and "));
    confirm(&question, consent)?;
    for id in ids {
        known(*id, server.drain_connection(*id).await)?;
        output.done(&format!("draining connection {id}"))?;
    }
    Ok(())
}

fn table(connections: &[Connection]) -> Table {
    let mut table = Table::new(&[
        Column::number("CONNECTION"),
        Column::text("PEER", 9),
        Column::id("TYPE").dropped(5),
        Column::id("STATE"),
        Column::number("SESSIONS").dropped(2),
        Column::id("CLIENT").dropped(1),
        Column::id("DIRECTION").dropped(3),
        Column::id("OPENED").dropped(4),
    ]);
    for connection in connections {
        let first = connection.sessions.first();
        let of_session = first.map(|session| &session.client_id);
        table.row([
            Cell::new(connection.connection_id),
            Cell::known(connection.peer.as_ref()),
            Cell::new(transport(connection.conn_type)),
            state(connection.draining),
            Cell::new(connection.sessions.len()),
            Cell::known(connection.client_id.as_ref().or(of_session)),
            Cell::known(directions(connection)),
            Cell::new(&connection.opened_at),
        ]);
    }
    table
}

/// What the connection serves, if it is the same for all its sessions.
fn directions(connection: &Connection) -> Option<&'static str> {
    let mut directions = connection.sessions.iter().map(|session| session.direction);
    let first = directions.next()?;
    if directions.all(|other| other == first) {
        Some(direction(first))
    } else {
        Some("mixed")
    }
}

fn details(connection: &Connection) -> Vec<(&'static str, Cell)> {
    vec![
        ("connection", Cell::new(connection.connection_id)),
        ("peer", Cell::known(connection.peer.as_ref())),
        ("type", Cell::new(transport(connection.conn_type))),
        ("state", state(connection.draining)),
        ("opened", Cell::new(&connection.opened_at)),
        ("client of 4.0", Cell::known(connection.client_id.as_ref())),
        ("sessions", Cell::new(connection.sessions.len())),
    ]
}

fn sessions(connection: &Connection) -> Table {
    let mut table = Table::new(&[
        Column::id("SESSION"),
        Column::id("CLIENT").dropped(1),
        Column::id("DIRECTION"),
    ]);
    for session in &connection.sessions {
        table.row([
            Cell::new(&session.session_id),
            Cell::new(&session.client_id),
            Cell::new(direction(session.direction)),
        ]);
    }
    table
}
