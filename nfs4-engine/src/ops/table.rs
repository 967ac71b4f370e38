//! The table of operations: the scopes in which each is legal, and its handlers.

use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;

use super::{
    access, backchannel_ctl, bind_conn, close, commit, create, create_session, delegreturn,
    destroy, dir_delegation, downgrade, exchange_id, filehandle, getattr, link, lock, lookup, open,
    read, readdir, reclaim, remove, rename, renew, secinfo, seqid, setattr, setclientid, stateid,
    verify, write,
};
use crate::compound::handler::{Flags, Handler, Row};
use crate::compound::{Sequenced, Sessionless, V40};

/// The handlers of an operation of all minor versions.
type Both = (Handler<V40>, Handler<Sequenced>);

/// The row of an operation that exists in this minor version.
///
/// # Errors
/// OP_ILLEGAL if it does not.
#[inline]
pub(crate) fn find(op: OpNum, minor: u32) -> Result<&'static Row, Status> {
    match op.known() {
        None | Some(Op::Illegal) => Err(Status::OP_ILLEGAL),
        Some(op) if op.first_minor() > minor => Err(Status::OP_ILLEGAL),
        Some(op) => Ok(row(op)),
    }
}

/// The row of an operation.
pub(crate) fn row(op: Op) -> &'static Row {
    ROWS.get(op.index()).unwrap_or(&UNSERVED)
}

/// An operation that never waits, in all minor versions.
macro_rules! now {
    ($start:path) => {
        (Handler::now($start), Handler::now($start))
    };
}

/// An operation that waits for a file system, in all minor versions.
macro_rules! waiting {
    ($start:path, $resume:path) => {
        (
            Handler::waiting($start, $resume),
            Handler::waiting($start, $resume),
        )
    };
}

static ROWS: [Row; Op::COUNT] = rows();

const UNSERVED: Row = Row {
    op: Op::Illegal,
    flags: NO_FLAGS,
    reply_bound: None,
    bare: None,
    v40: None,
    v41: None,
};

const NO_FLAGS: Flags = Flags {
    needs_current: false,
    consults: false,
    keeps_fetched: false,
    first_only: false,
};
/// The operation needs the current filehandle and sends it to the file system.
const ON_FILE: Flags = Flags {
    needs_current: true,
    consults: true,
    ..NO_FLAGS
};
const LOOKS: Flags = Flags {
    keeps_fetched: true,
    ..ON_FILE
};

const fn rows() -> [Row; Op::COUNT] {
    let mut rows = [const { UNSERVED }; Op::COUNT];
    let mut at = 0;
    while at < Op::COUNT {
        rows[at] = serve(Op::ALL[at]);
        at += 1;
    }
    rows
}

