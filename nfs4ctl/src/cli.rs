//! The command line.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use nfs4_admin::Fact;
use nfs4_admin::client::Endpoint;

use crate::export_flags::RuleFlags;
use crate::fault::Fault;
use crate::number::whole;
use crate::settings_flags::SettingsFlags;

/// Maximum length of a file with a token, in bytes.
const MAX_TOKEN_FILE: u64 = 4_096;

const AFTER: &str = "\
Ids:
  A client or a session is named by its id, or by the beginning of it if no other has the same.
  A connection is named by its number, an export by the path at which clients find it.

Confirmation:
  On a terminal there is a question before something is taken from clients, unless --yes is given.
  Without a terminal there is none.

Environment:
  NFS4CTL_SERVER      --server
  NFS4CTL_TOKEN       the bearer token
  NFS4CTL_TOKEN_FILE  --token-file
  NO_COLOR            no colours, if it is not empty

Exit codes:
  0  done
  1  the server refused it, or this machine failed
  2  the command line is wrong
  3  there is no such client, session, connection or export, or more than one
  4  there is no server, no answer in time, or none of use
  5  the token is missing or wrong, or this host is not allowed
  6  it was not confirmed";

/// Looks into a running nfs4d and steers it
#[derive(Clone, Debug, Parser)]
#[command(name = "nfs4ctl", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What all verbs take.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Where the server is: http://HOST:PORT, or unix:PATH
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "NFS4CTL_SERVER",
        hide_env = true
    )]
    #[arg(default_value_t)]
    pub(crate) server: Endpoint,
    /// The file that has the bearer token
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "NFS4CTL_TOKEN_FILE",
        hide_env = true
    )]
    token_file: Option<PathBuf>,
    /// The form of the output
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM"
    )]
    pub(crate) output: Form,
    /// Time that the server has for an answer, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = whole::<u64>(1..=3_600))]
    timeout: u64,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people: as wide as the terminal
    #[default]
    Table,
    /// The JSON of the server's interface
    Json,
    /// The same as YAML
    Yaml,
}

