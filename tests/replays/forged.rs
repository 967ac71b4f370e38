//! Logs that no server has written, with checks that match.

use std::hash::Hasher as _;

use nfs4_engine::record::{DECODED_FIRST, FRAME_HEAD};
use siphasher::sip::SipHasher13;

/// The frames of a log without their lengths and checks.
pub(crate) fn bodies(log: &[u8]) -> Vec<&[u8]> {
    let mut rest = &log[DECODED_FIRST..];
    let mut bodies = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (frame, after) = after.split_at(4 + u32::from_be_bytes(*len) as usize + CHECK);
        bodies.push(&frame[4..frame.len() - CHECK]);
        rest = after;
    }
    bodies
}

/// Where the frames of a log begin.
pub(crate) fn places(log: &[u8]) -> Vec<usize> {
    let mut at = DECODED_FIRST;
    let bodies = bodies(log);
    let starts = bodies.iter().map(|body| {
        let start = at;
        at += FRAME_HEAD + body.len() + CHECK;
        start
    });
    starts.collect()
}

/// A log of these frames.
pub(crate) fn sealed<'a>(version_of: &[u8], bodies: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut log = version_of[..DECODED_FIRST].to_vec();
    let mut chain = 0_u64;
    for body in bodies {
        let len = body.len() as u32;
        let mut head = after(chain);
        head.write(&len.to_be_bytes());
        let mut check = after(chain);
        check.write(&u64::from(len).to_be_bytes());
        check.write(body);
        chain = check.finish();
        log.extend_from_slice(&len.to_be_bytes());
        log.extend_from_slice(&((head.finish() >> 32) as u32).to_be_bytes());
        log.extend_from_slice(body);
        log.extend_from_slice(&chain.to_be_bytes());
    }
    log
}

fn after(chain: u64) -> SipHasher13 {
    let mut hasher = SipHasher13::new();
    hasher.write(&chain.to_be_bytes());
    hasher
}

/// Number of bytes of a frame after its body.
const CHECK: usize = 8;
