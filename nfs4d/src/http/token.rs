//! The bearer token of the administration interface.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use axum::http::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq as _;

/// A secret that a request must bring. [RFC 6750]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Box<[u8]>);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The token is too short.
    #[error("it has {0} bytes without the white space around it, and at least 16 are needed")]
    Short(usize),
    /// The token is too long.
    #[error("it is longer than 4096 bytes")]
    Long,
    /// The token cannot be sent in a header.
    #[error("it has characters other than visible ASCII")]
    Invisible,
}

impl Token {
    /// The token in a file, without white space around it. That other users can read the file is worth
    /// a warning in the log.
    ///
    /// # Errors
    /// The file cannot be read, or has no token.
    pub(crate) fn from_file(path: &Path) -> Result<Token, TokenFault> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            let (path, mode) = (path.display(), format_args!("{mode:04o}"));
            tracing::warn!(%path, %mode, "every user of this machine may open the file of the administration token");
        }
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        Token::new(&text)
    }

    /// The token in a variable of the environment.
    ///
    /// # Errors
    /// It is no token.
    pub(crate) fn from_variable(value: &OsStr) -> Result<Token, TokenFault> {
        Token::new(value.as_encoded_bytes())
    }

    fn new(text: &[u8]) -> Result<Token, TokenFault> {
        if text.len() as u64 > LONGEST {
            return Err(TokenFault::Long);
        }
        let text = text.trim_ascii();
        if text.len() < SHORTEST {
            return Err(TokenFault::Short(text.len()));
        }
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(TokenFault::Invisible);
        }
        Ok(Token(text.into()))
    }

    /// Whether the headers bring the token. The time that this takes tells at most its length.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let (scheme, token) = value.as_bytes().split_at(SCHEME.len().min(value.len()));
        scheme.eq_ignore_ascii_case(SCHEME) && token.trim_ascii().ct_eq(&self.0).into()
    }
}

/// It is a secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

const SCHEME: &[u8] = b"Bearer ";
const SHORTEST: usize = 16;
const LONGEST: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| value.parse().unwrap());
        values.map(|value| (AUTHORIZATION, value)).collect()
    }

    #[test]
    fn only_the_token_itself_is_accepted() {
        let token = Token::new(b" 0123456789abcdef\n").unwrap();
        for values in [["Bearer 0123456789abcdef"], ["bearer  0123456789abcdef "]] {
            assert!(token.is_in(&with(&values)), "{values:?}");
        }
        for values in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["Bearer 0123456789abcdeF"],
            &["Bearer 0123456789abcde"],
            &["Bearer 0123456789abcdef0"],
            &["0123456789abcdef"],
            &["Basic 0123456789abcdef"],
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
        ] {
            assert!(!token.is_in(&with(values)), "{values:?}");
        }
    }

    #[test]
    fn a_token_is_long_enough_and_can_be_sent() {
        let fault = |text: &[u8]| Token::new(text).unwrap_err().to_string();
        assert!(fault(b"  123456789012345 ").starts_with("it has 15 bytes"));
        assert!(fault(b"").starts_with("it has 0 bytes"));
        assert!(fault("0123456789abcdef\u{fc}".as_bytes()).contains("visible ASCII"));
        assert!(fault(b"0123456789 abcdef").contains("visible ASCII"));
        assert!(fault(&[b'x'; 4_097]).contains("longer"));
        assert!(!format!("{:?}", Token::new(&[b'x'; 16])).contains("xx"));
    }
}
