//! The pages for operators name what the binary has.

use nfs4_tests::docs::{Program, bare_flags, pages};

#[test]
fn every_command_and_flag_of_the_pages_exists() {
    let pages = pages();
    let mut program = Program::new(env!("CARGO_BIN_EXE_nfs4d"), "nfs4d");
    let (mut unknown, known) = program.unknown(&pages);
    for page in pages.iter().filter(|page| !OTHERS.contains(&page.name())) {
        for flag in bare_flags(page) {
            if !program.has_flag(flag) {
                unknown.push(format!("{}: {flag}", page.name()));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(known >= 10, "only {known} commands are found");
}

/// Pages whose flags are of other programs, where none is named.
const OTHERS: [&str; 3] = ["README.md", "nfs4ctl.md", "performance.md"];
