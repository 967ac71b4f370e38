//! A client of the administration interface.
//!
//! It is asynchronous, on tokio, and speaks HTTP/1.1 over TCP or a Unix socket. There is one method for each
//! route, an answer has a time and a size at most, and listings come in pages.
//!
//! ```no_run
//! use nfs4_admin::client::{ClientFilter, Server, ServerFault};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::new("unix:/run/nfs4d/admin.sock".parse()?);
//! let mut pages = server.clients(&ClientFilter::default());
//! while let Some(clients) = pages.next().await? {
//!     for client in clients {
//!         println!("{} {}: {} sessions", client.client_id, client.owner, client.sessions);
//!     }
//! }
//! match server.evict_client("692ad1c700000001").await {
//!     Err(ServerFault::Refused(problem)) if problem.status == 404 => println!("it has gone"),
//!     ended => ended?,
//! }
//! # Ok(())
//! # }
//! ```

mod endpoint;
mod events;
mod exchange;
mod fault;
mod pages;
mod requests;
mod routes;
mod sse;

pub use self::endpoint::{Endpoint, EndpointFault};
pub use self::events::{Events, Told};
pub use self::exchange::Server;
pub use self::fault::ServerFault;
pub use self::pages::Pages;
pub use self::requests::{ClientFilter, EventFilter, Tagged};
pub use self::routes::{ROUTES, Route};
