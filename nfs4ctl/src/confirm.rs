//! A question before something is taken from a client.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use crate::cli::Consent;
use crate::fault::Fault;
use crate::text::printable_lines;

/// Maximum length of an answer, in bytes.
const MAX_ANSWER: u64 = 1_024;

/// Asks, if there is a terminal and the administrator has not said yes already.
///
/// # Errors
/// [`Fault::Declined`]: the answer is not yes.
pub(crate) fn confirm(question: &str, consent: Consent) -> Result<(), Fault> {
    let stdin = io::stdin();
    if consent.yes || !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Ok(());
    }
    let mut stderr = io::stderr();
    write!(stderr, "{} [y/N] ", printable_lines(question))?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().take(MAX_ANSWER).read_line(&mut answer)?;
    if is_yes(&answer) {
        Ok(())
    } else {
        Err(Fault::Declined)
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" yes \r\n"));
        for answer in ["", "\n", "n\n", "yess\n", "y y\n"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }

    #[test]
    fn consent_is_not_asked_for_twice() {
        assert!(confirm("Sure?", Consent { yes: true }).is_ok());
    }
}
