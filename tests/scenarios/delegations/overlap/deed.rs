//! Requests of another client on a file, and when they are executed.

use nfs4_proto::client::CompoundBuilder;

use super::*;

/// What another client does to the file "f" or to "g", by a request whose stateid is of its own open where
/// it needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Read,
    Write,
    /// By its open.
    ReadOpen,
    WriteOpen,
    Cut,
    OpenCut,
    Link,
    Unlink,
    Remove,
    Rename,
    RenameOver,
}

impl Deed {
    pub(super) const ALL: [Deed; 11] = [
        Deed::Read,
        Deed::Write,
        Deed::ReadOpen,
        Deed::WriteOpen,
        Deed::Cut,
        Deed::OpenCut,
        Deed::Link,
        Deed::Unlink,
        Deed::Remove,
        Deed::Rename,
        Deed::RenameOver,
    ];

    /// Whether the request names its file by a name, so that the engine cannot be sure of the
    /// file.
    pub(super) fn is_by_name(self) -> bool {
        matches!(
            self,
            Deed::Unlink | Deed::Remove | Deed::Rename | Deed::RenameOver
        )
    }

    /// Whether it changes the file, if ever, after the engine has heard that the file is opened, and
    /// has recalled what is delegated by then.
    pub(super) fn recalls(self, order: Order) -> bool {
        let late = matches!(order, Order::ExecutedBetween | Order::ExecutedLater);
        self == Deed::OpenCut && late
    }

    /// Whether it leaves a delegation for reading as it was.
    pub(super) fn only_reads(self) -> bool {
        matches!(self, Deed::Read | Deed::ReadOpen)
    }

    pub(super) fn ask<'a>(
        self,
        c: &'a mut CompoundBuilder,
        name: &[u8],
        fh: &[u8],
        open: Stateid,
    ) -> &'a mut CompoundBuilder {
        let put = args::PutFh { object: fh };
        let other = [name, b".other"].concat();
        let stateid = match self {
            Deed::ReadOpen | Deed::WriteOpen => open,
            _ => Stateid::ANONYMOUS,
        };
        match self {
            Deed::Read | Deed::ReadOpen => c.putfh(put).read(args::Read {
                stateid,
                offset: 0,
                count: 7,
            }),
            Deed::Write | Deed::WriteOpen => c.putfh(put).write(args::Write {
                stateid,
                offset: 7,
                stable: StableHow::FileSync,
                data: b"more",
            }),
            Deed::Cut => c.putfh(put).setattr(args::SetAttr {
                stateid,
                obj_attributes: Fattr::size(3).raw(),
            }),
            Deed::OpenCut => {
                let cut = Fattr::size(0);
                c.putrootfh().open(args::Open {
                    openhow: OpenFlag::Create(CreateHow::Unchecked(cut.raw())),
                    ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, name)
                })
            }
            Deed::Link => {
                let link = args::Link { newname: &other };
                c.putfh(put).savefh().putrootfh().link(link)
            }
            Deed::Unlink => c.putrootfh().remove(args::Remove { target: &other }),
            Deed::Remove => c.putrootfh().remove(args::Remove { target: name }),
            Deed::Rename | Deed::RenameOver => {
                let (oldname, newname) = if self == Deed::Rename {
                    (name, &*other)
                } else {
                    (&*other, name)
                };
                let args = args::Rename { oldname, newname };
                c.putrootfh().savefh().rename(args)
            }
        }
    }
}

/// How the two requests lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The whole deed happens between the file system's answer to the OPEN and the engine's
    /// hearing of it,
    Between,
    /// the deed was under way before, and its end falls there,
    EndsBetween,
    /// it is executed there, and heard of later,
    ExecutedBetween,
    /// it is executed later.
    ExecutedLater,
    /// It was over before the OPEN was asked for.
    Before,
}

pub(super) const UNTRUE: [Order; 4] = [
    Order::Between,
    Order::EndsBetween,
    Order::ExecutedBetween,
    Order::ExecutedLater,
];
