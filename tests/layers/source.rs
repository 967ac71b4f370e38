//! The names that each crate's sources may contain.

use crate::tokens::{Scan, Token};

/// Both attributes must be at the crate's root, unconditionally.
pub(crate) fn fence_header(path: &str, scan: &Scan) -> Vec<String> {
    let mut faults = Vec::new();
    for (shown, run) in [
        ("#![no_std]", &["#", "!", "[", "no_std", "]"][..]),
        (
            "#![forbid(unsafe_code)]",
            &["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"],
        ),
    ] {
        if scan.find(run).is_empty() {
            faults.push(format!("{path}: {shown} is missing"));
        }
    }
    faults
}

/// Inside the fence `std` is not a name: neither in a path nor in an `extern crate`.
pub(crate) fn names_std(path: &str, scan: &Scan) -> Vec<String> {
    named(path, scan, "is outside the fence", |ident| ident == "std")
}

/// A transport moves bytes and does not interpret them.
pub(crate) fn names_protocol(path: &str, scan: &Scan) -> Vec<String> {
    named(
        path,
        scan,
        "is the protocol's, not a transport's",
        |ident| {
            let dense = ident.replace('_', "").to_lowercase();
            PROTOCOL_PARTS.iter().any(|part| dense.contains(part))
                || words(ident)
                    .iter()
                    .any(|word| PROTOCOL_WORDS.contains(&word.as_str()))
        },
    )
}

/// Neither the driver nor a file system opens a socket or uses a runtime.
pub(crate) fn names_sockets(path: &str, scan: &Scan) -> Vec<String> {
    named(path, scan, "belongs to a transport", |ident| {
        SOCKETS.contains(&ident)
    })
}

/// A file system knows files, and not the clients that have them open.
pub(crate) fn names_protocol_state(path: &str, scan: &Scan) -> Vec<String> {
    named(path, scan, "is protocol state", |ident| {
        let dense = ident.replace('_', "").to_lowercase();
        ["stateid", "clientid", "sessionid", "slotid"]
            .iter()
            .any(|part| dense.contains(part))
    })
}

/// Maps with keys of peers are seeded and never iterated: `DetMap`, in `map.rs`, ensures both.
pub(crate) fn names_bare_maps(path: &str, scan: &Scan) -> Vec<String> {
    if path.ends_with("/map.rs") {
        return Vec::new();
    }
    named(path, scan, "is reached through DetMap only", |ident| {
        ["HashMap", "HashSet", "HashTable"].contains(&ident)
    })
}

/// Unfinished code does not ship.
pub(crate) fn unfinished(path: &str, scan: &Scan) -> Vec<String> {
    let mut faults = Vec::new();
    for name in ["todo", "unimplemented", "dbg"] {
        for line in scan.find(&[name, "!"]) {
            faults.push(format!("{path}:{line}: {name}! is left in shipped code"));
        }
    }
    faults
}

fn named(path: &str, scan: &Scan, why: &str, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let show = |token: &Token| format!("{path}:{}: `{}` {why}", token.line, token.text);
    scan.idents()
        .filter(|token| wrong(&token.text))
        .map(show)
        .collect()
}

/// The words of `SlotTable` and `slot_table` are both "slot", "table"; digits at the end are
/// dropped.
fn words(ident: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = '_';
    for sign in ident.chars() {
        if sign == '_' || (sign.is_uppercase() && previous.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && sign != '_'
        {
            word.extend(sign.to_lowercase());
        }
        previous = sign;
    }
    words
        .iter()
        .map(|word| {
            word.trim_end_matches(|c: char| c.is_ascii_digit())
                .to_owned()
        })
        .collect()
}

const SOCKETS: [&str; 11] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "tokio",
    "async_std",
    "smol",
    "mio",
    "socket2",
];

/// Statuses, ids, and the operations with unambiguous names. READ, WRITE, OPEN, CLOSE, LOCK and the
/// like are also operations of sockets and mutexes; their NFS versions need `proto`, which a
/// transport may not name either.
const PROTOCOL_PARTS: [&str; 30] = [
    "nfsstat",
    "nfs4err",
    "nfserr",
    "stateid",
    "seqid",
    "opnum",
    "argop",
    "resop",
    "nfs4proto",
    "exchangeid",
    "createsession",
    "destroysession",
    "destroyclientid",
    "bindconn",
    "backchannelctl",
    "reclaimcomplete",
    "setclientid",
    "releaselockowner",
    "putrootfh",
    "putpubfh",
    "putfh",
    "getfh",
    "savefh",
    "restorefh",
    "getattr",
    "setattr",
    "readdir",
    "delegreturn",
    "opendowngrade",
    "secinfo",
];

