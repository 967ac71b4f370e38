//! Which file of a crate imports which, as its tokens tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::{Scan, Token};

/// The files of one crate by module path (`core::callback::send`; empty for the root), and what each
/// imports.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// The path of each file, relative to the repository.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) edges: BTreeMap<String, BTreeSet<String>>,
}

/// A path that a file names, from the root of its crate.
type Named = Vec<String>;

/// What a file has found out about itself.
struct Source {
    module: String,
    named: Vec<Named>,
    /// What it shows under a name of its own: the name, and what that is.
    shown: BTreeMap<String, Named>,
}

impl Imports {
    /// Of the files of a crate whose sources lie in `root`.
    ///
    /// A name that a module only passes on is an import of the file that has it. That a module passes
    /// on what lies below it is no import.
    pub(crate) fn of(root: &str, scans: &[(String, Scan)]) -> Imports {
        let files: BTreeMap<String, String> = scans
            .iter()
            .map(|(path, _)| (module_of(root, path), path.clone()))
            .collect();
        let sources: Vec<Source> = scans
            .iter()
            .map(|(path, scan)| Source::read(module_of(root, path), scan, &files))
            .collect();
        let shown: BTreeMap<&str, &BTreeMap<String, Named>> = sources
            .iter()
            .map(|source| (source.module.as_str(), &source.shown))
            .collect();
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in &sources {
            for named in &source.named {
                let target = resolve(named, &files, &shown, 0);
                if target != source.module {
                    edges
                        .entry(source.module.clone())
                        .or_default()
                        .insert(target);
                }
            }
        }
        Imports { files, edges }
    }

    /// The shortest loop through each group of files that import each other.
    pub(crate) fn loops(&self) -> Vec<Vec<String>> {
        let mut found: Vec<Vec<String>> = Vec::new();
        for start in self.files.keys() {
            if found.iter().flatten().any(|file| file == start) {
                continue;
            }
            found.extend(self.loop_through(start));
        }
        found
    }

    /// The shortest way from a file back to it.
    fn loop_through(&self, start: &str) -> Option<Vec<String>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for next in self.edges.get(at).into_iter().flatten() {
                if next == start {
                    let mut way = vec![at.to_owned()];
                    let mut at = at;
                    while let Some(previous) = before.get(at) {
                        way.push((*previous).to_owned());
                        at = previous;
                    }
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(next.as_str()) {
                    before.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

impl Source {
    fn read(module: String, scan: &Scan, files: &BTreeMap<String, String>) -> Source {
        let own: Named = split(&module);
        let mut source = Source {
            module,
            named: Vec::new(),
            shown: BTreeMap::new(),
        };
        let tokens = &scan.tokens;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if token.is_ident && token.text == "use" {
                let is_shown = shows(tokens, at);
                let mut tree = Tree {
                    tokens,
                    at: at + 1,
                    leaves: Vec::new(),
                };
                tree.read(&[]);
                at = tree.at;
                for (path, name) in tree.leaves {
                    let Some(path) = absolute(&path, &own, files) else {
                        continue;
                    };
                    if is_shown {
                        source.shown.insert(name, path.clone());
                    }
                    // A module that passes on what lies below it does not import it.
                    let passes_on = is_shown && file_of(&path, files) != source.module && {
                        let below = file_of(&path, files);
                        source.module.is_empty()
                            || below.starts_with(&format!("{}::", source.module))
                    };
                    if !passes_on {
                        source.named.push(path);
                    }
                }
                continue;
            }
            let begins = at < 2 || tokens[at - 1].text != ":" || tokens[at - 2].text != ":";
            if begins && ["crate", "super", "self"].contains(&token.text.as_str()) {
                let (path, end) = path_at(tokens, at);
                if path.len() > 1
                    && let Some(path) = absolute(&path, &own, files)
                {
                    source.named.push(path);
                }
                at = end;
                continue;
            }
            at += 1;
        }
        source
    }
}

/// A tree of `use`, read into its leaves: each path and the name that it gets.
struct Tree<'a> {
    tokens: &'a [Token],
    at: usize,
    leaves: Vec<(Named, String)>,
}

impl Tree<'_> {
    fn read(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                ":" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while self.text() != "}" && !self.text().is_empty() {
                        self.read(&path);
                        if self.text() == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => {
                    let name = self.tokens.get(self.at + 1);
                    let name = name.map_or_else(String::new, |token| token.text.clone());
                    self.at += 2;
                    self.leaves.push((path, name));
                    return;
                }
                "*" => {
                    self.at += 1;
                    self.leaves.push((path, "*".to_owned()));
                    return;
                }
                _ if token.is_ident => {
                    if token.text != "self" || path.is_empty() {
                        path.push(token.text.clone());
                    }
                    self.at += 1;
                }
                _ => break,
            }
        }
        let name = path.last().cloned().unwrap_or_default();
        self.leaves.push((path, name));
    }

