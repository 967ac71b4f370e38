//! A source file as a flat list of tokens, without the code that only exists under `cfg(test)`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The tokens that can reach a shipped crate.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// In order, delimiters included; literals, and so doc comments, are left out.
    pub(crate) tokens: Vec<Token>,
    /// Names of modules declared as `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
}

/// One token and its line.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    pub(crate) is_ident: bool,
}

impl Scan {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let stream: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{path} does not tokenise: {error}"));
        let mut scan = Self::default();
        scan.walk(stream);
        scan
    }

    pub(crate) fn idents(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| token.is_ident)
    }

    /// The lines on which this run of tokens begins.
    pub(crate) fn find(&self, run: &[&str]) -> Vec<usize> {
        let matches = |window: &&[Token]| window.iter().zip(run).all(|(a, b)| a.text == *b);
        self.tokens
            .windows(run.len())
            .filter(matches)
            .map(|window| window[0].line)
            .collect()
    }

    fn walk(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            match attribute(&trees[at..]) {
                Some(Attribute {
                    inner: true,
                    test: true,
                    ..
                }) => return,
                Some(Attribute {
                    inner: false,
                    test: true,
                    length,
                }) => {
                    at += length;
                    let item = item_length(&trees[at..]);
                    self.note_test_module(&trees[at..at + item]);
                    at += item;
                }
                _ => {
                    self.push(trees[at].clone());
                    at += 1;
                }
            }
        }
    }

    fn push(&mut self, tree: TokenTree) {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                self.tokens.push(Token {
                    text: open.into(),
                    line,
                    is_ident: false,
                });
                self.walk(group.stream());
                self.tokens.push(Token {
                    text: close.into(),
                    line,
                    is_ident: false,
                });
            }
            TokenTree::Ident(ident) => {
                self.tokens.push(Token {
                    text: ident.to_string(),
                    line,
                    is_ident: true,
                });
            }
            TokenTree::Punct(punct) => {
                self.tokens.push(Token {
                    text: punct.to_string(),
                    line,
                    is_ident: false,
                });
            }
            TokenTree::Literal(_) => {}
        }
    }

    fn note_test_module(&mut self, item: &[TokenTree]) {
        let words: Vec<String> = item.iter().map(ToString::to_string).collect();
        if let [.., keyword, name, end] = words.as_slice()
            && keyword == "mod"
            && end == ";"
        {
            self.test_modules.push(name.clone());
        }
    }
}

struct Attribute {
    inner: bool,
    test: bool,
    length: usize,
}

/// The attribute that these trees begin with, if any.
fn attribute(trees: &[TokenTree]) -> Option<Attribute> {
    let is =
        |at: usize, sign| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign);
    if !is(0, '#') {
        return None;
    }
    let inner = is(1, '!');
    let length = if inner { 3 } else { 2 };
    match trees.get(length - 1) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some(Attribute {
                inner,
                test: means_test(&group.stream().to_string()),
                length,
            })
        }
        _ => None,
    }
}

/// Whether an attribute keeps its item out of every build but that of tests. `any(test, …)` does
/// not.
fn means_test(attribute: &str) -> bool {
    let dense: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
    dense == "test" || dense == "cfg(test)" || dense.starts_with("cfg(all(test,")
}

/// Number of trees of the item (or field, or variant) at the front, further attributes included.
fn item_length(trees: &[TokenTree]) -> usize {
    let mut at = 0;
    while let Some(more) = attribute(&trees[at..]) {
        at += more.length;
    }
    let mut angles = 0_i32;
    let mut previous = ' ';
    while at < trees.len() {
        let mut sign = ' ';
        match &trees[at] {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return at + 1,
            TokenTree::Punct(punct) => {
                sign = punct.as_char();
                match sign {
                    ';' => return at + 1,
                    ',' if angles == 0 => return at + 1,
                    '<' => angles += 1,
                    '>' if previous != '-' && previous != '=' => angles -= 1,
                    _ => {}
                }
            }
            _ => {}
        }
        previous = sign;
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::Scan;

    fn idents(text: &str) -> Vec<String> {
        Scan::parse("snippet", text)
            .idents()
            .map(|token| token.text.clone())
            .collect()
    }

    #[test]
    fn comments_and_strings_do_not_count() {
        assert_eq!(
            idents("/// std\n//! std\n// std\nconst A: &str = \"std\";").concat(),
            "docdocconstAstr"
        );
    }

    #[test]
    fn test_code_does_not_count() {
        assert_eq!(
            idents("#[cfg(test)] mod t { use std::fs; } fn kept() {}"),
            ["fn", "kept"]
        );
        assert_eq!(
            idents("#[cfg(test)] #[path = \"x\"] use std::fs; struct Kept;"),
            ["struct", "Kept"]
        );
        assert_eq!(
            idents("#[test] fn f<A, B>() -> u8 { std::x() } mod kept {}"),
            ["mod", "kept"]
        );
        assert_eq!(
            idents("struct S { #[cfg(test)] a: Map<u8, std::X>, b: u8 }"),
            ["struct", "S", "b", "u8"]
        );
        assert_eq!(idents("#![cfg(test)] use std::fs;").len(), 0);
    }

    #[test]
    fn code_that_a_feature_brings_counts() {
        assert!(idents("#[cfg(any(test, feature = \"x\"))] use std::fs;").contains(&"std".into()));
        assert!(idents("#[cfg(not(test))] use std::fs;").contains(&"std".into()));
    }

    #[test]
    fn lines_are_kept() {
        assert_eq!(
            Scan::parse("snippet", "mod a;\n\nuse b::c;").find(&["b", ":", ":", "c"]),
            [3]
        );
    }
}
