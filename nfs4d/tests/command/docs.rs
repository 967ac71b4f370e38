//! The pages for operators name what the binary has.

use std::collections::BTreeSet;

use nfs4_tests::docs::{Program, bare_flags, flags_of, pages};

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

#[test]
fn every_flag_and_verb_is_on_a_page() {
    let pages = pages();
    let own = pages.iter().filter(|page| !OTHERS.contains(&page.name()));
    let mut told: BTreeSet<String> = own.clone().flat_map(|page| flags_of(&page.text)).collect();
    // A protocol setting is told by its name.
    let settings = nfs4_admin::SETTINGS.iter();
    told.extend(settings.map(|setting| format!("--{}", setting.name.replace('_', "-"))));
    let mut program = Program::new(env!("CARGO_BIN_EXE_nfs4d"), "nfs4d");
    let flags = program.flags(&[]);
    assert!(flags.len() > 40, "{flags:?}");
    let missing: Vec<&String> = flags.difference(&told).collect();
    assert_eq!(missing, ["--version"]);
    for verb in program.verbs(&[]) {
        let command = format!("nfs4d {verb}");
        let is_told = own.clone().any(|page| page.text.contains(&command));
        assert!(is_told, "{command}");
    }
}

/// Pages whose flags are of other programs, where none is named.
const OTHERS: [&str; 3] = ["README.md", "nfs4ctl.md", "performance.md"];
