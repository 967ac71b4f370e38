//! Records, however they are cut on the way.

use nfs4_engine::proto::client::{CallCredential, null_call};
use nfs4_engine::proto::nfs4::{StableHow, Stateid, args};
use nfs4_engine::proto::rpc::Mark;

use super::Transport;
use super::client::{next_xid, results, succeeded};
use super::files::{NAME, SIZE, byte};
use super::scene::Scene;

/// A record may come in any number of fragments, and a stream in any pieces.
pub fn fragments_and_single_bytes_make_records<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.connect();
    for size in [1, 3, 7, 1_000] {
        let (xid, call) = null();
        let cut = fragments(&call, size);
        client.send(&cut).expect("it is read");
        client.reply_to(xid);
    }
    let (xid, call) = null();
    for part in fragments(&call, 5).chunks(1) {
        client.send(part).expect("it is read");
    }
    client.reply_to(xid);
    // One and a half, and the other half.
    let ((first, one), (second, two)) = (null(), null());
    let half = two.len() / 2;
    let parts = [&one[..], &two[..half]].concat();
    client.send(&parts).expect("it is read");
    client.reply_to(first);
    client.send(&two[half..]).expect("it is read");
    client.reply_to(second);
    drop(client);
    scene.end();
}

/// A megabyte goes there and back, in one fragment and in many.
pub fn records_longer_than_any_buffer_pass<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.mounted("long");
    let content: Vec<u8> = (0..SIZE).map(byte).collect();
    for (round, cut) in [usize::MAX, 10_007, SIZE / 2].into_iter().enumerate() {
        let data: Vec<u8> = content.iter().map(|byte| byte ^ round as u8).collect();
        let write = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: StableHow::Unstable,
            data: &data,
        };
        let file = args::Lookup { objname: NAME };
        let (xid, call) = client.request(0, |call| call.putrootfh().lookup(file).write(write));
        let call = match cut {
            usize::MAX => call,
            cut => fragments(&call, cut),
        };
        client.send(&call).expect("it is read");
        succeeded(client.reply_to(xid));
        assert!(scene.files.written() == data, "other bytes were written");

        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: SIZE as u32,
        };
        let reply = client.call(|call| call.putrootfh().lookup(file).read(read));
        let mut results = results(&reply);
        for _ in 0..3 {
            results.next_result().expect("a result");
        }
        let read = results.read().expect("bytes");
        assert!(read.data == content && read.eof, "other bytes were read");
    }
    client.unmount();
    drop(client);
    scene.end();
}

fn null() -> (u32, Vec<u8>) {
    let xid = next_xid();
    (xid, null_call(xid, &CallCredential::None))
}

/// A record of one fragment, cut into fragments of at most `size` bytes.
fn fragments(record: &[u8], size: usize) -> Vec<u8> {
    let message = &record[Mark::LEN..];
    let count = message.len().div_ceil(size);
    let mut stream = Vec::new();
    for (at, fragment) in message.chunks(size).enumerate() {
        let mark = Mark {
            last: at + 1 == count,
            len: fragment.len() as u32,
        };
        stream.extend_from_slice(&mark.to_bytes());
        stream.extend_from_slice(fragment);
    }
    stream
}
