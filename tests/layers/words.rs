//! Persons in comments: a client, a holder or the administrator is named, not "whoever" or "he".

/// Words that stand for a party without a name. "Who" and "whom" may stay where grammar needs them.
const PERSONS: [&str; 13] = [
    "who",
    "whom",
    "whoever",
    "whomever",
    "somebody",
    "someone",
    "anybody",
    "nobody",
    "everybody",
    "he",
    "him",
    "his",
    "himself",
];

/// Maximum number of such words in the comments of all sources and tests.
pub(crate) const MOST: usize = 4;

/// Where comments of a file have such words.
pub(crate) fn persons(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, comment) in comments(text) {
        // A word of code, such as `Credential::NOBODY`, is no person.
        let prose = comment.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        let words = prose.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
        for word in words {
            if PERSONS.contains(&word.to_lowercase().as_str()) {
                found.push(format!("{path}:{line}: {word}"));
            }
        }
    }
    found
}

/// The line comments of a source, each with its line; what is in strings is none.
fn comments(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_raw_string: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        if let Some(end) = &in_raw_string {
            let Some(at) = rest.find(end.as_str()) else {
                continue;
            };
            rest = &rest[at + end.len()..];
            in_raw_string = None;
        }
        if let Some(comment) = comment(rest, &mut in_raw_string) {
            found.push((number + 1, comment));
        }
    }
    found
}

/// The comment at the end of a line of code.
fn comment<'a>(line: &'a str, in_raw_string: &mut Option<String>) -> Option<&'a str> {
    let mut at = 0;
    while let Some(rest) = line.get(at..) {
        let sign = rest.chars().next()?;
        if let Some(comment) = rest.strip_prefix("//") {
            return Some(comment);
        }
        if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            match rest[begin..].find(&end) {
                Some(length) => at += begin + length + end.len(),
                None => {
                    *in_raw_string = Some(end);
                    return None;
                }
            }
        } else if sign == '"' {
            at += string(rest);
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            at += rest[1..].find('\'')? + 2;
        } else {
            at += sign.len_utf8();
        }
    }
    None
}

/// The number of hashes of a raw string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a string that begins here, up to the end of the line at most.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_in_comments_are_found() {
        let text = "/// Whoever asks.\nfn f() {} // he waits, and so does who\n//! Nobody.";
        assert_eq!(
            persons("a.rs", text),
            [
                "a.rs:1: Whoever",
                "a.rs:2: he",
                "a.rs:2: who",
                "a.rs:3: Nobody"
            ]
        );
    }

    #[test]
    fn strings_identifiers_and_code_in_comments_do_not_count() {
        let text = concat!(
            "let who = \"// he\"; // Sees `Credential::NOBODY` and `who`\n",
            "let raw = r#\"a // him\n// his\"#; // hear the whole\n",
            "fn whoever() -> char { '\"' } // the client",
        );
        assert!(persons("a.rs", text).is_empty());
    }
}
