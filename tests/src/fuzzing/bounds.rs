//! Bodies of codecs with a bound on the memory that they take.

use std::hint::black_box;

use nfs4_proto::fuzzing;

use crate::counting::{Allocations, peak_during};

/// Arguments and results of COMPOUNDs.
///
/// # Panics
/// The codec breaks a promise, or takes more memory than the length of `data` allows.
pub fn compound(data: &[u8]) {
    bounded(data, fuzzing::compound);
}

/// Arguments and results of callbacks.
///
/// # Panics
/// As [`compound`].
pub fn callback(data: &[u8]) {
    bounded(data, fuzzing::callback);
}

/// Attributes.
///
/// # Panics
/// As [`compound`].
pub fn attributes(data: &[u8]) {
    bounded(data, fuzzing::attributes);
}

/// RPC headers and credentials.
///
/// # Panics
/// As [`compound`].
pub fn rpc_header(data: &[u8]) {
    bounded(data, fuzzing::rpc_header);
}

/// To decode and to print takes no memory, and to encode as much as there are bytes, a few times.
fn bounded(data: &[u8], body: fn(&[u8])) {
    let one = Allocations::during(|| drop(black_box(Box::new(0_u8))));
    assert_eq!(one.count, 1, "the binary's allocator does not count");
    let decoding = Allocations::during(|| fuzzing::decode(data));
    assert_eq!(decoding, Allocations::default(), "decoding allocates");
    let peak = peak_during(|| body(data));
    let bound = FIXED + PER_BYTE * data.len() as u64;
    assert!(peak <= bound, "{peak} bytes for {}", data.len());
}

/// Bytes of the buffers that bodies begin with.
const FIXED: u64 = 2_048;
/// Three buffers at once, each of which grows by doubling; a block that grows is held twice.
const PER_BYTE: u64 = 8;
