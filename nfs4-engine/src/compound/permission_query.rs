//! What a file system is asked about a user's rights before a delegation is recalled for the user.
//! [RFC 8881 §10.4]

use crate::keys::FileKey;

/// What a user wants to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntendedUse {
    /// To read it.
    Read,
    /// To write it, to give it another length or the times of now.
    Write,
    /// To know its attributes.
    Look,
    /// To test for locks: a user that may neither read nor write the file cannot lock it either.
    TestLock,
    /// To change those attributes that only its owner may.
    Own,
    /// LINK: to give it a name in the current directory.
    Link,
    /// REMOVE: to take its name in the current directory.
    Remove,
    /// RENAME: to move it from the saved directory to the current one.
    Move,
    /// RENAME: to put something else in its place in the current directory.
    Replace,
}

/// A question to a file system about an intended use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PermissionQuery {
    pub(crate) wish: IntendedUse,
    /// The delegated file.
    pub(crate) file: FileKey,
    pub(crate) about: PermissionSubject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermissionSubject {
    /// The user's rights to the directory; of two, to that of the old name.
    Dir,
    /// The user's rights to the directory of the new name.
    NewDir,
    /// The mode and the owner of the directory, for the sticky bit.
    Sticky,
    /// The owner of the file.
    Owner,
    /// The user's rights to the file.
    Rights,
}
