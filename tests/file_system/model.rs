//! The adapter held against `MemFs`: the same operations by several users have the same results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use nfs4_driver::Node;
use nfs4_engine::{Config, Export};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, ClientId, FattrRaw, Owner, StableHow, Stateid, Status, Verifier};
use nfs4_tests::live::{CLOSE, Client, Connection, Serving, runtime};
use nfs4_tests::sim::Rng;
use nfs4_tests::tree::TreeFs;
use nfs4_transport_tokio::Server;
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::served::{Set, results, walk};

/// Two file systems behind one server, and users 0, 1 and 2 of it.
struct Pair {
    _serving: Serving,
    _node: Node,
    users: Vec<Client>,
}

/// One operation, the same on both.
#[derive(Clone, Debug)]
struct Step {
    user: usize,
    dir: Vec<&'static str>,
    name: &'static str,
    to_dir: Vec<&'static str>,
    to: &'static str,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Make(u8, Option<u32>),
    Open(u32, How),
    Link,
    Remove,
    Rename,
    Mode(u32),
    Give(Option<u32>, Option<u32>),
    Cut(u64),
    Write(u64, usize),
    Read(u64, u32),
    Access,
    Attributes,
    Commit,
    Readlink,
    Parent,
    List,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Existing,
    Unchecked(u32),
    Guarded(u32),
    Exclusive(u8, u32),
}

#[test]
fn operations_by_several_users_end_as_in_mem_fs() {
    let cases = number("NFS4_PROPERTY_CASES").unwrap_or(64);
    let first = number("NFS4_PROPERTY_SEED").unwrap_or(0x7_2ee5);
    let mut pair = Pair::start();
    let mut statuses = BTreeMap::new();
    for seed in first..first + cases {
        pair.play(seed, &mut statuses);
    }
    println!("{statuses:?}");
    if cases >= 64 {
        for seen in [
            Status::OK,
            Status::ACCESS,
            Status::PERM,
            Status::NOENT,
            Status::EXIST,
            Status::NOTEMPTY,
            Status::ISDIR,
            Status::NOTDIR,
            Status::INVAL,
            Status::SYMLINK,
        ] {
            assert!(statuses.get(&seen.0) > Some(&0), "{seen:?}: {statuses:?}");
        }
    }
}

impl Pair {
    fn start() -> Pair {
        let mem = MemFs::new(MemFsConfig::new(1, 1 << 30).with(|files| {
            files.root_mode = 0o777;
        }));
        let config = Config::default().with(|config| {
            config.delegations = false;
        });
        let runtime = runtime();
        let builder = Server::builder()
            .export_with(Export::new("/mem", Arc::new(mem)))
            .export("/tree", TreeFs::new(0o777))
            .config(config);
        let server = runtime.block_on(builder.bind("127.0.0.1:0")).unwrap();
        let node = server.node().clone();
        let serving = Serving::of_runtime(runtime, server);
        let users = (0..3).map(|uid| {
            let connection = Connection::new(serving.address);
            let mut user = Client::on(connection, Some(uid));
            user.mount(&format!("user {uid}"), 1);
            user
        });
        Pair {
            users: users.collect(),
            _serving: serving,
            _node: node,
        }
    }

