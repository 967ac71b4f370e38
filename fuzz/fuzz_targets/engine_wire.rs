#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| nfs4_tests::fuzzing::engine_wire(data));

fuzz_mutator!(|data: &mut [u8], len: usize, max: usize, seed: u32| {
    let max = max.min(data.len());
    nfs4_tests::fuzzing::wire::mutate(&mut data[..max], len, seed, fuzzer_mutate)
});
