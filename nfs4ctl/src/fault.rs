//! Why a verb was not carried out, and the exit code that says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nfs4_admin::client::ServerFault;

/// Why a verb was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The server gave no answer, or refused.
    #[error("{0}{hint}", hint = hint(.0))]
    Server(#[from] ServerFault),
    /// No id is the one that was given, or begins with it.
    #[error("there is no {kind} {given}{near}", near = Near(.near))]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        given: String,
        /// Ids that are spelled nearly the same.
        near: Vec<String>,
    },
    /// More than one id begins with what was given.
    #[error("{total} {kind}s begin with {given}:{list}", list = List(.candidates, *.total))]
    Ambiguous {
        /// What was looked for.
        kind: &'static str,
        given: String,
        /// The first of them.
        candidates: Vec<String>,
        /// The number of all.
        total: usize,
    },
    /// The command line is wrong in a way that the parser does not see.
    #[error("{0}")]
    Usage(String),
    /// The administrator did not say yes.
    #[error("not confirmed: nothing was done")]
    Declined,
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output cannot be written to.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The output has no such form.
    #[error("the answer cannot be written: {0}")]
    Form(String),
    /// The operating system refused something.
    #[error("{0}")]
    System(io::Error),
}

impl Fault {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Fault::Server(ServerFault::Refused(problem)) => match problem.status {
                401 | 403 | 421 => 5,
                404 => 3,
                _ => 1,
            },
            Fault::Server(ServerFault::Token) | Fault::Usage(_) => 2,
            Fault::Server(_) => 4,
            Fault::Unknown { .. } | Fault::Ambiguous { .. } => 3,
            Fault::Declined => 6,
            Fault::File { .. } | Fault::Output(_) | Fault::Form(_) | Fault::System(_) => 1,
        }
    }

    /// The reader of standard output has read enough.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Fault::Output(why) if why.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What the administrator can do about it.
fn hint(fault: &ServerFault) -> &'static str {
    match fault {
        ServerFault::Unreachable { source, .. } => match source.kind() {
            io::ErrorKind::PermissionDenied => "\n  the mode of the socket decides who may use it",
            _ => "\n  is nfs4d running, with this address as --admin or --admin-socket?",
        },
        ServerFault::Refused(problem) => match problem.status {
            401 => "\n  name the file of the token with --token-file, or set NFS4CTL_TOKEN",
            412 => "\n  the settings have changed meanwhile: look at them again",
            _ => "",
        },
        _ => "",
    }
}

/// Suggests ids.
struct Near<'a>(&'a [String]);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            near => write!(f, "\n  similar: {}", near.join(", ")),
        }
    }
}

/// Lists ids, one a line.
struct List<'a>(&'a [String], usize);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in self.0 {
            write!(f, "\n  {id}")?;
        }
        match self.1.saturating_sub(self.0.len()) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use nfs4_admin::Problem;

    use super::*;

    #[test]
    fn a_refusal_has_the_exit_code_of_its_status() {
        for (status, code) in [
            (400, 1),
            (401, 5),
            (403, 5),
            (404, 3),
            (409, 1),
            (412, 1),
            (503, 1),
        ] {
            let problem = Problem::new(status, "no", "why");
            let fault = Fault::from(ServerFault::Refused(Box::new(problem)));
            assert_eq!(fault.code(), code, "{status}");
        }
        assert_eq!(Fault::from(ServerFault::Garbled(String::new())).code(), 4);
    }

    #[test]
    fn candidates_are_listed() {
        let fault = Fault::Ambiguous {
            kind: "client",
            given: "0".to_owned(),
            candidates: vec!["01".to_owned(), "02".to_owned()],
            total: 5,
        };
        assert_eq!(
            fault.to_string(),
            "5 clients begin with 0:\n  01\n  02\n  and 3 more"
        );
    }
}
