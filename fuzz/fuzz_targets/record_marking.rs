#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nfs4_proto::fuzzing::record_marking(data));
