//! The body of `engine_wire`: bytes of clients for the connections of a live server.

mod files;
mod frame;
mod known;
mod line;
mod mutate;
mod prelude;
mod rewrite;
mod server;

pub use frame::{Deed, Frame};
pub use known::{Known, Symbols};
pub use mutate::mutate;
pub use prelude::with_clients;
pub use rewrite::call as rewrite_call;
pub use server::Server;

/// Plays frames against a server with clients of all versions; see [`Frame`].
///
/// # Panics
/// The server breaks a promise.
pub fn engine_wire(mut data: &[u8]) {
    let mut server = with_clients();
    let mut frames = 0;
    while let Some(frame) = Frame::take(&mut data)
        && frames < MAX_FRAMES
    {
        server.play(&frame);
        frames += 1;
    }
    server.end();
}

const MAX_FRAMES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_are_there() {
        let server = with_clients();
        let tables = server.tables();
        assert_eq!(tables.clients, 3, "{tables:?}");
        assert_eq!(tables.sessions, 3, "{tables:?}");
        assert_eq!(tables.opens, 3, "{tables:?}");
        assert_eq!(tables.locks, 1, "{tables:?}");
        server.end();
    }
}
