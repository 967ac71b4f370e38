//! Matches on enums that other crates must not match exhaustively, but ours must.

use crate::tokens::{Scan, Token};

/// A function that is to name every variant of an enum.
pub(crate) struct Match {
    pub(crate) of: &'static str,
    /// Where the enum is declared.
    pub(crate) declared: &'static str,
    pub(crate) function: &'static str,
    /// The file of the function.
    pub(crate) file: &'static str,
}

/// Each has a wildcard arm, since the enum is `#[non_exhaustive]`, so the compiler does not notice a
/// new variant.
pub(crate) const MATCHES: [Match; 5] = [
    Match {
        of: "Action",
        declared: "nfs4-engine/src/action.rs",
        function: "route",
        file: "nfs4-driver/src/shared.rs",
    },
    Match {
        of: "FsOp",
        declared: "nfs4-engine/src/fs/request.rs",
        function: "answer",
        file: "nfs4-driver/src/file_system/mod.rs",
    },
    Match {
        of: "FsOp",
        declared: "nfs4-engine/src/fs/request.rs",
        function: "answer",
        file: "nfs4-vfs/src/mem/mod.rs",
    },
    Match {
        of: "Input",
        declared: "nfs4-engine/src/input.rs",
        function: "replaced",
        file: "nfs4-replay/src/rewrite.rs",
    },
    Match {
        of: "FsReply",
        declared: "nfs4-engine/src/fs/request.rs",
        function: "replaced",
        file: "nfs4-replay/src/rewrite.rs",
    },
];

/// The variants that the function does not name.
pub(crate) fn forgotten(known: &Match, declared: &Scan, file: &Scan) -> Vec<String> {
    let Match { of, function, .. } = known;
    let Some(variants) = block(declared, &["enum", of]).map(variants) else {
        return vec![format!("{}: no enum {of}", known.declared)];
    };
    let Some(body) = block(file, &["fn", function]) else {
        return vec![format!("{}: no fn {function}", known.file)];
    };
    let names = |variant: &str| {
        let path = [of, ":", ":", variant];
        body.windows(path.len())
            .any(|run| run.iter().zip(path).all(|(token, name)| token.text == name))
    };
    variants
        .into_iter()
        .filter(|variant| !names(variant))
        .map(|variant| format!("{}: `{function}` forgets {of}::{variant}", known.file))
        .collect()
}

/// What is in the braces of the first item that begins with these tokens.
fn block<'a>(scan: &'a Scan, item: &[&str]) -> Option<&'a [Token]> {
    let begins = |run: &[Token]| {
        run.iter()
            .zip(item)
            .all(|(token, word)| token.text == *word)
    };
    let at = scan.tokens.windows(item.len()).position(begins)?;
    let rest = &scan.tokens[at..];
    let open = rest.iter().position(|token| token.text == "{")?;
    let mut depth = 0_i32;
    let close = rest[open..].iter().position(|token| {
        depth += nesting(token);
        depth == 0
    })?;
    Some(&rest[open + 1..open + close])
}

/// The names of the variants in the braces of an enum: the first word of each that is not in an
/// attribute.
fn variants(body: &[Token]) -> Vec<String> {
    let (mut found, mut depth, mut awaited) = (Vec::new(), 0, true);
    for token in body {
        depth += nesting(token);
        if depth == 0 && token.text == "," {
            awaited = true;
        } else if depth == 0 && awaited && token.is_ident {
            found.push(token.text.clone());
            awaited = false;
        }
    }
    found
}

fn nesting(token: &Token) -> i32 {
    match token.text.as_str() {
        "(" | "[" | "{" => 1,
        ")" | "]" | "}" => -1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{MATCHES, Match, forgotten};
    use crate::tokens::Scan;

    const ENUM: &str = "struct Other { a: u8 }
        /// Documented.
        pub enum Action { #[doc(hidden)] One, Two(Vec<(u8, Other)>), #[a] #[b] Three { x: u8, y: u8 } }
        pub enum Next { Four }";

    fn faults(body: &str) -> Vec<String> {
        let known = Match {
            function: "f",
            ..MATCHES[0]
        };
        let file = format!("fn e() {{ Action::Three; }} fn f(a: u8) {body} fn g() {{}}");
        let (declared, file) = (Scan::parse("enum", ENUM), Scan::parse("file", &file));
        forgotten(&known, &declared, &file)
    }

    #[test]
    fn a_variant_that_the_function_does_not_name_is_a_fault() {
        let all = "{ match a { Action::One | x::Action::Two(_) => {} Action::Three { .. } => {} _ => {} } }";
        assert_eq!(faults(all).len(), 0);
        let some = "{ match a { Action::Two(_) | Next::One => { Four } _ => {} } }";
        let found = faults(some).concat();
        assert!(found.contains("Action::One") && found.contains("Action::Three"));
        assert_eq!(faults(some).len(), 2, "{found}");
    }

    #[test]
    fn an_enum_or_a_function_that_is_gone_is_a_fault() {
        let (empty, full) = (Scan::parse("file", ""), Scan::parse("enum", ENUM));
        assert_eq!(forgotten(&MATCHES[0], &full, &empty).len(), 1);
        assert_eq!(forgotten(&MATCHES[0], &empty, &full).len(), 1);
    }
}
