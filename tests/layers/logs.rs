//! What the sources log at INFO and above is what `docs/logs.md` explains.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Group, TokenStream, TokenTree};

/// A kind of line: its text and its level.
type Line = (String, String);

/// The fields of each kind of line.
type Lines = BTreeMap<Line, BTreeSet<String>>;

/// The lines that a source file logs, tests left out; a line that is logged at two places has the fields
/// of both.
pub(crate) fn logged(path: &str, text: &str, lines: &mut Lines) {
    let code = TESTS.iter().filter_map(|mark| text.find(mark)).min();
    let code = &text[..code.unwrap_or(text.len())];
    let stream: TokenStream = code
        .parse()
        .unwrap_or_else(|error| panic!("{path} does not tokenise: {error}"));
    walk(stream, lines);
}

/// The lines that the page explains: rows of a table that begin with a text, a level and fields.
pub(crate) fn explained(page: &str) -> Lines {
    let rows = page.lines().filter(|row| row.starts_with("| `"));
    let row = |row: &str| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let text = cells.next()?.trim_matches('`').to_owned();
        let level = cells.next()?.to_owned();
        let fields = cells.next()?.split(',');
        let fields = fields.map(|field| field.trim().trim_matches('`').to_owned());
        let fields = fields.filter(|field| !field.is_empty()).collect();
        Some(((text, level), fields))
    };
    rows.filter_map(row).collect()
}

/// What the page and the sources say differently.
pub(crate) fn differences(logged: &Lines, explained: &Lines) -> Vec<String> {
    let mut faults = Vec::new();
    for ((text, level), fields) in logged {
        match explained.get(&(text.clone(), level.clone())) {
            None => faults.push(format!("{PAGE}: does not explain `{text}` at {level}")),
            Some(known) if known != fields => {
                faults.push(format!("{PAGE}: `{text}` has the fields {fields:?}"));
            }
            Some(_) => {}
        }
    }
    let gone = explained.keys().filter(|line| !logged.contains_key(*line));
    faults.extend(gone.map(|(text, level)| format!("{PAGE}: nothing logs `{text}` at {level}")));
    faults
}

fn walk(stream: TokenStream, lines: &mut Lines) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else {
            continue;
        };
        // `tracing :: level ! (…)`
        let before: Vec<String> = trees[at.saturating_sub(5)..at]
            .iter()
            .map(ToString::to_string)
            .collect();
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        match before[..] {
            [
                "tracing",
                ":",
                ":",
                level @ ("error" | "warn" | "info"),
                "!",
            ] => {
                let (text, fields) = event(group);
                let line = (text, level.to_uppercase());
                lines.entry(line).or_default().extend(fields);
            }
            _ => walk(group.stream(), lines),
        }
    }
}

/// The text and the fields of an event.
fn event(group: &Group) -> (String, BTreeSet<String>) {
    let (mut text, mut fields) = (String::new(), BTreeSet::new());
    let trees: Vec<TokenTree> = group.stream().into_iter().collect();
    let is_comma =
        |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ',');
    for part in trees.split(is_comma) {
        match part {
            [TokenTree::Literal(literal)] => {
                literal.to_string().trim_matches('"').clone_into(&mut text);
            }
            [TokenTree::Ident(name), ..] | [TokenTree::Punct(_), TokenTree::Ident(name), ..] => {
                fields.insert(name.to_string());
            }
            _ => {}
        }
    }
    (text, fields)
}

/// Where the lines are explained.
pub(crate) const PAGE: &str = "docs/logs.md";

/// Where the tests of a file begin, which stand last.
const TESTS: [&str; 2] = ["#[cfg(test)]\nmod ", "#[cfg(all(test,"];

#[test]
fn a_line_that_is_not_explained_or_not_logged_is_found() {
    let code = r#"
        fn tell(why: &str, count: u64) {
            tracing::warn!(%why, lines = count, "it is so");
            if true { tracing::info!("and so") }
            tracing::debug!("not for operators");
        }
        #[cfg(test)]
        mod tests { fn f() { tracing::error!("only here") } }
    "#
    .replace("        ", "");
    let mut lines = Lines::new();
    logged("a.rs", &code, &mut lines);
    let page = |fields| {
        format!(
            "| text |\n|---|\n| `it is so` | WARN | {fields} | why |\n| `and so` | INFO | | |\n"
        )
    };
    assert_eq!(
        differences(&lines, &explained(&page("`why`, `lines`"))),
        Vec::<String>::new()
    );
    let faults = differences(&lines, &explained(&page("`why`")));
    assert_eq!(faults.len(), 1, "{faults:?}");
    let faults = differences(&lines, &explained("| `gone` | INFO | | |\n"));
    assert_eq!(faults.len(), 3, "{faults:?}");
}