impl Common {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The bearer token; the file comes before the environment.
    pub(crate) fn token(&self) -> Result<Option<String>, Fault> {
        let Some(path) = &self.token_file else {
            let token = std::env::var("NFS4CTL_TOKEN").unwrap_or_default();
            return Ok(Some(token).filter(|token| !token.is_empty()));
        };
        let read = || {
            let mut text = String::new();
            let mut file = File::open(path)?.take(MAX_TOKEN_FILE);
            file.read_to_string(&mut text).map(|_| text)
        };
        match read() {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(source) => Err(Fault::File {
                path: path.clone(),
                source,
            }),
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// The clients: their names and addresses, and what they hold
    #[command(subcommand)]
    Clients(Clients),
    /// The sessions of clients of NFSv4.1 and later
    #[command(subcommand)]
    Sessions(Sessions),
    /// The connections, whether a session has them or not
    #[command(subcommand)]
    Connections(Connections),
    /// The exports: what is served at which path, and by which rules
    #[command(subcommand)]
    Exports(Exports),
    /// The settings that can change while the server runs
    #[command(subcommand)]
    Settings(Settings),
    /// The grace period, in which new opens and locks wait
    #[command(subcommand)]
    Grace(Grace),
    /// Tells what happens in the server until Ctrl-C
    Events(Events),
    /// Shows what flows, client by client; once if there is no terminal
    Top(Top),
    /// Writes what a shell needs to complete command lines to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes the manual pages into a directory
    Man {
        /// The directory; it is made if it is not there
        directory: PathBuf,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Clients {
    /// Lists clients
    List(ClientsList),
    /// Shows a client
    Show {
        /// The client
        #[arg(value_name = "CLIENT")]
        id: String,
    },
    /// Removes clients with all their state; those that still run start anew, without their locks
    Evict {
        /// The clients
        #[arg(value_name = "CLIENT", required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ClientsList {
    /// Only clients from this address
    #[arg(long)]
    pub(crate) address: Option<IpAddr>,
    /// Only clients whose owner name has this part
    #[arg(long, value_name = "TEXT")]
    pub(crate) owner: Option<String>,
    /// Only clients of this minor version
    #[arg(long, value_name = "MINOR", value_parser = whole::<u32>(0..=2))]
    pub(crate) minor_version: Option<u32>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Sessions {
    /// Lists sessions
    List {
        /// Only those of this client
        #[arg(long)]
        client: Option<String>,
    },
    /// Shows a session and its connections
    Show {
        /// The session
        #[arg(value_name = "SESSION")]
        id: String,
    },
    /// Destroys sessions; their clients make others, and keep their locks and open files
    Destroy {
        /// The sessions
        #[arg(value_name = "SESSION", required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Connections {
    /// Lists connections
    List,
    /// Shows a connection and its sessions
    Show {
        /// The connection
        #[arg(value_name = "CONNECTION", value_parser = connection)]
        id: u64,
    },
    /// Lets connections finish their requests, and closes them
    Drain {
        /// The connections
        #[arg(value_name = "CONNECTION", required = true, value_parser = connection)]
        ids: Vec<u64>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Lets connections that are drained take requests again
    Undrain {
        /// The connections
        #[arg(value_name = "CONNECTION", required = true, value_parser = connection)]
        ids: Vec<u64>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Exports {
    /// Lists exports
    List,
    /// Shows an export and its rules
    Show {
        /// The path at which clients find it
        path: String,
    },
    /// Adds an export, which the server stores
    Add(ExportsAdd),
    /// Changes rules of an export that was added so; clients keep what they have open in it
    Update {
        /// The path at which clients find it
        path: String,
        #[command(flatten)]
        rules: RuleFlags,
    },
    /// Removes exports that were added so; clients lose what they have open in them
    Remove {
        /// The paths at which clients find them
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExportsAdd {
    /// The directory on the server: an absolute path
    #[arg(required_unless_present = "memory", conflicts_with = "memory")]
    pub(crate) directory: Option<String>,
    /// The path at which clients find it; without it, that of the directory
    #[arg(long, value_name = "PATH")]
    pub(crate) pseudo: Option<String>,
    /// A file system in memory of this size, as in 512M, in place of a directory
    #[arg(long, value_name = "SIZE", requires = "pseudo")]
    pub(crate) memory: Option<String>,
    /// Serve file systems that are mounted below the directory, too
    #[arg(long, conflicts_with = "memory")]
    pub(crate) cross_mounts: bool,
    /// Let clients and processes of the server's machine see each other's locks of byte ranges
    #[arg(long, conflicts_with = "memory")]
    pub(crate) local_locks: bool,
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Settings {
    /// Shows the settings, and which of them are fixed
    Show {
        /// The values that settings have if nothing sets them
        #[arg(long)]
        defaults: bool,
    },
    /// Changes settings, all or none; the server stores them
    Update {
        #[command(flatten)]
        flags: SettingsFlags,
        /// Only if the settings still have this tag, which `settings show` prints
        #[arg(long, value_name = "TAG")]
        if_match: Option<String>,
    },
    /// Gives all settings that are not fixed their defaults
    Reset {
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Grace {
    /// Shows whether the grace period runs, and for how long
    Status,
    /// Ends the grace period: what clients have not reclaimed, they lose
    End {
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Events {
    /// Begin after the event of this number, as far as the server still has them; 0 for all
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>(0..=u64::MAX))]
    pub(crate) after: Option<u64>,
    /// Only events of these kinds, with commas between them
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = PossibleValuesParser::new(Fact::KINDS))]
    pub(crate) kind: Vec<String>,
    /// End after as many events
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>(1..=u64::MAX))]
    pub(crate) count: Option<u64>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Top {
    /// Time between two looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    #[arg(value_parser = whole::<u64>(1..=3_600))]
    pub(crate) interval: u64,
    /// What comes first
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    pub(crate) sort: SortKey,
    /// Print one table and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Maximum number of clients of that table
    #[arg(long, value_name = "NUMBER", value_parser = whole::<usize>(0..=u64::MAX))]
    pub(crate) limit: Option<usize>,
}

/// What a table of flows is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    /// Operations
    #[default]
    Ops,
    /// Bytes read
    Read,
    /// Bytes written
    Write,
    /// Time from request to reply
    Latency,
    /// The client's owner name
    Owner,
}

/// Whether the administrator has said yes already.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// The number of a connection.
fn connection(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        "expected the number of a connection, as nfs4ctl connections list shows it".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn fault(line: &str) -> (ErrorKind, String) {
        let why = Cli::try_parse_from(line.split(' ')).unwrap_err();
        (why.kind(), why.to_string())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistake_gets_a_suggestion() {
        for (line, suggestion) in [
            ("nfs4ctl client list", "'clients'"),
            ("nfs4ctl clients evcit 7", "'evict'"),
            ("nfs4ctl clients list --minor 1", "'--minor-version'"),
            ("nfs4ctl settings update --lease 30", "'--lease-time'"),
            (
                "nfs4ctl settings update --v4-binding-policy share",
                "'shared'",
            ),
            ("nfs4ctl exports lst", "'list'"),
            ("nfs4ctl exports add /srv --readonly", "'--read-only'"),
            ("nfs4ctl top --sort latenzy", "'latency'"),
            ("nfs4ctl -o jsn grace status", "'json'"),
            ("nfs4ctl events --kind client_went", "'client_gone'"),
        ] {
            let (_, text) = fault(line);
            assert!(
                text.contains("similar") && text.contains(suggestion),
                "{line}: {text}"
            );
        }
    }

    /// Command lines that give each flag of each verb this value.
    fn lines(command: &clap::Command, words: &str, value: &str, found: &mut Vec<String>) {
        for verb in command.get_subcommands() {
            let words = format!("{words} {}", verb.get_name());
            lines(verb, &words, value, found);
        }
        let longs = command.get_arguments().filter_map(clap::Arg::get_long);
        found.extend(longs.map(|long| format!("{words} --{long}={value}")));
    }

    #[test]
    fn a_number_that_is_none_is_told_what_is_expected() {
        let mut all = Vec::new();
        lines(&Cli::command(), "nfs4ctl", "x", &mut all);
        let mut told = 0;
        for line in all {
            let Err(why) = Cli::try_parse_from(line.split(' ')) else {
                continue;
            };
            let text = why.to_string();
            // As the standard library says it.
            assert!(!text.contains("invalid digit"), "{line}: {text}");
            told += usize::from(text.contains("expected a whole number"));
        }
        assert!(told > 20, "{told} flags take numbers");
    }

    #[test]
    fn verbs_that_act_need_a_subject() {
        for line in [
            "nfs4ctl clients evict",
            "nfs4ctl sessions destroy --yes",
            "nfs4ctl connections drain",
            "nfs4ctl connections undrain",
            "nfs4ctl exports add",
            "nfs4ctl exports add --memory 64M",
            "nfs4ctl exports remove --yes",
        ] {
            assert_eq!(fault(line).0, ErrorKind::MissingRequiredArgument, "{line}");
        }
        assert_eq!(
            fault("nfs4ctl connections drain x").0,
            ErrorKind::ValueValidation
        );
        assert_eq!(
            fault("nfs4ctl --server https://x grace end").0,
            ErrorKind::ValueValidation
        );
    }

    #[test]
    fn options_of_all_verbs_may_come_last() {
        let line = "nfs4ctl grace status -o yaml --timeout 3 --server unix:/run/x";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(cli.common.output, Form::Yaml);
        assert_eq!(cli.common.timeout(), Duration::from_secs(3));
        assert_eq!(cli.common.server, Endpoint::Unix("/run/x".into()));
    }
}
