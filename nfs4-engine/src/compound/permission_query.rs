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

/// What a file system was asked about a wish.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PermissionQuery {
    pub(crate) wish: IntendedUse,
    /// The file that is delegated.
    pub(crate) file: FileKey,
    pub(crate) about: PermissionSubject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermissionSubject {
    /// The user's rights to the directory, of the old name if there are two,
    Dir,
    /// and to that of the new one.
    NewDir,
    /// Whether the directory is sticky, and whose it is.
    Sticky,
    /// Whose the file is.
    Owner,
    /// The user's rights to the file.
    Rights,
}
