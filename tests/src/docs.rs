//! The pages for operators in `docs/`: their links, and the commands that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its path in the repository.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The exit codes of a program, with what each means: the table under "Exit codes" of a page in `docs/`, which its
/// help has, too.
///
/// # Panics
/// The page and the help do not say the same.
pub fn exit_codes(page: &str, help: &str) -> Vec<(i32, String)> {
    let path = root().join("docs").join(page);
    let text = fs::read_to_string(path).expect("it is text");
    let section = text.split("\n## Exit codes\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        let (code, means) = line.strip_prefix("| ")?.split_once(" | ")?;
        let means = means.trim_end_matches(['|', ' ']).replace('`', "");
        Some((code.parse().ok()?, means))
    };
    let told: Vec<(i32, String)> = section.lines().filter_map(row).collect();
    let block = help.split("\nExit codes:\n").nth(1).unwrap_or_default();
    let line = |line: &str| {
        let (code, means) = line.trim().split_once(' ')?;
        Some((code.parse().ok()?, means.trim().to_owned()))
    };
    let helped: Vec<(i32, String)> = block.lines().map_while(line).collect();
    assert_eq!(told, helped, "{page} and the help");
    told
}

/// The pages, and README.md.
///
/// # Panics
/// They cannot be read.
pub fn pages() -> Vec<Page> {
    let root = root();
    let folder = fs::read_dir(root.join("docs")).expect("docs/ is there");
    let files = folder.map(|file| file.expect("docs/ can be read").path());
    let pages = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut paths: Vec<PathBuf> = pages.chain([root.join("README.md")]).collect();
    paths.sort();
    let read = |path: PathBuf| Page {
        text: fs::read_to_string(&path).expect("it is text"),
        path,
    };
    paths.into_iter().map(read).collect()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

impl Page {
    /// The name of its file.
    pub fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default()
    }

    /// Places in the repository to which it links, as it names them.
    pub fn links(&self) -> Vec<&str> {
        let after = self.text.split("](").skip(1);
        let links = after.filter_map(|rest| rest.split(')').next());
        links
            .filter(|link| !link.contains("://") && !link.starts_with('#'))
            .map(|link| link.split('#').next().unwrap_or_default())
            .collect()
    }

    /// The links that lead nowhere.
    pub fn dead_links(&self) -> Vec<String> {
        let folder = self.path.parent().expect("a file lies in a folder");
        let dead = self
            .links()
            .into_iter()
            .filter(|link| !folder.join(link).exists());
        dead.map(|link| format!("{}: {link}", self.name()))
            .collect()
    }

    /// Its pieces of code: lines of blocks, and what is between backticks in a line.
    fn code(&self) -> Vec<&str> {
        let (mut code, mut in_block) = (Vec::new(), false);
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if in_block {
                code.push(line);
            } else {
                code.extend(line.split('`').skip(1).step_by(2));
            }
        }
        code
    }
}

/// A program, and what it says of itself.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    name: &'static str,
    /// The help of each verb that was asked for.
    helps: BTreeMap<Vec<String>, String>,
}

impl Program {
    /// The program in this file.
    pub fn new(binary: impl Into<PathBuf>, name: &'static str) -> Program {
        Program {
            binary: binary.into(),
            name,
            helps: BTreeMap::new(),
        }
    }

    /// Commands of the pages that the program does not know, and number of those that it does.
    pub fn unknown(&mut self, pages: &[Page]) -> (Vec<String>, usize) {
        let (mut unknown, mut known) = (Vec::new(), 0);
        for page in pages {
            for code in page.code() {
                let Some(arguments) = self.arguments(code) else {
                    continue;
                };
                match self.check(&arguments) {
                    Ok(()) => known += 1,
                    Err(fault) => unknown.push(format!("{}: {code}: {fault}", page.name())),
                }
            }
        }
        (unknown, known)
    }

    /// Whether the program has a flag, without a verb.
    pub fn has_flag(&mut self, flag: &str) -> bool {
        takes_value(self.help(&[]), flag).is_some()
    }

    /// The verbs below some, as the help lists them; without those that `help` says again.
    pub fn verbs(&mut self, below: &[String]) -> Vec<String> {
        let help = self.help(below);
        let block = help.split("Commands:\n").nth(1).unwrap_or_default();
        let lines = block.lines().take_while(|line| !line.is_empty());
        // A description stands farther to the right.
        let lines = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = lines.filter_map(|line| line.split_whitespace().next());
        names
            .filter(|name| *name != "help")
            .map(str::to_owned)
            .collect()
    }

    /// The long flags of a verb, as the help lists them.
    pub fn flags(&mut self, verbs: &[String]) -> BTreeSet<String> {
        let lines = self.help(verbs).lines().map(str::trim_start);
        let lines = lines.filter(|line| line.starts_with('-'));
        let words =
            lines.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
        words.map(|word| long(word).to_owned()).collect()
    }