    fn play(&mut self, seed: u64, statuses: &mut BTreeMap<u32, u32>) {
        let mut chance = Rng::new(seed);
        let place = format!("{seed:x}");
        for export in ["mem", "tree"] {
            let mode = [0o777, 0o1777, 0o2777, 0o3777][seed as usize % 4];
            let made = Set::mode(mode).group(2);
            let status = self.users[0].in_session(|c| {
                walk(c, &[export]).create(args::Create {
                    objtype: CreateType::Directory,
                    objname: place.as_bytes(),
                    createattrs: made.raw(),
                })
            });
            assert_eq!(status, Status::OK);
        }
        let mut log = String::new();
        for _ in 0..60 {
            let step = Step::random(&mut chance);
            let _ = writeln!(log, "{step:?}");
            let user = &mut self.users[step.user];
            let (mem, status) = step.carry_out(user, &["mem", &place]);
            let (tree, other) = step.carry_out(user, &["tree", &place]);
            *statuses.entry(other.0).or_default() += 1;
            let same = step.may_differ(status, other) || (&mem, status) == (&tree, other);
            assert!(same, "seed {seed:#x}: {log}\nmem {mem}\ntree {tree}");
        }
        let root = &mut self.users[0];
        let mem = whole(root, &["mem", &place]);
        let tree = whole(root, &["tree", &place]);
        assert_eq!(mem, tree, "seed {seed:#x}: {log}");
    }
}

