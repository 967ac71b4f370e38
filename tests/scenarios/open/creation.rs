//! OPEN that may create a file, and what it does to a file that exists. [RFC 8881 §18.16.3]

use nfs4_proto::nfs4::basic::Verifier;
use nfs4_tests::sim::Fattr;

use super::*;

#[test]
fn a_guarded_creation_finds_no_file() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let guarded = creating(b"o", b"f", CreateHow::Guarded(FattrRaw::EMPTY));
    open(&mut sim, &mut client, guarded).all_ok();
    let reply = open(&mut sim, &mut client, guarded);
    assert_last(&reply, Op::Open, Status::EXIST);
}

#[test]
fn an_exclusive_creation_is_repeated_with_the_same_verifier_only() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mode = Fattr::mode(0o600);
    let exclusive = |verf: &[u8; 8]| {
        let how = CreateHow::Exclusive41 {
            verf: Verifier(*verf),
            attrs: mode.raw(),
        };
        creating(b"o", b"f", how)
    };
    let first = open(&mut sim, &mut client, exclusive(b"verifier")).all_ok();
    assert_eq!(ok!(first, Open).attrset, Bitmap::of(&[num::MODE]));
    let again = open(&mut sim, &mut client, exclusive(b"verifier")).all_ok();
    assert_eq!(handle(&first), handle(&again));
    let reply = open(&mut sim, &mut client, exclusive(b"VERIFIER"));
    assert_last(&reply, Op::Open, Status::EXIST);
}

/// MemFs stamps a new file with the time of the request: here with the one that stands for the verifier in
/// file systems that keep it in the times. [RFC 8881 §18.16.4]
#[test]
fn a_client_is_told_of_the_times_that_hold_its_verifier() {
    let times = Bitmap::of(&[num::TIME_ACCESS, num::TIME_MODIFY]);
    for exclusive41 in [false, true] {
        let mut sim = Sim::new();
        let mut client = Client::mounted(&mut sim, "a");
        let at = sim.clock().wall;
        assert_eq!(at.nanos, 0, "the verifier stands for whole seconds");
        let [_, _, _, _, a, b, c, d] = at.seconds.to_be_bytes();
        // The highest bit of either half is left out.
        let verf = Verifier([a | 0x80, b, c, d, a, b, c, d]);
        let mode = Fattr::mode(0o600);
        let attrs = mode.raw();
        let (how, set) = match exclusive41 {
            false => (CreateHow::Exclusive(verf), times),
            true => (
                CreateHow::Exclusive41 { verf, attrs },
                times.with(num::MODE),
            ),
        };
        for _ in 0..2 {
            let reply = open(&mut sim, &mut client, creating(b"o", b"f", how)).all_ok();
            assert_eq!(ok!(reply, Open).attrset, set);
        }
        // An open that creates nothing sets nothing.
        let reply = open(&mut sim, &mut client, open_args(b"o", b"f")).all_ok();
        assert_eq!(ok!(reply, Open).attrset, Bitmap::default());
    }
}

#[test]
fn an_unchecked_creation_of_length_0_cuts_a_file_and_any_other_leaves_it() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let attrs = args::GetAttr {
        attr_request: Bitmap::of(&[num::SIZE]),
    };
    let size = |sim: &mut Sim, client: &mut Client, open: args::Open<'_>| {
        let reply = client.call(sim, |c| c.putrootfh().open(open).getattr(attrs));
        let reply = reply.all_ok();
        let values = ok!(reply, GetAttr).obj_attributes.values;
        (
            ok!(reply, Open).attrset,
            u64::from_be_bytes(values.try_into().expect("eight bytes")),
        )
    };
    let (seven, zero, mode) = (Fattr::size(7), Fattr::size(0), Fattr::mode(0o600));
    let how = |attrs| creating(b"o", b"f", CreateHow::Unchecked(attrs));
    let bits = |numbers: &[u32]| Bitmap::of(numbers);
    assert_eq!(
        size(&mut sim, &mut client, how(seven.raw())),
        (bits(&[num::SIZE]), 7)
    );
    assert_eq!(size(&mut sim, &mut client, how(mode.raw())), (bits(&[]), 7));
    assert_eq!(
        size(&mut sim, &mut client, how(zero.raw())),
        (bits(&[num::SIZE]), 0)
    );
    assert_eq!(sim.fs().held(), 1);
}

#[test]
fn the_creator_of_a_file_may_write_it_whatever_its_mode() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mode = Fattr::mode(0o444);
    let args = creating(b"o", b"object", CreateHow::Guarded(mode.raw()));
    let reply = open(&mut sim, &mut client, args).all_ok();
    let (fh, id) = (handle(&reply), stateid(&reply));
    let write = args::Write {
        stateid: id,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"blob",
    };
    let put = args::PutFh { object: &fh };
    client
        .call(&mut sim, |c| c.putfh(put).write(write))
        .all_ok();
    // A new open is refused, even to the creator.
    let reply = open(&mut sim, &mut client, open_args(b"p", b"object"));
    assert_last(&reply, Op::Open, Status::ACCESS);
    sim.assert_nothing_is_left();
}

#[test]
fn a_share_deny_of_writing_denies_cutting_a_file() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "b");
    let size = Fattr::size(0);
    let cutting = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(size.raw())),
        ..open_args(b"owner", b"f")
    };
    let denies = args::Open {
        share_deny: OPEN4_SHARE_DENY_WRITE,
        ..cutting
    };
    let data = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"kept",
    };
    one.call(&mut sim, |c| c.putrootfh().open(denies).write(data))
        .all_ok();
    let reading = args::Open {
        share_access: OPEN4_SHARE_ACCESS_READ,
        ..cutting
    };
    let reply = other.call(&mut sim, |c| c.putrootfh().open(reading));
    assert_eq!(reply.last(), (Op::Open, Status::SHARE_DENIED));
}

#[test]
fn only_a_length_of_zero_is_given_to_a_file_that_is_there() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for (asked, size) in [(32, 32), (16, 32), (64, 32), (0, 0), (16, 0)] {
        let length = Fattr::size(asked);
        let how = CreateHow::Unchecked(length.raw());
        let attrs = args::GetAttr {
            attr_request: Bitmap::of(&[num::SIZE]),
        };
        let open = creating(b"o", b"f", how);
        let reply = client.call(&mut sim, |c| c.putrootfh().open(open).getattr(attrs));
        let reply = reply.all_ok();
        let told = ok!(reply, GetAttr).obj_attributes.values;
        assert_eq!(told, u64::to_be_bytes(size), "asked for {asked}");
    }
}