    /// The arguments, if it is a command of this program.
    fn arguments(&self, code: &str) -> Option<Vec<String>> {
        let mut words = code.split_whitespace();
        let before = ["$", "sudo", "docker", "exec", "files"];
        let start = words.find(|word| *word == self.name || !before.contains(word))?;
        (start == self.name).then(|| {
            let own = words.take_while(|word| !["|", "&&", ">", "#", "&"].contains(word));
            own.map(str::to_owned).collect()
        })
    }

    fn check(&mut self, arguments: &[String]) -> Result<(), String> {
        let mut verbs = Vec::new();
        let mut flags = Vec::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let help = self.help(&verbs);
            if word.starts_with('-') {
                let (flag, value) = word.split_once('=').unwrap_or((word, ""));
                flags.push(flag.to_owned());
                if takes_value(help, flag) == Some(true) && value.is_empty() {
                    words.next();
                }
            } else if help.contains("Commands:") {
                let line = format!("\n  {word} ");
                let alone = format!("\n  {word}\n");
                if help.contains(&line) || help.contains(&alone) {
                    verbs.push(word.clone());
                } else {
                    return Err(format!("there is no {word}"));
                }
            }
        }
        let help = self.help(&verbs);
        match flags.iter().find(|flag| takes_value(help, flag).is_none()) {
            Some(flag) => Err(format!("there is no {flag}")),
            None => Ok(()),
        }
    }

    fn help(&mut self, verbs: &[String]) -> &str {
        let binary = &self.binary;
        self.helps.entry(verbs.to_vec()).or_insert_with(|| {
            let output = Command::new(binary).args(verbs).arg("--help").output();
            let output = output.expect("the program runs");
            assert!(output.status.success(), "{verbs:?} --help fails");
            String::from_utf8(output.stdout).expect("help is text")
        })
    }
}

/// Whether a flag takes a value; none if the help does not have it.
fn takes_value(help: &str, flag: &str) -> Option<bool> {
    help.lines().find_map(|line| {
        let mut words = line.split_whitespace().peekable();
        if !words.peek()?.starts_with('-') {
            return None;
        }
        let words: Vec<&str> = words
            .take_while(|word| word.starts_with(['-', '<', '[']))
            .collect();
        // A value that may be left out is in brackets, as in --once[=<BOOL>].
        let name = |word: &str| {
            word.split("[=")
                .next()
                .map(|name| name.trim_end_matches([',', '.']) == flag)
        };
        let has = words.iter().any(|word| name(word) == Some(true));
        has.then(|| words.iter().any(|word| word.starts_with('<')))
    })
}

/// The long flags that a text names.
pub fn flags_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|sign: char| sign.is_whitespace() || "`[]|,;:()".contains(sign));
    let flags = words.filter(|word| word.starts_with("--") && word.len() > 2);
    flags.map(|word| long(word).to_owned()).collect()
}

/// A flag without its value.
fn long(word: &str) -> &str {
    let end = word.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-');
    word.split_at(end.unwrap_or(word.len())).0
}

/// Flags that a page names alone, without a program.
pub fn bare_flags(page: &Page) -> Vec<&str> {
    let code = page.code().into_iter();
    let first = code.filter_map(|code| code.split([' ', '=']).next());
    first
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page {
            path: root().join("docs/test.md"),
            text: text.to_owned(),
        }
    }

    #[test]
    fn links_to_files_are_found() {
        let page = page("[a](../README.md#x) [b](https://a.example/) [c](#d) [e](nowhere.md)");
        assert_eq!(page.links(), ["../README.md", "nowhere.md"]);
        assert_eq!(page.dead_links(), ["test.md: nowhere.md"]);
    }

    #[test]
    fn commands_are_found_in_blocks_and_lines() {
        let page = page(
            "```sh\nsudo nfs4d --a b | x\n```\nsay `nfs4d --c` and `--d=1`, not `nfs4ctl e`\n",
        );
        let program = Program::new("", "nfs4d");
        let commands = page
            .code()
            .into_iter()
            .filter_map(|code| program.arguments(code));
        assert_eq!(
            commands.collect::<Vec<_>>(),
            [vec!["--a", "b"], vec!["--c"]]
        );
        assert_eq!(bare_flags(&page), ["--d"]);
    }

    #[test]
    fn help_says_whether_a_flag_takes_a_value() {
        let help = "Options:\n  -o, --output <FORM>\n          The form\n      --once  Print --one table\n      --may[=<BOOL>]\n  -h, --help\n";
        assert_eq!(takes_value(help, "--output"), Some(true));
        assert_eq!(takes_value(help, "-o"), Some(true));
        assert_eq!(takes_value(help, "--once"), Some(false));
        assert_eq!(takes_value(help, "--may"), Some(false));
        assert_eq!(takes_value(help, "--one"), None);
    }
}
