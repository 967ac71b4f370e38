//! The pages for operators name what the binary has, and all that it has.

use std::collections::BTreeSet;

use nfs4_tests::docs::{Page, Program, exit_codes, flags_of, pages};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_nfs4ctl"), "nfs4ctl")
}

#[test]
fn every_command_of_the_pages_exists() {
    let (unknown, known) = program().unknown(&pages());
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(known >= 10, "only {known} commands are found");
}

/// The page of this program.
fn page() -> Page {
    let mut pages = pages().into_iter();
    let found = pages.find(|page| page.name() == "nfs4ctl.md");
    found.expect("there is a page")
}

/// The first column of the table of verbs: each command with its flags.
fn rows(text: &str) -> Vec<String> {
    let section = text.split("\n## Verbs\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let column = rows.filter_map(|row| row.split(" | ").next());
    let cells = column.flat_map(|cell| {
        cell.split("`, `")
            .map(|one| one.trim_matches('`').to_owned())
    });
    cells.collect()
}

/// The flags that the paragraph with these first words names.
fn paragraph(text: &str, first: &str) -> BTreeSet<String> {
    let mut all = text.split("\n\n");
    let found = all.find(|part| part.starts_with(first));
    flags_of(found.unwrap_or_else(|| panic!("nothing begins with {first:?}")))
}

fn verbs_of(program: &mut Program) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for verb in program.verbs(&[]) {
        let below = program.verbs(std::slice::from_ref(&verb));
        if below.is_empty() {
            found.push(vec![verb]);
        } else {
            found.extend(below.into_iter().map(|under| vec![verb.clone(), under]));
        }
    }
    found
}

/// In both directions: no flag is missing on the page, and none is on it that the verb does not have.
#[test]
fn the_page_has_every_flag_of_every_verb() {
    let (page, mut program) = (page(), program());
    let text = &page.text;
    let rows = rows(text);
    let rules = paragraph(text, "Rules are ");
    let everywhere = flags_of(
        text.split("## Options and environment")
            .nth(1)
            .unwrap_or_default(),
    );
    let settings = nfs4_admin::SETTINGS.iter();
    let settings: BTreeSet<String> = settings
        .map(|setting| format!("--{}", setting.name.replace('_', "-")))
        .collect();
    // The question before something is taken from clients, which a paragraph has with its verbs.
    let question = text.split("\n\n").find(|part| part.contains("`--yes`"));
    let question = question.unwrap_or_default();
    let common: BTreeSet<String> = program
        .flags(&[])
        .into_iter()
        .filter(|flag| flag != "--version")
        .collect();
    let told = common
        .iter()
        .filter(|flag| !["--help"].contains(&flag.as_str()));
    for flag in told {
        assert!(everywhere.contains(flag), "{flag} of all verbs");
    }
    let verbs = verbs_of(&mut program);
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in verbs {
        let name = verb.join(" ");
        let row = rows
            .iter()
            .find(|row| **row == name || row.starts_with(&format!("{name} ")));
        let row = row.unwrap_or_else(|| panic!("there is no row of {name}"));
        let mut told = flags_of(row);
        if row.contains("[RULES]") {
            told.extend(rules.iter().cloned());
        }
        if told.remove("--NAME") {
            told.extend(settings.iter().cloned());
        }
        let last = verb.last().map(String::as_str).unwrap_or_default();
        if question.contains(&format!("`{last}`")) || question.contains(&format!("`{name}`")) {
            told.insert("--yes".to_owned());
        }
        let flags: BTreeSet<String> = program.flags(&verb).difference(&common).cloned().collect();
        assert_eq!(told, flags, "{name}");
    }
}

#[test]
fn the_page_and_the_help_have_the_same_exit_codes() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_nfs4ctl"))
        .arg("--help")
        .output();
    let help = help.expect("nfs4ctl runs").stdout;
    let table = exit_codes("nfs4ctl.md", &String::from_utf8_lossy(&help));
    let codes: Vec<i32> = table.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
}
