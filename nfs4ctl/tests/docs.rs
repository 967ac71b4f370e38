//! The pages for operators name what the binary has.

use nfs4_tests::docs::{Program, pages};

#[test]
fn every_command_of_the_pages_exists() {
    let mut program = Program::new(env!("CARGO_BIN_EXE_nfs4ctl"), "nfs4ctl");
    let (unknown, known) = program.unknown(&pages());
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(known >= 10, "only {known} commands are found");
}
