//! The hosts and the minor versions that an export is served to.

use nfs4_engine::{Cidr, NetworkRule, Squash};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, Op, Status, Verifier, args};
use nfs4_tests::sim::{Client, Sim, making_args};

use super::{export, handle, looked_at, names, on, put, reached};

fn rule(network: &str) -> NetworkRule {
    NetworkRule::new(network.parse::<Cidr>().expect("a network"))
}

fn from(sim: &mut Sim, host: &str) -> Client {
    let conn = sim.connect_from(host);
    let mut client = Client::on(conn, host);
    client.mount(sim);
    client
}

#[test]
fn listings_that_compare_a_host_with_many_networks_go_in_parts() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let (b, _) = export("/b");
    let networks = (0..4_000).map(|number| {
        let (high, low) = (number / 256, number % 256);
        rule(&format!("10.1.{high}.{low}/32"))
    });
    put(&mut sim, &b.with(|it| it.access = networks.collect()));
    let mut outside = from(&mut sim, "198.51.100.7");
    let list = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 512,
        maxcount: 512,
        attr_request: Bitmap::of(&[num::RDATTR_ERROR]),
    };
    for (listings, in_parts) in [(1, false), (8, true)] {
        let request = outside.request(&mut sim, 0, false, |c| {
            (0..listings).fold(c.putrootfh(), |c, _| c.readdir(list))
        });
        request.send(&mut sim, outside.conn);
        let mut yielded = false;
        while sim.step() {
            yielded |= sim.tables().yielded > 0;
        }
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        reply.all_ok();
        outside.advance(0);
        assert_eq!(yielded, in_parts, "{listings} listings");
    }
}

#[test]
fn an_export_of_other_networks_is_hidden_and_its_handles_give_access_to_nothing() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let (b, fs) = export("/srv/deep/b");
    let b = b.with(|export| export.access = vec![rule("192.0.2.0/24")]);
    put(&mut sim, &b);
    let mut inside = from(&mut sim, "192.0.2.7");
    let mut outside = from(&mut sim, "198.51.100.7");
    assert_eq!(names(&mut sim, &mut inside, "/"), ["a", "srv"]);
    assert_eq!(names(&mut sim, &mut outside, "/"), ["a"]);
    assert_eq!(
        reached(&mut sim, &mut outside, "/srv"),
        (Op::Lookup, Status::NOENT)
    );
    let fh = handle(&mut sim, &mut inside, "/srv/deep/b");
    let asked = fs.tally().requests.values().sum::<u64>();
    assert_eq!(
        looked_at(&mut sim, &mut outside, &fh),
        (Op::GetAttr, Status::ACCESS)
    );
    let making = making_args(b"o", b"f");
    let reply = on(&mut sim, &mut outside, &fh, |c| c.open(making));
    assert_eq!(reply.last(), (Op::Open, Status::ACCESS));
    let lookup = args::Lookup { objname: b"x" };
    let reply = on(&mut sim, &mut outside, &fh, |c| c.lookup(lookup));
    assert_eq!(reply.last(), (Op::Lookup, Status::ACCESS));
    on(&mut sim, &mut outside, &fh, |c| c.getfh()).all_ok();
    assert_eq!(
        fs.tally().requests.values().sum::<u64>(),
        asked,
        "it is not asked"
    );
    // The administrator permits it, and forbids it again.
    put(&mut sim, &b.clone().with(|export| export.access.clear()));
    assert_eq!(looked_at(&mut sim, &mut outside, &fh).1, Status::OK);
    assert_eq!(names(&mut sim, &mut outside, "/"), ["a", "srv"]);
    put(&mut sim, &b);
    assert_eq!(looked_at(&mut sim, &mut outside, &fh).1, Status::ACCESS);
    assert_eq!(looked_at(&mut sim, &mut inside, &fh).1, Status::OK);
    sim.assert_nothing_is_left();
}

#[test]
fn the_most_specific_network_decides() {
    let mut sim = Sim::serving(&["/"], |export| {
        export.access = vec![
            rule("0.0.0.0/0").with(|rule| rule.read_only = Some(true)),
            rule("192.0.2.0/24"),
            rule("192.0.2.9").with(|rule| rule.squash = Some(Squash::All)),
            rule("127.0.0.0/8").with(|rule| rule.read_only = Some(false)),
        ];
    });
    for (host, expected) in [
        ("198.51.100.1", Status::ROFS),
        ("192.0.2.1", Status::OK),
        ("192.0.2.9", Status::OK),
        ("[2001:db8::1]", Status::ACCESS),
        ("a pipe", Status::OK),
    ] {
        let mut client = from(&mut sim, host);
        let making = making_args(b"o", host.as_bytes());
        let reply = client.call(&mut sim, |c| c.putrootfh().open(making));
        assert_eq!(reply.last(), (Op::Open, expected), "{host}");
    }
    sim.assert_nothing_is_left();
}

#[test]
fn an_export_of_other_minor_versions_is_hidden() {
    let mut sim = Sim::serving(&["/a", "/b"], |export| {
        if export.path == "/b" {
            export.minor_versions = 2..=2;
        }
    });
    let mut client = Client::mounted(&mut sim, "a");
    assert_eq!(names(&mut sim, &mut client, "/"), ["a"]);
    client.minor = 2;
    assert_eq!(names(&mut sim, &mut client, "/"), ["a", "b"]);
    let fh = handle(&mut sim, &mut client, "/b");
    client.minor = 1;
    assert_eq!(
        looked_at(&mut sim, &mut client, &fh),
        (Op::GetAttr, Status::ACCESS)
    );
    sim.assert_nothing_is_left();
}
