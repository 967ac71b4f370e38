//! COMPOUNDs whose numbers are chosen to make the server hold or walk much.

use std::time::Instant;

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::{Bitmap, Status, Verifier, args};
use nfs4_tests::live::{Client, Connection, Scene, Transport};

use crate::peer;

on_each!(lists_that_claim_two_billion_elements_are_refused_and_allocate_nothing);

fn lists_that_claim_two_billion_elements_are_refused_and_allocate_nothing(on: Transport) {
    let mut scene = Scene::start("endless lists", on, Config::default(), Limits::default());
    let told = scene.attack(|scene, until| {
        let mut client = client(scene);
        let count = i32::MAX.cast_unsigned().to_be_bytes();
        let attributes = [&count[..], &[0; 64]].concat();
        let mut refused = 0;
        while refused < 16 || Instant::now() < until {
            for (op, arguments) in [
                // A bitmap, stateids, an opaque, a fattr4 and its values.
                (Op::GetAttr, &attributes[..]),
                (Op::TestStateid, &attributes),
                (Op::Lookup, &attributes),
                (Op::Verify, &attributes),
                (Op::Verify, &[&[0; 4][..], &count, &[0; 32]].concat()),
                (Op::PutFh, &attributes),
            ] {
                let status = client.in_session(|c| c.putrootfh().raw(op.number(), arguments));
                assert_eq!(status, Status::BADXDR, "{op:?}");
                refused += 1;
            }
        }
        client.unmount();
        format!("BADXDR {refused} times")
    });
    scene.end("what is in the record", told);
}

on_each!(compounds_of_many_operations_delay_no_others);

fn compounds_of_many_operations_delay_no_others(on: Transport) {
    let mut scene = Scene::start("deep COMPOUNDs", on, Config::default(), Limits::default());
    let told = scene.attack(|scene, until| {
        let mut connection = Connection::from(peer(3), scene.address());
        let mut deep = CompoundBuilder::call(1, &CallCredential::None, b"", 0);
        for _ in 0..OPERATIONS {
            deep.putrootfh();
        }
        let deep = deep.finish();
        let (mut refused, mut answered) = (0, 0);
        while answered < 2 || Instant::now() < until {
            // A session says how many it takes.
            let mut client = Client::on(Connection::from(peer(2), scene.address()), Some(2));
            client.mount(&format!("of 4.1 {refused}"), 1);
            let status = client.in_session(|c| (0..100).fold(c, |c, _| c.putrootfh()));
            assert_eq!(status, Status::TOO_MANY_OPS);
            refused += 1;
            // Minor version 0 does not.
            let reply = connection.exchange(&deep).unwrap();
            let status = ReplyReader::parse(&reply).unwrap().status();
            assert!(
                [Status::OK, Status::RESOURCE].contains(&status),
                "{status:?}"
            );
            answered += 1;
        }
        format!("TOO_MANY_OPS {refused} times, {OPERATIONS} operations of 4.0 {answered} times")
    });
    scene.end("64 operations in a session, a record in 4.0", told);
}

on_each!(counts_beyond_all_bounds_are_cut_or_refused);

fn counts_beyond_all_bounds_are_cut_or_refused(on: Transport) {
    let mut scene = Scene::start("hostile counts", on, Config::default(), Limits::default());
    let told = scene.attack(|scene, until| {
        let mut client = client(scene);
        let opens = ["a", "b", "c"].map(|name| (client.open(name), client.file.clone(), name));
        // All but those that can only be set. [RFC 8881 §5.5]
        let every =
            Bitmap::from_words([u32::MAX, !(1 << 16 | 1 << 22), !(1 << 7 | 1 << 8 | 1 << 10)]);
        let (mut most, mut asked) = (0, 0);
        while asked < 16 || Instant::now() < until {
            for (dircount, maxcount) in [
                (u32::MAX, u32::MAX),
                (0, u32::MAX),
                (u32::MAX, 0),
                (1, 1),
                (0, 129),
            ] {
                let listing = args::ReadDir {
                    cookie: 0,
                    cookieverf: Verifier([0; 8]),
                    dircount,
                    maxcount,
                    attr_request: every,
                };
                let reply = client.reply_to(|c| c.putrootfh().readdir(listing));
                most = most.max(reply.len());
                let status = ReplyReader::parse(&reply).unwrap().status();
                let few = maxcount < 1_000;
                let expected = if few { Status::TOOSMALL } else { Status::OK };
                assert_eq!(status, expected, "{dircount} {maxcount}");
                asked += 1;
            }
            let attributes = args::GetAttr {
                attr_request: every,
            };
            let reply = client.reply_to(|c| c.putrootfh().getattr(attributes));
            most = most.max(reply.len());
            client.file.clone_from(&opens[0].1);
            client.read(opens[0].0, u64::MAX - 1, u32::MAX);
        }
        assert!(most < 16 << 10, "{most} bytes for three files");
        for (open, file, name) in opens {
            client.file = file;
            client.remove(open, name);
        }
        client.unmount();
        format!("{asked} listings, replies of at most {most} bytes")
    });
    scene.end("max_io, and what there is", told);
}

on_each!(a_client_that_always_retransmits_gets_the_kept_reply_and_nothing_is_executed);

fn a_client_that_always_retransmits_gets_the_kept_reply_and_nothing_is_executed(on: Transport) {
    let mut scene = Scene::start("retransmissions", on, Config::default(), Limits::default());
    let told = scene.attack(|scene, until| {
        let mut client = client(scene);
        client.cachethis = true;
        let open = client.open("file");
        let object = &client.file.clone()[..];
        let mut request = client.compose();
        let type_and_change = Bitmap::of(&[num::TYPE, num::CHANGE]);
        let request = request
            .putfh(args::PutFh { object })
            .write(args::Write {
                stateid: open,
                offset: 0,
                stable: nfs4_proto::nfs4::StableHow::FileSync,
                data: &[1; 4_096],
            })
            .getattr(args::GetAttr {
                attr_request: type_and_change,
            })
            .finish();
        let first = client.connection.exchange(&request).unwrap();
        let many = request.repeat(16);
        let mut again = 0;
        while again < 64 || Instant::now() < until {
            client.connection.send(&many).unwrap();
            for _ in 0..16 {
                // A change attribute that grew would show that it was executed again.
                let reply = client.connection.reply().unwrap();
                assert!(reply == first, "another reply");
                again += 1;
            }
        }
        client.cachethis = false;
        client.remove(open, "file");
        client.unmount();
        format!("the same reply {again} times")
    });
    scene.end("one execution", told);
}

fn client(scene: &Scene) -> Client {
    let mut client = Client::on(Connection::from(peer(2), scene.address()), Some(2));
    client.mount("attacker", 1);
    client
}

/// What a record holds of the shortest operation, nearly.
const OPERATIONS: usize = 250_000;
