//! `nfs4ctl clients`.

use nfs4_admin::client::{ClientFilter, Server};
use nfs4_admin::{Client, LeaseStatus};

use crate::cli::{Clients, ClientsList, Consent, Form};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::figures;
use crate::ids::CLIENT;
use crate::output::Output;
use crate::table::{Cell, Column, Table, Tone};

pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Clients,
) -> Result<(), Fault> {
    match verb {
        Clients::List(which) => list(server, output, which).await,
        Clients::Show { id } => {
            let client = find(server, &id).await?;
            match output.form() {
                Form::Table => output.details(&details(&client)),
                Form::Json | Form::Yaml => output.value(&client),
            }
        }
        Clients::Evict { ids, consent } => evict(server, output, &ids, consent).await,
    }
}

/// The client whose id is `given` or begins with it.
pub(super) async fn find(server: &Server, given: &str) -> Result<Client, Fault> {
    let given = CLIENT.read(given)?;
    if CLIENT.is_whole(&given) {
        match server.client(&given).await {
            Err(why) if why.status() == Some(404) => {}
            ended => return Ok(ended?),
        }
    }
    let all = server.clients(&ClientFilter::default()).all().await?;
    CLIENT.find(&given, all, |client| &client.client_id)
}

async fn list(server: &Server, output: &mut Output, which: ClientsList) -> Result<(), Fault> {
    let filter = ClientFilter {
        address: which.address,
        owner: which.owner,
        minor_version: which.minor_version,
    };
    let clients = server.clients(&filter).all().await?;
    output.show(&clients, |clients| table(clients))
}

async fn evict(
    server: &Server,
    output: &mut Output,
    ids: &[String],
    consent: Consent,
) -> Result<(), Fault> {
    let mut clients = Vec::new();
    for id in ids {
        clients.push(find(server, id).await?);
    }
    let named: Vec<String> = clients.iter().map(named).collect();
    let question = format!("Evict {}?", named.join("\n  and "));
    confirm(&question, consent)?;
    for client in clients {
        server.evict_client(&client.client_id).await?;
        output.done(&format!("evicted client {}", client.client_id))?;
    }
    Ok(())
}

/// A client as a question names it.
fn named(client: &Client) -> String {
    let address = client.address.as_deref().unwrap_or("an unknown address");
    format!(
        "client {} ({}, from {address}) with {} opens, {} locks and {} delegations",
        client.client_id, client.owner, client.opens, client.locks, client.delegations,
    )
}

pub(crate) fn lease(status: LeaseStatus) -> Cell {
    match status {
        LeaseStatus::Active => Cell::new("active"),
        LeaseStatus::Courtesy => Cell::new("courtesy").toned(Tone::Notice),
        LeaseStatus::Expired => Cell::new("expired").toned(Tone::Bad),
        _ => Cell::new("unknown"),
    }
}

fn table(clients: &[Client]) -> Table {
    let mut table = Table::new(&[
        Column::id("CLIENT"),
        Column::text("ADDRESS", 9),
        Column::id("VERSION").dropped(1),
        Column::id("LEASE").dropped(2),
        Column::number("SESSIONS"),
        Column::number("OPENS").dropped(3),
        Column::number("LOCKS").dropped(4),
        Column::number("DELEGATIONS").dropped(5),
        Column::id("RENEWED").dropped(6),
        Column::text("OWNER", 12),
    ]);
    for client in clients {
        table.row([
            Cell::new(&client.client_id),
            Cell::known(client.address.as_ref()),
            Cell::new(&client.nfs_version),
            lease(client.lease_status),
            Cell::new(client.sessions),
            Cell::new(client.opens),
            Cell::new(client.locks),
            Cell::new(client.delegations),
            Cell::new(&client.last_renewal),
            Cell::new(&client.owner),
        ]);
    }
    table
}

fn details(client: &Client) -> Vec<(&'static str, Cell)> {
    let traffic = &client.traffic;
    vec![
        ("client", Cell::new(&client.client_id)),
        ("owner", Cell::new(&client.owner)),
        ("address", Cell::known(client.address.as_ref())),
        ("version", Cell::new(&client.nfs_version)),
        ("implementation", Cell::known(client.impl_name.as_ref())),
        ("implementer", Cell::known(client.impl_domain.as_ref())),
        (
            "confirmed",
            Cell::new(if client.confirmed { "yes" } else { "no" }),
        ),
        ("lease", lease(client.lease_status)),
        ("renewed", Cell::new(&client.last_renewal)),
        ("expired", Cell::known(client.expired_at.as_ref())),
        ("comebacks", Cell::new(client.comebacks)),
        ("sessions", Cell::new(client.sessions)),
        ("opens", Cell::new(client.opens)),
        ("locks", Cell::new(client.locks)),
        ("delegations", Cell::new(client.delegations)),
        ("compounds", Cell::new(traffic.compounds)),
        ("operations", Cell::new(traffic.operations)),
        ("read", Cell::new(figures::bytes(traffic.bytes_read))),
        ("written", Cell::new(figures::bytes(traffic.bytes_written))),
    ]
}