    fn text(&self) -> &str {
        self.tokens
            .get(self.at)
            .map_or("", |token| token.text.as_str())
    }
}

/// Whether the `use` at this place is one that passes names on.
fn shows(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| {
        at.checked_sub(back)
            .map_or("", |at| tokens[at].text.as_str())
    };
    before(1) == "pub" || before(1) == ")" && (2..6).any(|back| before(back) == "pub")
}

fn path_at(tokens: &[Token], mut at: usize) -> (Named, usize) {
    let mut path = vec![tokens[at].text.clone()];
    at += 1;
    while let [one, two, next, ..] = &tokens[at..]
        && one.text == ":"
        && two.text == ":"
        && next.is_ident
    {
        path.push(next.text.clone());
        at += 3;
    }
    (path, at)
}

/// A path from the root of the crate; `None` if it leads out of it.
fn absolute(path: &[String], own: &[String], files: &BTreeMap<String, String>) -> Option<Named> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => own.to_vec(),
        "super" => own.split_last()?.1.to_vec(),
        child => {
            let mut below = own.to_vec();
            below.push(child.to_owned());
            if !files.contains_key(&below.join("::")) {
                return None;
            }
            below
        }
    };
    for part in rest {
        if part == "super" {
            base.pop();
        } else {
            base.push(part.clone());
        }
    }
    Some(base)
}

/// The file that has what a path names, through all modules that pass it on.
fn resolve(
    path: &[String],
    files: &BTreeMap<String, String>,
    shown: &BTreeMap<&str, &BTreeMap<String, Named>>,
    depth: usize,
) -> String {
    let file = file_of(path, files);
    let place = split(&file).len();
    let passed_on = path
        .get(place)
        .and_then(|name| shown.get(file.as_str())?.get(name));
    match passed_on {
        Some(further) if depth < 8 => {
            let mut further = further.clone();
            further.extend(path.iter().skip(place + 1).cloned());
            resolve(&further, files, shown, depth + 1)
        }
        _ => file,
    }
}

/// The longest part of a path that is a file.
fn file_of(path: &[String], files: &BTreeMap<String, String>) -> String {
    let lengths = (0..=path.len()).rev();
    let mut prefixes = lengths.map(|length| path[..length].join("::"));
    prefixes
        .find(|prefix| files.contains_key(prefix))
        .unwrap_or_default()
}

fn module_of(root: &str, path: &str) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let path = path.trim_start_matches('/').trim_end_matches(".rs");
    let mut parts: Vec<&str> = path.split('/').collect();
    if let Some("mod" | "lib" | "main") = parts.last().copied() {
        parts.pop();
    }
    parts.join("::")
}

fn split(module: &str) -> Named {
    let parts = module.split("::").filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The imports of a crate of these files.
    pub(crate) fn crate_of(files: &[(&str, &str)]) -> Imports {
        let scans: Vec<(String, Scan)> = files
            .iter()
            .map(|(path, text)| (format!("a/src/{path}"), Scan::parse(path, text)))
            .collect();
        Imports::of("a/src", &scans)
    }

    fn edges(imports: &Imports, of: &str) -> Vec<String> {
        let found = imports.edges.get(of).into_iter().flatten();
        found.cloned().collect()
    }

    #[test]
    fn every_way_to_name_a_file_is_an_import_of_it() {
        let imports = crate_of(&[
            ("lib.rs", "mod one; mod two;"),
            ("one.rs", "pub(crate) struct One;"),
            (
                "two/mod.rs",
                "mod inner; mod other; pub(crate) use inner::Inner;",
            ),
            (
                "two/inner.rs",
                "use super::other::{self, Other as Another}; pub(crate) struct Inner(crate::one::One);",
            ),
            (
                "two/other.rs",
                "pub(crate) fn other(_: super::super::one::One) {}",
            ),
            (
                "three.rs",
                "use crate::{one, two::Inner}; fn f() { let _ = \"crate::two::other\"; }",
            ),
        ]);
        assert_eq!(edges(&imports, "two::inner"), ["one", "two::other"]);
        assert_eq!(edges(&imports, "two::other"), ["one"]);
        assert_eq!(edges(&imports, "three"), ["one", "two::inner"]);
        assert!(edges(&imports, "two").is_empty(), "it only passes on");
        assert!(imports.loops().is_empty());
    }

    #[test]
    fn the_shortest_loops_are_found_also_through_a_module_that_passes_names_on() {
        let imports = crate_of(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; use crate::c::C; pub struct A;"),
            ("b/mod.rs", "mod inner; pub use inner::B;"),
            ("b/inner.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "use crate::a::A; pub struct C;"),
        ]);
        assert_eq!(
            imports.loops(),
            [vec!["a", "c"], vec!["b::inner", "c", "a"]]
        );
    }

    #[test]
    fn what_only_tests_import_does_not_count() {
        let imports = crate_of(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ]);
        assert!(imports.loops().is_empty());
    }
}