impl Step {
    fn random(chance: &mut Rng) -> Step {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        const MODES: [u32; 10] = [
            0o755, 0o777, 0o1777, 0o2775, 0o644, 0o600, 0o000, 0o6777, 0o2664, 0o4711,
        ];
        let mut pick = |of: usize| (chance.next_u64() >> 8) as usize % of;
        let dir = |depth: usize, place: usize| -> Vec<&'static str> {
            (0..depth).map(|at| NAMES[place >> at & 1]).collect()
        };
        let mode = MODES[pick(MODES.len())];
        let id = |place: usize| (place < 3).then_some(place as u32);
        let what = match pick(26) {
            0..=3 => What::Make(2, (pick(3) > 0).then_some(mode)),
            4 => What::Make([5, 6, 7, 4][pick(4)], Some(mode)),
            5 => What::Open(1 + pick(3) as u32, How::Existing),
            6 | 7 => What::Open(1 + pick(3) as u32, How::Unchecked(mode)),
            8 => What::Open(1 + pick(3) as u32, How::Guarded(mode)),
            9 | 10 => What::Open(3, How::Exclusive(pick(2) as u8, mode)),
            11 => What::Link,
            12 | 13 => What::Remove,
            14 | 15 => What::Rename,
            16 | 17 => What::Mode(mode),
            18 => What::Give(id(pick(4)), id(pick(4))),
            19 => What::Cut(pick(20) as u64),
            20 => What::Write(pick(10) as u64, pick(10)),
            21 => What::Read(pick(10) as u64, pick(10) as u32),
            22 => What::Access,
            23 => What::List,
            24 => [What::Commit, What::Readlink, What::Parent][pick(3)].clone(),
            _ => What::Attributes,
        };
        Step {
            user: pick(3),
            dir: dir(pick(3), pick(4)),
            name: NAMES[pick(4)],
            to_dir: dir(pick(3), pick(4)),
            to: NAMES[pick(4)],
            what,
        }
    }

    /// Whether the two may differ so: neither is wrong.
    fn may_differ(&self, mem: Status, tree: Status) -> bool {
        match self.what {
            // A directory that is not empty is replaced. [RFC 8881 §18.26.3]
            What::Rename => (mem, tree) == (Status::EXIST, Status::NOTEMPTY),
            // Only the superuser makes devices, and the name is taken: the adapter sees one first.
            What::Make(4, _) => (mem, tree) == (Status::EXIST, Status::PERM),
            _ => false,
        }
    }

    /// What it answers, without what differs between file systems, and how it ends.
    fn carry_out(&self, user: &mut Client, place: &[&str]) -> (String, Status) {
        let reply = user.reply_to(|c| self.compose(c, place));
        let mut results = results(&reply);
        let mut text = format!("{:?} {}", results.status(), results.count());
        while let Some(result) = results.next_result().unwrap() {
            let _ = match result {
                ResOp::GetAttr(Outcome::Ok(ok)) => write!(text, " {}", shown(&ok.obj_attributes)),
                ResOp::Read(Outcome::Ok(ok)) => write!(text, " {:?} {}", ok.data, ok.eof),
                ResOp::Write(Outcome::Ok(ok)) => write!(text, " wrote {}", ok.count),
                ResOp::Access(Outcome::Ok(ok)) => write!(text, " {ok:?}"),
                ResOp::ReadLink(Outcome::Ok(ok)) => write!(text, " {ok:?}"),
                ResOp::Open(Outcome::Ok(ok)) => {
                    write!(text, " set {:?} {}", ok.attrset, moved(&ok.cinfo))
                }
                ResOp::Create(Outcome::Ok(ok)) => {
                    write!(text, " set {:?} {}", ok.attrset, moved(&ok.cinfo))
                }
                ResOp::Remove(Outcome::Ok(ok)) => write!(text, " {}", moved(&ok.cinfo)),
                ResOp::Link(Outcome::Ok(ok)) => write!(text, " {}", moved(&ok.cinfo)),
                ResOp::Rename(Outcome::Ok(ok)) => write!(
                    text,
                    " {} {}",
                    moved(&ok.source_cinfo),
                    moved(&ok.target_cinfo)
                ),
                ResOp::SetAttr(set) => write!(text, " {set:?}"),
                ResOp::ReadDir(Outcome::Ok(ok)) => {
                    let entries = ok.entries.iter();
                    let mut names: Vec<_> = entries
                        .map(|entry| format!("{:?} {}", entry.name, shown(&entry.attrs)))
                        .collect();
                    names.sort();
                    write!(text, " {names:?} {}", ok.eof)
                }
                _ => Ok(()),
            };
        }
        (text, results.status())
    }

    fn compose<'a>(&self, c: &'a mut CompoundBuilder, place: &[&str]) -> &'a mut CompoundBuilder {
        let dir = [place, &self.dir].concat();
        let object = [&dir[..], &[self.name]].concat();
        let name = self.name.as_bytes();
        match self.what {
            What::Make(kind, mode) => {
                let set = mode.map_or(Set::none(), Set::mode);
                let objtype = match kind {
                    2 => CreateType::Directory,
                    4 => CreateType::Character(nfs4_proto::nfs4::SpecData { major: 1, minor: 3 }),
                    5 => CreateType::Symlink(b"target"),
                    6 => CreateType::Socket,
                    _ => CreateType::Fifo,
                };
                walk(c, &dir)
                    .create(args::Create {
                        objtype,
                        objname: name,
                        createattrs: set.raw(),
                    })
                    .getattr(ATTRIBUTES)
            }
            What::Open(share_access, how) => {
                let set = match how {
                    How::Existing => Set::none(),
                    How::Unchecked(mode) | How::Guarded(mode) | How::Exclusive(_, mode) => {
                        Set::mode(mode)
                    }
                };
                let openhow = match how {
                    How::Existing => OpenFlag::NoCreate,
                    How::Unchecked(_) => OpenFlag::Create(CreateHow::Unchecked(set.raw())),
                    How::Guarded(_) => OpenFlag::Create(CreateHow::Guarded(set.raw())),
                    How::Exclusive(verf, _) => OpenFlag::Create(CreateHow::Exclusive41 {
                        verf: Verifier([verf; 8]),
                        attrs: set.raw(),
                    }),
                };
                let open = args::Open {
                    seqid: 0,
                    share_access,
                    share_deny: 0,
                    owner: Owner {
                        clientid: ClientId(0),
                        owner: b"model",
                    },
                    openhow,
                    claim: OpenClaim::Null(name),
                };
                walk(c, &dir).open(open).getattr(ATTRIBUTES).close(CLOSE)
            }
            What::Link => walk(c, &object)
                .savefh_walk(&[place, &self.to_dir].concat())
                .link(args::Link {
                    newname: self.to.as_bytes(),
                }),
            What::Remove => walk(c, &dir).remove(args::Remove { target: name }),
            What::Rename => walk(c, &dir)
                .savefh_walk(&[place, &self.to_dir].concat())
                .rename(args::Rename {
                    oldname: name,
                    newname: self.to.as_bytes(),
                }),
            What::Mode(mode) => set_attributes(walk(c, &object), &Set::mode(mode)),
            What::Give(uid, gid) => {
                let set = uid.map_or(Set::none(), |uid| Set::none().owner(uid));
                let set = gid.map_or(set.clone(), |gid| set.group(gid));
                set_attributes(walk(c, &object), &set)
            }
            What::Cut(size) => set_attributes(walk(c, &object), &Set::size(size)),
            What::Write(offset, len) => walk(c, &object)
                .write(args::Write {
                    stateid: Stateid::ANONYMOUS,
                    offset,
                    stable: StableHow::FileSync,
                    data: &b"0123456789"[..len],
                })
                .getattr(ATTRIBUTES),
            What::Read(offset, count) => walk(c, &object).read(args::Read {
                stateid: Stateid::ANONYMOUS,
                offset,
                count,
            }),
            What::Access => walk(c, &object).access(args::Access { access: 0x3f }),
            What::Attributes => walk(c, &object).getattr(ATTRIBUTES),
            What::Commit => walk(c, &object).commit(args::Commit {
                offset: 0,
                count: 0,
            }),
            What::Readlink => walk(c, &object).readlink(),
            What::Parent => walk(c, &object).lookupp().getattr(ATTRIBUTES),
            What::List => walk(c, &object).readdir(LIST),
        }
    }
}

