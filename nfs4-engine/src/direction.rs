//! Which channels of a session a connection serves. [RFC 8881 §2.10.3.1]

/// Which channels of a session a connection serves. [RFC 8881 §2.10.3.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The fore channel: requests of the client.
    Fore,
    /// The backchannel: callbacks of the server.
    Back,
    /// Both channels.
    Both,
}

impl Direction {
    /// All variants, in the order of their declaration.
    pub const ALL: [Direction; 3] = [Direction::Fore, Direction::Back, Direction::Both];

    /// The label in a metric and in a snapshot.
    pub const fn label(self) -> &'static str {
        match self {
            Direction::Fore => "fore",
            Direction::Back => "back",
            Direction::Both => "both",
        }
    }

    /// Whether requests may arrive on the connection.
    pub const fn is_fore(self) -> bool {
        matches!(self, Direction::Fore | Direction::Both)
    }

    /// Whether callbacks may be sent on the connection.
    pub const fn is_back(self) -> bool {
        matches!(self, Direction::Back | Direction::Both)
    }
}
