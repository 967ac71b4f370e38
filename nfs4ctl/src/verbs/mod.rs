//! The verbs.

mod clients;
mod connections;
mod events;
mod exports;
mod grace;
mod sessions;
mod settings;

use nfs4_admin::client::Server;

use crate::cli::Verb;
use crate::fault::Fault;
use crate::output::Output;
use crate::top;

pub(crate) use self::clients::lease;

/// Carries out a verb that needs the server.
pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Verb,
) -> Result<(), Fault> {
    match verb {
        Verb::Clients(verb) => clients::carry_out(server, output, verb).await,
        Verb::Sessions(verb) => sessions::carry_out(server, output, verb).await,
        Verb::Connections(verb) => connections::carry_out(server, output, verb).await,
        Verb::Exports(verb) => exports::carry_out(server, output, verb).await,
        Verb::Settings(verb) => settings::carry_out(server, output, verb).await,
        Verb::Grace(verb) => grace::carry_out(server, output, verb).await,
        Verb::Events(verb) => events::follow(server, output, &verb).await,
        Verb::Top(verb) => top::top(server, output, &verb).await,
        // They need no server.
        Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
    }
}
