#![no_main]

use nfs4_tests::counting::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| nfs4_tests::fuzzing::callback(data));