trait SaveFh {
    fn savefh_walk(&mut self, path: &[&str]) -> &mut CompoundBuilder;
}

impl SaveFh for CompoundBuilder {
    fn savefh_walk(&mut self, path: &[&str]) -> &mut CompoundBuilder {
        walk(self.savefh(), path)
    }
}

fn set_attributes<'a>(c: &'a mut CompoundBuilder, set: &Set) -> &'a mut CompoundBuilder {
    c.setattr(args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: set.raw(),
    })
    .getattr(ATTRIBUTES)
}

/// Attributes, without the size of a directory, which differs by design.
fn shown(attrs: &FattrRaw<'_>) -> String {
    let text = format!("{attrs:?}");
    match text.split_once("size=") {
        Some((before, after)) if before.contains("type=NF4DIR") => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}size{rest}")
        }
        _ => text,
    }
}

/// Whether the directory changed.
fn moved(change: &nfs4_proto::nfs4::basic::ChangeInfo) -> bool {
    change.before != change.after
}

/// All that is below a directory, to the depth that steps reach.
fn whole(root: &mut Client, place: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    let mut left: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(below) = left.pop() {
        let names: Vec<&str> = below.iter().map(String::as_str).collect();
        let path = [place, &names].concat();
        let reply = root.reply_to(|c| walk(c, &path).readdir(LIST));
        let mut results = results(&reply);
        while let Some(result) = results.next_result().unwrap() {
            let ResOp::ReadDir(listed) = result else {
                continue;
            };
            let Outcome::Ok(listed) = listed else {
                // No directory.
                continue;
            };
            assert!(listed.eof);
            for entry in listed.entries.iter() {
                let name = String::from_utf8(entry.name.to_vec()).unwrap();
                all.push(format!("{below:?} {name} {}", shown(&entry.attrs)));
                left.push([below.clone(), vec![name]].concat());
            }
        }
    }
    all.sort();
    all
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

const SHOWN: Bitmap = Bitmap::of(&[
    num::TYPE,
    num::SIZE,
    num::MODE,
    num::NUMLINKS,
    num::OWNER,
    num::OWNER_GROUP,
]);
const ATTRIBUTES: args::GetAttr = args::GetAttr {
    attr_request: SHOWN,
};
const LIST: args::ReadDir = args::ReadDir {
    cookie: 0,
    cookieverf: Verifier([0; 8]),
    dircount: 1 << 16,
    maxcount: 1 << 16,
    attr_request: SHOWN,
};
