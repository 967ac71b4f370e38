//! What a connection is used for, as one word.

/// What a connection is used for; every open connection is in one state. A connection that drains is in no
/// other state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// No request on it has named a session, or in 4.0 a confirmed client id.
    Stranger,
    /// Its client is known, and it is bound to no session: every connection of a client of 4.0, and one
    /// beyond the limits of bindings.
    Unbound,
    /// It serves the fore channel of sessions.
    Fore,
    /// It serves the backchannel of sessions.
    Back,
    /// It serves both channels, of one session or of several.
    Both,
    /// The server has made it, for callbacks to a client of 4.0.
    Callback,
    /// It finishes its requests and is closed then.
    Draining,
}

impl ConnectionState {
    /// All variants, in the order of their declaration.
    pub const ALL: [ConnectionState; 7] = [
        ConnectionState::Stranger,
        ConnectionState::Unbound,
        ConnectionState::Fore,
        ConnectionState::Back,
        ConnectionState::Both,
        ConnectionState::Callback,
        ConnectionState::Draining,
    ];

    /// The label in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            ConnectionState::Stranger => "stranger",
            ConnectionState::Unbound => "unbound",
            ConnectionState::Fore => "fore",
            ConnectionState::Back => "back",
            ConnectionState::Both => "both",
            ConnectionState::Callback => "callback",
            ConnectionState::Draining => "draining",
        }
    }
}
