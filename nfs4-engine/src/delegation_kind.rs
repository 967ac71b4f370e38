//! What delegations are for, and what is in their way. [RFC 8881 §10.4]

/// What a client is assured of by a delegation. [RFC 8881 §10.4]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelegationKind {
    /// No other client changes the file.
    Read,
    /// No other client reads or changes it.
    Write,
}

/// An access to a file, as far as delegations are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It is read, or opened for no more than that.
    Read,
    /// Its bytes, attributes or names change, or it is opened for that or in a way that keeps
    /// others from reading.
    Change,
}

/// Why a delegation is recalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecallReason {
    /// Another access to the file conflicts.
    Conflict,
    /// There is too much state.
    ResourcePressure,
}

impl RecallReason {
    /// All of them, in the order of their declaration.
    pub const ALL: [RecallReason; 2] = [RecallReason::Conflict, RecallReason::ResourcePressure];

    /// What it is called in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            RecallReason::Conflict => "conflict",
            RecallReason::ResourcePressure => "resource_pressure",
        }
    }
}

impl DelegationKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [DelegationKind; 2] = [DelegationKind::Read, DelegationKind::Write];

    /// What it is called in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            DelegationKind::Read => "read",
            DelegationKind::Write => "write",
        }
    }
}