/// The table itself.
const fn serve(op: Op) -> Row {
    match op {
        // Sessions. [RFC 8881 §18.34 to 18.51]
        Op::ExchangeId => alone(
            op,
            // Two names of 1024 bytes, and the fixed part.
            2_096,
            Handler::now(exchange_id::start),
            Handler::now(exchange_id::start),
        ),
        Op::CreateSession => alone(
            op,
            96,
            Handler::now(create_session::start),
            Handler::now(create_session::start),
        ),
        Op::DestroySession => alone(
            op,
            0,
            Handler::now(destroy::session),
            Handler::now(destroy::session),
        ),
        Op::DestroyClientId => alone(
            op,
            0,
            Handler::now(destroy::client),
            Handler::now(destroy::client),
        ),
        Op::BackchannelCtl => later(op, NO_FLAGS, Some(0), Handler::now(backchannel_ctl::start)),
        Op::BindConnToSession => Row {
            flags: Flags { ..NO_FLAGS },
            reply_bound: Some(24),
            bare: Some(Handler::now(bind_conn::start)),
            ..unserved(op)
        },
        Op::Sequence => Row {
            flags: Flags {
                first_only: true,
                ..NO_FLAGS
            },
            ..unserved(op)
        },
        Op::ReclaimComplete => later(op, NO_FLAGS, Some(0), Handler::now(reclaim::complete)),

        // Filehandles. [RFC 8881 §18.19 to 18.21, 18.8, 18.27, 18.28]
        Op::PutFh => reads(
            op,
            NO_FLAGS,
            waiting!(filehandle::put, filehandle::put_checked),
        ),
        Op::PutRootFh => reads(op, NO_FLAGS, now!(filehandle::put_root)),
        Op::PutPubFh => reads(op, NO_FLAGS, now!(filehandle::put_root)),
        Op::GetFh => reads(
            op,
            Flags {
                needs_current: true,
                keeps_fetched: true,
                ..NO_FLAGS
            },
            now!(filehandle::get),
        ),
        Op::SaveFh => reads(op, ON_FILE, now!(filehandle::save)),
        Op::RestoreFh => reads(op, NO_FLAGS, now!(filehandle::restore)),
        Op::SecInfoNoName => later(
            op,
            ON_FILE,
            None,
            Handler::waiting(secinfo::no_name, secinfo::found),
        ),

        // Names and attributes.
        Op::Lookup => reads(op, ON_FILE, waiting!(lookup::start, lookup::resume)),
        Op::LookupP => reads(op, ON_FILE, waiting!(lookup::parent, lookup::resume)),
        Op::Access => reads(op, LOOKS, waiting!(access::start, access::resume)),
        Op::GetAttr => reads(op, LOOKS, waiting!(getattr::start, getattr::resume)),
        Op::SetAttr => changes(op, ON_FILE, 16, waiting!(setattr::start, setattr::resume)),
        Op::ReadDir => reads(op, ON_FILE, waiting!(readdir::start, readdir::resume)),
        Op::Create => changes(op, ON_FILE, 36, waiting!(create::start, create::resume)),
        Op::Remove => changes(op, ON_FILE, 20, waiting!(remove::start, remove::resume)),
        Op::Rename => changes(op, ON_FILE, 40, waiting!(rename::start, rename::resume)),

        Op::SecInfo => reads(op, ON_FILE, waiting!(secinfo::named, secinfo::found)),
        Op::Link => changes(op, ON_FILE, 20, waiting!(link::start, link::linked)),
        Op::ReadLink => reads(op, ON_FILE, waiting!(link::read, link::target)),
        Op::Verify => reads(op, ON_FILE, waiting!(verify::same, verify::same_looked)),
        Op::NVerify => reads(
            op,
            ON_FILE,
            waiting!(verify::different, verify::different_looked),
        ),

        Op::GetDirDelegation => later(
            op,
            LOOKS,
            None,
            Handler::waiting(dir_delegation::start, dir_delegation::found),
        ),

        // Files. In 4.0 the seqid orders the requests of an owner.
        Op::Open => changes(
            op,
            ON_FILE,
            open::RESULT_LEN,
            (
                Handler::waiting(seqid::open, open::resume),
                Handler::waiting(open::start, open::resume),
            ),
        ),
        Op::Close => changes(
            op,
            ON_FILE,
            16,
            (
                Handler::waiting(seqid::close, close::resume),
                Handler::waiting(close::start, close::resume),
            ),
        ),
        Op::OpenDowngrade => changes(
            op,
            ON_FILE,
            16,
            (
                Handler::now(seqid::downgrade),
                Handler::now(downgrade::start),
            ),
        ),
        Op::Lock => changes(
            op,
            ON_FILE,
            16,
            (
                Handler::waiting(seqid::lock, lock::asked),
                Handler::waiting(lock::lock, lock::asked),
            ),
        ),
        Op::LockT => reads(op, ON_FILE, waiting!(lock::test, lock::tested)),
        Op::LockU => changes(
            op,
            ON_FILE,
            16,
            (
                Handler::waiting(seqid::unlock, lock::continue_unlock),
                Handler::waiting(lock::unlock, lock::continue_unlock),
            ),
        ),
        Op::TestStateid => later(
            op,
            NO_FLAGS,
            None,
            Handler::waiting(stateid::test, stateid::continue_test),
        ),
        Op::FreeStateid => later(op, NO_FLAGS, Some(0), Handler::now(stateid::free)),
        Op::Read => reads(op, ON_FILE, waiting!(read::start, read::resume)),
        Op::Write => changes(op, ON_FILE, 16, waiting!(write::start, write::resume)),
        Op::Commit => changes(op, ON_FILE, 8, waiting!(commit::start, commit::resume)),

        Op::DelegReturn => changes(op, ON_FILE, 0, now!(delegreturn::return_delegation)),

        // Not implemented yet: NOTSUPP.
        // No delegation outlives its client, and only OPEN grants delegations.
        Op::DelegPurge | Op::WantDelegation => unserved(op),
        // Optional, and not implemented: named attributes, pNFS, SSV, and all of 4.2.
        Op::OpenAttr
        | Op::GetDeviceInfo
        | Op::GetDeviceList
        | Op::LayoutCommit
        | Op::LayoutGet
        | Op::LayoutReturn
        | Op::SetSsv
        | Op::Allocate
        | Op::Copy
        | Op::CopyNotify
        | Op::Deallocate
        | Op::IoAdvise
        | Op::LayoutError
        | Op::LayoutStats
        | Op::OffloadCancel
        | Op::OffloadStatus
        | Op::ReadPlus
        | Op::Seek
        | Op::WriteSame
        | Op::Clone
        | Op::GetXattr
        | Op::SetXattr
        | Op::ListXattrs
        | Op::RemoveXattr => unserved(op),
        // Only in 4.0. [RFC 8881 §18.55 and the like]
        Op::OpenConfirm => v40(op, ON_FILE, Some(16), Handler::now(seqid::confirm)),
        Op::Renew => v40(op, NO_FLAGS, None, Handler::now(renew::start)),
        Op::SetClientId => v40(op, NO_FLAGS, Some(16), Handler::now(setclientid::start)),
        Op::SetClientIdConfirm => v40(op, NO_FLAGS, Some(0), Handler::now(setclientid::confirm)),
        Op::ReleaseLockOwner => v40(
            op,
            NO_FLAGS,
            Some(0),
            Handler::waiting(renew::release, renew::continue_release),
        ),
        Op::Illegal => unserved(op),
    }
}

