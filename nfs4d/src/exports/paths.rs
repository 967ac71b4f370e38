//! Paths of exports: of directories, and those at which clients find them.

use std::ffi::OsStr;
use std::path::{self, Component, Path};

/// A directory's path in the way in which it is compared with others.
///
/// # Errors
/// What is expected instead.
pub(super) fn directory(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("expected an absolute path, as in \"/srv/data\"".to_owned());
    }
    if text.len() > LONGEST || text.contains('\0') {
        return Err(format!("expected a path of at most {LONGEST} bytes"));
    }
    let mut plain = String::new();
    for part in Path::new(text).components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => {
                plain.push('/');
                plain.push_str(name.to_str().unwrap_or_default());
            }
            _ => {
                return Err("expected an absolute path without .., as in \"/srv/data\"".to_owned());
            }
        }
    }
    if plain.is_empty() {
        plain.push('/');
    }
    Ok(plain)
}

/// The directory that an argument of the command line names, in the same way.
///
/// # Errors
/// What is expected instead.
pub(crate) fn from_line(argument: &OsStr) -> Result<String, String> {
    let absolute = path::absolute(argument);
    let absolute = absolute.map_err(|_| "expected a directory, as in /srv/data".to_owned())?;
    match absolute.to_str() {
        Some(text) => directory(text),
        None => Err("expected a path in UTF-8, as the paths of clients are".to_owned()),
    }
}

/// A path at which clients find an export.
///
/// # Errors
/// What is expected instead.
pub(crate) fn pseudo(text: &str) -> Result<String, String> {
    let plain = directory(text)?;
    match plain.split('/').find(|name| name.len() > LONGEST_NAME) {
        Some(_) => Err(format!(
            "expected a path whose names have at most {LONGEST_NAME} bytes"
        )),
        None => Ok(plain),
    }
}

/// Whether the second path is the first, or lies within it.
pub(super) fn holds(outer: &str, inner: &str) -> bool {
    match inner.strip_prefix(outer) {
        Some(rest) => rest.is_empty() || outer == "/" || rest.starts_with('/'),
        None => false,
    }
}

/// In bytes, as Linux has it.
const LONGEST: usize = 4_095;
/// In bytes, as the engine has it.
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_in_one_form() {
        for (text, plain) in [
            ("/srv/data", "/srv/data"),
            ("/srv//data/", "/srv/data"),
            ("/srv/./data/.", "/srv/data"),
            ("/", "/"),
            ("///", "/"),
            ("/srv/d\u{e4}ta x", "/srv/d\u{e4}ta x"),
        ] {
            assert_eq!(directory(text).as_deref(), Ok(plain), "{text}");
        }
        for text in [
            "",
            "srv",
            "./srv",
            "/srv/../data",
            "..",
            "/a\0b",
            &"/x".repeat(2_048),
        ] {
            directory(text).unwrap_err();
        }
        pseudo(&format!("/{}", "x".repeat(255))).unwrap();
        pseudo(&format!("/{}", "x".repeat(256))).unwrap_err();
    }

    #[test]
    fn what_lies_within_another_is_known() {
        for (outer, inner) in [
            ("/", "/a"),
            ("/a", "/a"),
            ("/a", "/a/b"),
            ("/a/b", "/a/b/c"),
        ] {
            assert!(holds(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [("/a", "/"), ("/a", "/ab"), ("/a/b", "/a"), ("/a", "/b/a")] {
            assert!(!holds(outer, inner), "{outer} {inner}");
        }
    }
}
