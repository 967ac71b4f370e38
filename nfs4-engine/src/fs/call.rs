//! The kinds of request to a file system, and the errors that each may return.

use nfs4_proto::nfs4::opnum::Op;

use super::{FsError, FsOp};

/// The kind of a call to a file system: the variants of [`FsOp`],
/// [`Backend::release`](super::Backend::release) and [`Backend::unlease`](super::Backend::unlease).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsCall {
    /// [`FsOp::GetAttrs`]
    GetAttrs,
    /// [`FsOp::SetAttrs`]
    SetAttrs,
    /// [`FsOp::Access`]
    Access,
    /// [`FsOp::Lookup`]
    Lookup,
    /// [`FsOp::LookupParent`]
    LookupParent,
    /// [`FsOp::ReadDir`]
    ReadDir,
    /// [`FsOp::ReadLink`]
    ReadLink,
    /// [`FsOp::Read`]
    Read,
    /// [`FsOp::Write`]
    Write,
    /// [`FsOp::Commit`]
    Commit,
    /// [`FsOp::Create`]
    Create,
    /// [`FsOp::Open`]
    Open,
    /// [`FsOp::Link`]
    Link,
    /// [`FsOp::Remove`]
    Remove,
    /// [`FsOp::Rename`]
    Rename,
    /// [`FsOp::Lock`]
    Lock,
    /// [`FsOp::TestLock`]
    TestLock,
    /// [`Backend::release`](super::Backend::release), which has no answer.
    Release,
    /// [`FsOp::Lease`]
    Lease,
    /// [`Backend::unlease`](super::Backend::unlease), which has no answer.
    Unlease,
}

impl FsCall {
    /// All variants, in the order of their declaration.
    pub const ALL: &'static [FsCall] = &[
        FsCall::GetAttrs,
        FsCall::SetAttrs,
        FsCall::Access,
        FsCall::Lookup,
        FsCall::LookupParent,
        FsCall::ReadDir,
        FsCall::ReadLink,
        FsCall::Read,
        FsCall::Write,
        FsCall::Commit,
        FsCall::Create,
        FsCall::Open,
        FsCall::Link,
        FsCall::Remove,
        FsCall::Rename,
        FsCall::Lock,
        FsCall::TestLock,
        FsCall::Release,
        FsCall::Lease,
        FsCall::Unlease,
    ];

    /// The errors that every request may return.
    pub const COMMON: &'static [FsError] = &[
        FsError::AccessDenied,
        FsError::Stale,
        FsError::BadHandle,
        FsError::Io,
        FsError::Busy,
    ];

    /// The errors that this request may return besides [`FsCall::COMMON`].
    ///
    /// Each has a status that the NFS operation may return in all minor versions; that of
    /// [`FsError::NoSpace`] for a lock is RESOURCE in 4.0 and SERVERFAULT in later versions. Any other error
    /// is a fault of the file system: the client gets the nearest status that the operation may
    /// return, and [`Event::FileSystemFault`](crate::Event::FileSystemFault) reports the fault.
    /// [RFC 7530 §13.2, RFC 8881 §15.2]
    pub const fn errors(self) -> &'static [FsError] {
        use FsError::*;
        match self {
            FsCall::GetAttrs
            | FsCall::Access
            | FsCall::Release
            | FsCall::Lease
            | FsCall::Unlease => &[],
            FsCall::Lock | FsCall::TestLock => &[NoSpace],
            FsCall::SetAttrs => &[
                NotPermitted,
                IsDirectory,
                IsSymlink,
                WrongType,
                Invalid,
                TooLarge,
                NoSpace,
                Quota,
                ReadOnly,
            ],
            FsCall::Lookup => &[
                NotFound,
                NotDirectory,
                IsSymlink,
                Invalid,
                NameTooLong,
                BadName,
            ],
            FsCall::LookupParent => &[NotFound, NotDirectory, IsSymlink],
            FsCall::ReadDir => &[NotDirectory, Invalid, BadCookie],
            FsCall::ReadLink => &[WrongType, Invalid],
            FsCall::Read => &[IsDirectory, IsSymlink, WrongType, Invalid],
            FsCall::Write => &[
                IsDirectory,
                IsSymlink,
                WrongType,
                Invalid,
                TooLarge,
                NoSpace,
                Quota,
                ReadOnly,
            ],
            FsCall::Commit => &[IsDirectory, IsSymlink, WrongType],
            FsCall::Create => &[
                NotPermitted,
                Exists,
                NotDirectory,
                Invalid,
                NoSpace,
                Quota,
                TooManyLinks,
                NameTooLong,
                BadName,
                ReadOnly,
                NotSupported,
            ],
            FsCall::Open => &[
                NotPermitted,
                NotFound,
                Exists,
                NotDirectory,
                IsDirectory,
                IsSymlink,
                WrongType,
                Invalid,
                TooLarge,
                NoSpace,
                Quota,
                NameTooLong,
                BadName,
                ReadOnly,
            ],
            FsCall::Link => &[
                NotFound,
                Exists,
                NotDirectory,
                IsDirectory,
                IsSymlink,
                WrongType,
                Invalid,
                NoSpace,
                Quota,
                TooManyLinks,
                CrossDevice,
                NameTooLong,
                BadName,
                ReadOnly,
                NotSupported,
            ],
            FsCall::Remove => &[
                NotFound,
                NotDirectory,
                NotEmpty,
                Invalid,
                NameTooLong,
                BadName,
                ReadOnly,
            ],
            FsCall::Rename => &[
                NotFound,
                Exists,
                NotDirectory,
                NotEmpty,
                Invalid,
                NoSpace,
                Quota,
                TooManyLinks,
                CrossDevice,
                NameTooLong,
                BadName,
                ReadOnly,
            ],
        }
    }

    /// Whether this request may return this error.
    pub fn may_answer(self, error: FsError) -> bool {
        FsCall::COMMON.contains(&error) || self.errors().contains(&error)
    }

    /// The NFS operation that consists of this request alone.
    pub(crate) const fn operation(self) -> Option<Op> {
        Some(match self {
            FsCall::GetAttrs => Op::GetAttr,
            FsCall::SetAttrs => Op::SetAttr,
            FsCall::Access => Op::Access,
            FsCall::Lookup => Op::Lookup,
            FsCall::LookupParent => Op::LookupP,
            FsCall::ReadDir => Op::ReadDir,
            FsCall::ReadLink => Op::ReadLink,
            FsCall::Read => Op::Read,
            FsCall::Write => Op::Write,
            FsCall::Commit => Op::Commit,
            FsCall::Create => Op::Create,
            FsCall::Open => Op::Open,
            FsCall::Link => Op::Link,
            FsCall::Remove => Op::Remove,
            FsCall::Rename => Op::Rename,
            // Their operations may not return all errors that every request may.
            FsCall::Lock | FsCall::TestLock | FsCall::Release | FsCall::Lease | FsCall::Unlease => {
                return None;
            }
        })
    }
}