const fn unserved(op: Op) -> Row {
    Row { op, ..UNSERVED }
}

/// A row of an operation that changes nothing, of all minor versions.
const fn reads(op: Op, flags: Flags, (v40, v41): Both) -> Row {
    Row {
        op,
        flags,
        reply_bound: None,
        bare: None,
        v40: Some(v40),
        v41: Some(v41),
    }
}

/// A row of an operation that changes something, of all minor versions.
const fn changes(op: Op, flags: Flags, bound: usize, (v40, v41): Both) -> Row {
    Row {
        op,
        flags,
        reply_bound: Some(bound),
        bare: None,
        v40: Some(v40),
        v41: Some(v41),
    }
}

/// A row of an operation of 4.1 and 4.2.
const fn later(op: Op, flags: Flags, bound: Option<usize>, v41: Handler<Sequenced>) -> Row {
    Row {
        op,
        flags,
        reply_bound: bound,
        bare: None,
        v40: None,
        v41: Some(v41),
    }
}

/// A row of an operation of 4.0.
const fn v40(op: Op, flags: Flags, bound: Option<usize>, v40: Handler<V40>) -> Row {
    Row {
        op,
        flags,
        reply_bound: bound,
        bare: None,
        v40: Some(v40),
        v41: None,
    }
}

/// A row of an operation that is also legal alone, without a session.
const fn alone(op: Op, bound: usize, bare: Handler<Sessionless>, v41: Handler<Sequenced>) -> Row {
    Row {
        op,
        flags: NO_FLAGS,
        reply_bound: Some(bound),
        bare: Some(bare),
        v40: None,
        v41: Some(v41),
    }
}
