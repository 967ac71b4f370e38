//! Names and contents in a COMPOUND.

use std::ops::Range;

use nfs4_engine::proto::nfs4::any::ArgOp;
use nfs4_engine::proto::nfs4::args::{CreateType, OpenClaim};
use nfs4_engine::proto::nfs4::compound::CompoundHeader;
use nfs4_engine::proto::xdr::{Decode as _, Reader, pad_len};

use crate::pseudonyms::Pseudonyms;

/// Replaces all names and contents in a COMPOUND4args, and keeps every length. What cannot be
/// decoded becomes zeros, but for the number of the operation that cannot.
pub(crate) fn redact(body: &mut [u8], names: &mut Pseudonyms) {
    for (place, what) in secrets(body) {
        let pad = place.end..place.end + pad_len(place.len());
        if let Some(part) = body.get_mut(place) {
            match what {
                Secret::Name => names.replace(part),
                Secret::Contents => part.fill(0),
                Secret::Target => part.fill(TARGET),
            }
        }
        if let Some(pad) = body.get_mut(pad) {
            pad.fill(0);
        }
    }
}

/// A target of a symbolic link that names nothing, byte by byte: NUL is none.
pub(crate) const TARGET: u8 = b'x';

enum Secret {
    Name,
    Contents,
    Target,
}

fn secrets(body: &[u8]) -> Vec<(Range<usize>, Secret)> {
    let mut found = Vec::new();
    let mut r = Reader::new(body);
    let Ok(header) = CompoundHeader::decode(&mut r) else {
        return vec![(0..body.len(), Secret::Contents)];
    };
    for _ in 0..header.ops {
        let start = r.position();
        let Ok(op) = ArgOp::decode(&mut r) else {
            // Its number is kept, and answered.
            let rest = body.len().min(start + 4)..body.len();
            found.push((rest, Secret::Contents));
            return found;
        };
        for (part, what) in of_operation(&op).into_iter().flatten() {
            // Decoding borrows from the body.
            let at = part.as_ptr() as usize - body.as_ptr() as usize;
            found.push((at..at + part.len(), what));
        }
    }
    found.push((r.position()..body.len(), Secret::Contents));
    found
}