impl FsOp {
    /// The kind of the request.
    pub const fn call(&self) -> FsCall {
        match self {
            FsOp::GetAttrs { .. } => FsCall::GetAttrs,
            FsOp::SetAttrs { .. } => FsCall::SetAttrs,
            FsOp::Access { .. } => FsCall::Access,
            FsOp::Lookup { .. } => FsCall::Lookup,
            FsOp::LookupParent { .. } => FsCall::LookupParent,
            FsOp::ReadDir { .. } => FsCall::ReadDir,
            FsOp::ReadLink { .. } => FsCall::ReadLink,
            FsOp::Read { .. } => FsCall::Read,
            FsOp::Write { .. } => FsCall::Write,
            FsOp::Commit { .. } => FsCall::Commit,
            FsOp::Create { .. } => FsCall::Create,
            FsOp::Open { .. } => FsCall::Open,
            FsOp::Link { .. } => FsCall::Link,
            FsOp::Remove { .. } => FsCall::Remove,
            FsOp::Rename { .. } => FsCall::Rename,
            FsOp::Lease { .. } => FsCall::Lease,
            FsOp::Lock { .. } => FsCall::Lock,
            FsOp::TestLock { .. } => FsCall::TestLock,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    /// The words after "Errors:" in the documentation of each variant of `FsOp`.
    fn documented() -> Vec<(String, Vec<String>)> {
        let source = include_str!("request.rs");
        let start = source.find("pub enum FsOp {").unwrap();
        let (mut found, mut doc) = (Vec::new(), String::new());
        for line in source[start..].lines().take_while(|line| *line != "}") {
            if let Some(text) = line.strip_prefix("    /// ") {
                doc.push_str(text);
                doc.push(' ');
            } else if let Some(name) = line.strip_prefix("    ").and_then(|l| l.strip_suffix(" {"))
            {
                let listed = doc.split("Errors: ").nth(1).unwrap_or("");
                let listed = listed.split('.').next().unwrap_or("");
                let words = listed.split(", ").filter(|word| !word.is_empty());
                found.push((name.into(), words.map(Into::into).collect()));
                doc.clear();
            }
        }
        found
    }

    #[test]
    fn the_documented_errors_are_those_of_the_table() {
        let mut seen = 0;
        for (name, words) in documented() {
            let call = FsCall::ALL.iter().find(|call| format!("{call:?}") == name);
            let call = call.unwrap_or_else(|| unreachable!("{name}"));
            let listed = call.errors().iter().map(|error| format!("{error:?}"));
            assert_eq!(words, listed.collect::<Vec<_>>(), "{name}");
            seen += 1;
        }
        // All but the two that have no answer.
        assert_eq!(seen, FsCall::ALL.len() - 2);
    }

    #[test]
    fn each_error_is_listed_once_and_none_is_a_drivers() {
        for call in FsCall::ALL.iter().copied() {
            let lists = [call.errors(), FsCall::COMMON].concat();
            for (at, error) in lists.iter().enumerate() {
                assert!(!lists[..at].contains(error), "{call:?} {error:?}");
                assert!(!error.is_no_answer(), "{call:?} {error:?}");
            }
        }
    }
}
