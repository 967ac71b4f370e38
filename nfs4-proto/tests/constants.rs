//! Holds every number in the code against a table that was made from the texts of the RFCs.

#![expect(
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::collections::BTreeMap;

use nfs4_proto::nfs4::attr::{ChangeAttrType, FsStatusType, num};
use nfs4_proto::nfs4::callback::args::{NotifyDeviceIdType, NotifyType};
use nfs4_proto::nfs4::{
    CbOp, DelegationType, FileType, LockType, Op, StableHow, Status, args, consts, res,
};
use nfs4_proto::rpc::AuthStat;

type Numbers = BTreeMap<(&'static str, &'static str), u64>;

#[test]
fn every_number_is_the_rfcs() {
    let (table, code) = (table(), code());
    for (key, number) in &code {
        assert_eq!(
            table.get(key),
            Some(number),
            "{key:?}: the table has the left, the code the right"
        );
    }
    for key in table.keys() {
        assert!(
            code.contains_key(key),
            "{key:?} is in the table and not in the code"
        );
    }
}

#[test]
fn the_first_minor_version_is_that_of_the_rfc() {
    let minors = [
        ("RFC 7530", 0),
        ("RFC 5661", 1),
        ("RFC 7862", 2),
        ("RFC 8276", 2),
    ];
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [kind, name, _, section] = columns[..] else {
            panic!("{line}")
        };
        let Some((_, minor)) = minors.iter().find(|(rfc, _)| section.starts_with(rfc)) else {
            continue;
        };
        let first = match kind {
            "op" => Op::ALL
                .iter()
                .find(|op| op.name() == name)
                .map(|op| op.first_minor()),
            "cbop" => CbOp::ALL
                .iter()
                .find(|op| op.name() == name)
                .map(|op| op.first_minor()),
            "status" | "value" => continue,
            _ => num::ALL
                .iter()
                .find(|row| row.name == name)
                .map(|row| row.first_minor),
        };
        assert_eq!(first, Some(*minor), "{name}");
    }
}

fn table() -> Numbers {
    let mut numbers = Numbers::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [kind, name, number, section] = columns[..] else {
            panic!("{line}")
        };
        assert!(section.starts_with("RFC "), "{line}");
        let twice = numbers.insert((kind, name), number.parse().unwrap());
        assert_eq!(twice, None, "{line}");
    }
    numbers
}

fn code() -> Numbers {
    let mut numbers = Numbers::new();
    let mut add = |kind, name, number: u64| {
        let twice = numbers.insert((kind, name), number);
        assert_eq!(twice, None, "{name}");
    };
    for op in Op::ALL {
        add("op", op.name(), op.number().0.into());
    }
    for op in CbOp::ALL {
        add("cbop", op.name(), op.number().0.into());
    }
    for status in Status::ALL {
        add("status", status.name().unwrap(), status.0.into());
    }
    for row in num::ALL {
        let kind = match (row.access.readable(), row.access.writable()) {
            (true, false) => "attr-r",
            (false, true) => "attr-w",
            _ => "attr-rw",
        };
        add(kind, row.name, row.number.into());
    }
    for (name, number) in consts::NAMED {
        add("value", name, *number);
    }
    macro_rules! enums {
        ($($t:ty),* $(,)?) => {$(
            for value in <$t>::ALL {
                add("value", value.name(), value.number().into());
                assert_eq!(<$t>::from_number(value.number()), Some(*value));
            }
        )*};
    }
    enums! {
        AuthStat, FileType, StableHow, LockType, DelegationType, ChangeAttrType, FsStatusType,
        NotifyType, NotifyDeviceIdType, args::GssSvc, args::SecInfoStyle,
        args::ChannelDirFromClient, args::LayoutIoMode, args::IoAdviseType, args::DataContent,
        args::SetXattrOption, res::ChannelDirFromServer,
    }
    numbers
}

const TABLE: &str = include_str!("../../tests/data/constants.tsv");