const PROTOCOL_WORDS: [&str; 8] = [
    "slot",
    "slots",
    "status",
    "compound",
    "sequence",
    "operation",
    "operations",
    "proto",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rule: fn(&str, &Scan) -> Vec<String>, text: &str) -> usize {
        rule("snippet", &Scan::parse("snippet", text)).len()
    }

    #[test]
    fn a_missing_or_conditional_header_is_a_fault() {
        assert_eq!(
            faults(fence_header, "#![no_std]\n#![forbid(unsafe_code)]"),
            0
        );
        assert_eq!(faults(fence_header, "#![no_std]"), 1);
        assert_eq!(faults(fence_header, "#![no_std]\n#![deny(unsafe_code)]"), 1);
        assert_eq!(
            faults(
                fence_header,
                "#![cfg_attr(not(feature = \"std\"), no_std)]\n#![forbid(unsafe_code)]"
            ),
            1
        );
        assert_eq!(
            faults(fence_header, "//! #![no_std]\n//! #![forbid(unsafe_code)]"),
            2
        );
    }

    #[test]
    fn std_inside_the_fence_is_a_fault() {
        for text in [
            "extern crate std;",
            "extern crate std as alloc;",
            "#[cfg(feature = \"x\")] extern crate std;",
            "use std::time::Instant;",
            "use ::std::net::TcpStream;",
            "fn f() { let _ = std::time::Instant::now(); }",
            "macro_rules! now { () => { std::time::Instant::now() } }",
        ] {
            assert_eq!(faults(names_std, text), 1, "{text}");
        }
        assert_eq!(
            faults(names_std, "#[cfg(test)] extern crate std; use core::fmt;"),
            0
        );
    }

    #[test]
    fn the_protocol_in_a_transport_is_a_fault() {
        for text in [
            "fn f(slot: u32) {}",
            "struct SlotTable;",
            "use nfs4_driver::engine::ids::Stateid4;",
            "use nfs4_driver::engine::ids::StateId;",
            "const X: u32 = NFS4ERR_DELAY;",
            "match x { Nfsstat::Ok => {} }",
            "match x { Status::Ok => {} }",
            "use engine::proto;",
            "match op { OP_EXCHANGE_ID => {} }",
            "fn exchange_id() {}",
            "let compound = 1;",
            "let last_seqid = 1;",
        ] {
            assert_eq!(faults(names_protocol, text), 1, "{text}");
        }
        let socket_code = "stream.read(&mut buf).await?; stream.write_all(&out); node.lock(); close(); \
             fn protocol_free() { open(); } use nfs4_driver::Connection;";
        assert_eq!(faults(names_protocol, socket_code), 0);
    }

    #[test]
    fn a_socket_in_the_driver_is_a_fault() {
        assert_eq!(
            faults(names_sockets, "use std::net::{SocketAddr, TcpStream};"),
            1
        );
        assert_eq!(faults(names_sockets, "fn f() { tokio::spawn(g()); }"), 1);
        assert_eq!(faults(names_sockets, "use std::net::SocketAddr;"), 0);
    }

    #[test]
    fn protocol_state_in_a_file_system_is_a_fault() {
        assert_eq!(
            faults(names_protocol_state, "struct Open { stateid: u32 }"),
            1
        );
        assert_eq!(faults(names_protocol_state, "fn f(client: ClientId) {}"), 1);
        assert_eq!(
            faults(names_protocol_state, "struct Inode { generation: u32 }"),
            0
        );
    }

    #[test]
    fn a_bare_map_in_the_engine_is_a_fault() {
        assert_eq!(
            faults(names_bare_maps, "use hashbrown::{Equivalent, HashMap};"),
            1
        );
        assert_eq!(faults(names_bare_maps, "use crate::map::DetMap;"), 0);
        let scan = Scan::parse("map.rs", "use hashbrown::HashMap;");
        assert!(names_bare_maps("nfs4-engine/src/map.rs", &scan).is_empty());
    }

    #[test]
    fn an_unfinished_word_is_a_fault() {
        assert_eq!(faults(unfinished, "fn f() { todo!() }"), 1);
        assert_eq!(
            faults(unfinished, "fn f() { unimplemented!(\"later\"); dbg!(1); }"),
            2
        );
        assert_eq!(faults(unfinished, "#[test] fn f() { todo!() }"), 0);
    }
}
