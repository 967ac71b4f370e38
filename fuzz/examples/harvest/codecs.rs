//! Seeds for the targets that test codecs: one of each shape.

use std::collections::BTreeMap;

use nfs4_proto::nfs4::FattrRaw;
use nfs4_proto::nfs4::any::{ArgOp, ResOp};
use nfs4_proto::nfs4::args::{CreateHow, OpenFlag};
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::rpc::{AuthSys, CallHeader};
use nfs4_proto::xdr::{Encode, Writer};

use super::exchange::Exchange;

/// Seeds of a target by name; the shortest of a name is kept.
pub type Seeds = BTreeMap<String, Vec<u8>>;

/// Keeps a seed if there is no shorter one of its name.
pub fn keep(seeds: &mut Seeds, name: String, data: &[u8]) {
    let old = seeds.get(&name).map_or(usize::MAX, Vec::len);
    if data.len() < old.min(MAX_LEN) {
        seeds.insert(name, data.to_vec());
    }
}

/// Arguments and results of COMPOUNDs, or of callbacks.
pub fn compounds(exchanges: &[Exchange], callbacks: bool) -> Seeds {
    let mut seeds = Seeds::new();
    for exchange in exchanges.iter().filter(|one| one.is_callback == callbacks) {
        let (Some(args), Some((minor, ops))) = (exchange.args(), exchange.shape()) else {
            continue;
        };
        let ops = joined(&ops);
        keep(&mut seeds, format!("linux_4{minor}_{ops}"), args);
        if let (Some(results), Some((status, count))) = (exchange.results(), exchange.outcome()) {
            let status = status.trim_start_matches("NFS4ERR_").to_lowercase();
            let status = status.trim_start_matches("nfs4_");
            keep(
                &mut seeds,
                format!("reply_4{minor}_{ops}_{status}_{count}"),
                results,
            );
        }
    }
    seeds
}

/// Records with each kind of credential.
pub fn headers(exchanges: &[Exchange]) -> Seeds {
    let mut seeds = Seeds::new();
    for exchange in exchanges {
        let Ok((header, _)) = CallHeader::decode(&exchange.call) else {
            continue;
        };
        let caller = match AuthSys::from_body(header.cred.body) {
            Ok(sys) => format!("sys_{}_groups", sys.gids.len()),
            Err(_) => format!("flavor_{}", header.cred.flavor.0),
        };
        let what = match (exchange.is_callback, header.proc) {
            (true, 0) => "cb_null",
            (true, _) => "cb_compound",
            (false, 0) => "null",
            (false, _) => "compound",
        };
        keep(&mut seeds, format!("linux_{what}_{caller}"), &exchange.call);
        if let Some(reply) = &exchange.reply {
            keep(&mut seeds, format!("reply_{what}"), reply);
        }
    }
    seeds
}

/// Attributes that were set, compared, read or listed.
pub fn attributes(exchanges: &[Exchange]) -> Seeds {
    let mut seeds = Seeds::new();
    for exchange in exchanges {
        for op in exchange.operations() {
            let (name, raw) = match op {
                ArgOp::SetAttr(args) => ("setattr", args.obj_attributes),
                ArgOp::Create(args) => ("create", args.createattrs),
                ArgOp::Verify(args) => ("verify", args.obj_attributes),
                ArgOp::NVerify(args) => ("nverify", args.obj_attributes),
                ArgOp::Open(args) => match args.openhow {
                    OpenFlag::Create(
                        CreateHow::Unchecked(raw)
                        | CreateHow::Guarded(raw)
                        | CreateHow::Exclusive41 { attrs: raw, .. },
                    ) => ("open", raw),
                    _ => continue,
                },
                _ => continue,
            };
            add(&mut seeds, name, &raw);
        }
        for result in exchange.operation_results() {
            match result {
                ResOp::GetAttr(Outcome::Ok(ok)) => add(&mut seeds, "getattr", &ok.obj_attributes),
                ResOp::ReadDir(Outcome::Ok(ok)) => {
                    for entry in ok.entries.iter() {
                        add(&mut seeds, "readdir", &entry.attrs);
                    }
                }
                _ => {}
            }
        }
    }
    seeds
}

fn add(seeds: &mut Seeds, name: &str, raw: &FattrRaw<'_>) {
    let mut w = Writer::new();
    raw.encode(&mut w);
    let [a, b, c] = raw.mask.words();
    keep(
        seeds,
        format!("linux_{name}_{a:08x}_{b:08x}_{c:08x}"),
        w.as_slice(),
    );
}

/// The names of operations, SEQUENCE left out, no longer than a file's name is legible.
fn joined(ops: &[&str]) -> String {
    let ops = ops.iter().filter(|op| !op.ends_with("SEQUENCE"));
    let names: Vec<String> = ops.map(|op| op.to_lowercase()).collect();
    let mut name = names.join("_");
    if name.is_empty() {
        name = "sequence".into();
    }
    name.truncate(80);
    name
}

/// Longest seed in bytes.
const MAX_LEN: usize = 2_048;
