//! `/api/v1/clients`.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use nfs4_admin::{Client, FieldFault};
use nfs4_driver::Node;
use nfs4_engine::Admin;
use nfs4_engine::snapshot::{ClientView, owner_text};

use super::listing::{LAST_CURSOR, Part, PartParams, Table, of_engine};
use super::path::{self, Path};
use super::query::Fields;
use super::refusal::{Refusal, Refused};

/// Which clients are listed.
#[derive(Clone, Debug, Default)]
struct Filter {
    address: Option<IpAddr>,
    owner: Option<String>,
    minor: Option<u64>,
}

/// The fields of a query that [`Filter`] knows.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is only described")]
struct FilterParams {
    /// Only clients of this IP address; it has no port.
    address: Option<String>,
    /// Only clients whose owner, as it is shown, contains this.
    owner: Option<String>,
    /// Only clients that speak this minor version.
    #[param(maximum = 2)]
    minor_version: Option<u32>,
}

impl Filter {
    fn take(fields: &mut Fields) -> Filter {
        let address = fields.take("address", |text| {
            let address = text.parse::<IpAddr>();
            address.map_err(|_| FieldFault::new("address", "expected an IP address without a port"))
        });
        Filter {
            address: address.map(|address| address.to_canonical()),
            owner: fields.take("owner", |text| Ok(text.to_owned())),
            minor: fields.number("minor_version", 0, 2),
        }
    }

    fn fits(&self, client: &ClientView) -> bool {
        let address = || client.address.as_deref().and_then(ip);
        self.minor
            .is_none_or(|minor| minor == u64::from(client.minor))
            && (self.address.is_none() || self.address == address())
            && self
                .owner
                .as_ref()
                .is_none_or(|part| owner_text(&client.owner).contains(part.as_str()))
    }
}

/// The IP address of a peer; it has none if it came by a Unix socket.
fn ip(peer: &str) -> Option<IpAddr> {
    let address = peer.parse::<SocketAddr>().map(|address| address.ip());
    let address = address.or_else(|_| peer.parse()).ok()?;
    Some(address.to_canonical())
}

/// All clients of every minor version, also those that have not confirmed their record.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "clients", operation_id = "list_clients",
    params(PartParams, FilterParams),
    responses(
        (status = OK, description = "Clients.", body = Vec<Client>, headers(("Link" = String, description = "the next page, if there is one"))),
        Refused,
    ),
)]
pub(super) async fn list(
    State(node): State<Node>,
    mut fields: Fields,
    uri: Uri,
) -> Result<Response, Refusal> {
    let part = Part::take(&mut fields, LAST_CURSOR);
    let filter = Filter::take(&mut fields);
    fields.end()?;
    let table = Table {
        read: move |from, max| of_engine(from, |from| node.clients(from, max)),
        wanted: move |client: &ClientView| filter.fits(client),
    };
    table.answer(part, &uri).await
}

/// A client.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}", tag = "clients", operation_id = "get_client",
    params(("client_id" = String, Path, description = "16 hexadecimal digits")),
    responses((status = OK, description = "The client.", body = Client), Refused),
)]
pub(super) async fn show(
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Result<Json<ClientView>, Refusal> {
    let id = path::client(&id)?;
    node.client(id)?.map(Json).ok_or_else(|| unknown(id))
}

/// Evicts a client with all its state, whatever it is doing.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}", tag = "clients", operation_id = "evict_client",
    params(("client_id" = String, Path, description = "16 hexadecimal digits")),
    responses((status = NO_CONTENT, description = "The client is gone."), Refused),
)]
pub(super) async fn evict(
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let client = path::client(&id)?;
    node.admin(Admin::EvictClient { client })?;
    Ok(StatusCode::NO_CONTENT)
}

/// There is no such client.
pub(super) fn unknown(id: u64) -> Refusal {
    Refusal::not_found(format!("there is no client {id:016x}"))
}
