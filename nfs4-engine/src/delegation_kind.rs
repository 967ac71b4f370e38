//! The kinds of delegation, the accesses that conflict with them, and the reasons of a recall. [RFC
//! 8881 §10.4]

/// The kind of a delegation: what it guarantees to its holder. [RFC 8881 §10.4]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelegationKind {
    /// No other client changes the file.
    Read,
    /// No other client reads or changes the file.
    Write,
}

/// An access to a file, as far as it can conflict with delegations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A read, or an open for reading only.
    Read,
    /// A change of bytes, attributes or names, or an open for writing or one that denies reading.
    Change,
}

/// The reason of a recall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecallReason {
    /// Another access conflicts with the delegation.
    Conflict,
    /// The server holds too much state.
    ResourcePressure,
}

impl RecallReason {
    /// All variants, in the order of their declaration.
    pub const ALL: &'static [RecallReason] =
        &[RecallReason::Conflict, RecallReason::ResourcePressure];

    /// The label in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            RecallReason::Conflict => "conflict",
            RecallReason::ResourcePressure => "resource_pressure",
        }
    }
}

impl DelegationKind {
    /// All variants, in the order of their declaration.
    pub const ALL: [DelegationKind; 2] = [DelegationKind::Read, DelegationKind::Write];

    /// The label in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            DelegationKind::Read => "read",
            DelegationKind::Write => "write",
        }
    }
}