fn of_operation<'a>(op: &ArgOp<'a>) -> [Option<(&'a [u8], Secret)>; 2] {
    let name = |name| Some((name, Secret::Name));
    let contents = |contents| Some((contents, Secret::Contents));
    match op {
        ArgOp::Create(args) => {
            let target = match args.objtype {
                CreateType::Symlink(target) => Some((target, Secret::Target)),
                _ => None,
            };
            [name(args.objname), target]
        }
        ArgOp::Link(args) => [name(args.newname), None],
        ArgOp::Lookup(args) => [name(args.objname), None],
        ArgOp::Open(args) => match args.claim {
            OpenClaim::Null(file)
            | OpenClaim::DelegateCur { file, .. }
            | OpenClaim::DelegatePrev(file) => [name(file), None],
            OpenClaim::Previous(_)
            | OpenClaim::Fh
            | OpenClaim::DelegCurFh(_)
            | OpenClaim::DelegPrevFh => [None, None],
        },
        ArgOp::Remove(args) => [name(args.target), None],
        ArgOp::Rename(args) => [name(args.oldname), name(args.newname)],
        ArgOp::SecInfo(args) => [name(args.name), None],
        ArgOp::Write(args) => [contents(args.data), None],
        ArgOp::WriteSame(args) => [contents(args.adb.pattern), None],
        ArgOp::GetXattr(args) => [name(args.name), None],
        ArgOp::SetXattr(args) => [name(args.key), contents(args.value)],
        ArgOp::RemoveXattr(args) => [name(args.name), None],
        ArgOp::Access(_)
        | ArgOp::Close(_)
        | ArgOp::Commit(_)
        | ArgOp::DelegPurge(_)
        | ArgOp::DelegReturn(_)
        | ArgOp::GetAttr(_)
        | ArgOp::GetFh
        | ArgOp::Lock(_)
        | ArgOp::LockT(_)
        | ArgOp::LockU(_)
        | ArgOp::LookupP
        | ArgOp::NVerify(_)
        | ArgOp::OpenAttr(_)
        | ArgOp::OpenConfirm(_)
        | ArgOp::OpenDowngrade(_)
        | ArgOp::PutFh(_)
        | ArgOp::PutPubFh
        | ArgOp::PutRootFh
        | ArgOp::Read(_)
        | ArgOp::ReadDir(_)
        | ArgOp::ReadLink
        | ArgOp::Renew(_)
        | ArgOp::RestoreFh
        | ArgOp::SaveFh
        | ArgOp::SetAttr(_)
        | ArgOp::SetClientId(_)
        | ArgOp::SetClientIdConfirm(_)
        | ArgOp::Verify(_)
        | ArgOp::ReleaseLockOwner(_)
        | ArgOp::BackchannelCtl(_)
        | ArgOp::BindConnToSession(_)
        | ArgOp::ExchangeId(_)
        | ArgOp::CreateSession(_)
        | ArgOp::DestroySession(_)
        | ArgOp::FreeStateid(_)
        | ArgOp::GetDirDelegation(_)
        | ArgOp::GetDeviceInfo(_)
        | ArgOp::GetDeviceList(_)
        | ArgOp::LayoutCommit(_)
        | ArgOp::LayoutGet(_)
        | ArgOp::LayoutReturn(_)
        | ArgOp::SecInfoNoName(_)
        | ArgOp::Sequence(_)
        | ArgOp::SetSsv(_)
        | ArgOp::TestStateid(_)
        | ArgOp::WantDelegation(_)
        | ArgOp::DestroyClientId(_)
        | ArgOp::ReclaimComplete(_)
        | ArgOp::Allocate(_)
        | ArgOp::Copy(_)
        | ArgOp::CopyNotify(_)
        | ArgOp::Deallocate(_)
        | ArgOp::IoAdvise(_)
        | ArgOp::LayoutError(_)
        | ArgOp::LayoutStats(_)
        | ArgOp::OffloadCancel(_)
        | ArgOp::OffloadStatus(_)
        | ArgOp::ReadPlus(_)
        | ArgOp::Seek(_)
        | ArgOp::Clone(_)
        | ArgOp::ListXattrs(_)
        | ArgOp::Illegal => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use nfs4_engine::proto::client::{CallCredential, CompoundBuilder};
    use nfs4_engine::proto::nfs4::args;

    use super::*;

    /// The arguments of a call.
    fn body(record: &[u8]) -> Vec<u8> {
        let mut r = Reader::new(record);
        r.skip(44).unwrap();
        r.rest().unwrap().to_vec()
    }

    #[test]
    fn names_and_contents_are_replaced_and_nothing_else() {
        let record = CompoundBuilder::call(1, &CallCredential::None, b"", 1)
            .lookup(args::Lookup { objname: b"secret" })
            .rename(args::Rename {
                oldname: b"secret",
                newname: b"private",
            })
            .putrootfh()
            .finish();
        let original = body(&record);
        let (mut once, mut names) = (original.clone(), Pseudonyms::default());
        redact(&mut once, &mut names);
        assert_eq!(once.len(), original.len());
        let has = |part: &[u8]| once.windows(part.len()).any(|window| window == part);
        assert!(!has(b"secret") && !has(b"private"));
        let mut name = b"secret".to_vec();
        names.replace(&mut name);
        assert!(has(&name));
        let same = original
            .iter()
            .zip(&once)
            .filter(|(one, other)| one == other);
        assert!(same.count() >= original.len() - 19, "only names differ");
    }

    #[test]
    fn what_cannot_be_decoded_becomes_zeros() {
        let record = CompoundBuilder::call(1, &CallCredential::None, b"", 1)
            .lookup(args::Lookup { objname: b"secret" })
            .finish();
        let mut cut = body(&record);
        cut.truncate(cut.len() - 4);
        let at = cut.len() - 8;
        redact(&mut cut, &mut Pseudonyms::default());
        assert_eq!(cut[at..], [0; 8]);
        let mut garbage = b"secret".to_vec();
        redact(&mut garbage, &mut Pseudonyms::default());
        assert_eq!(garbage, [0; 6]);
    }
}
