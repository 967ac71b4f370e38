//! From settings to the listeners of the administration interface.

use std::env;
use std::error::Error as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{self as unix, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::App;
use super::connection::DoorLimits;
use super::guard::Guard;
use super::interface::{Door, Interface};
use super::listen::Listener;
use super::stopped::Stopped;
use super::token::Token;
use crate::config::{AdminListen, Administration, Settings};
use crate::fault::Fault;
use crate::{folder, started};

/// The places that are listened on.
#[derive(Debug)]
pub(crate) struct Places {
    addresses: Addresses,
    doors: Vec<(Listener, Purpose)>,
}

/// Where the interface is, as people are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Of metrics alone.
    pub(crate) metrics: Option<SocketAddr>,
    /// Of everything.
    pub(crate) tcp: Option<SocketAddr>,
    /// The path of a Unix socket, for everything.
    pub(crate) socket: Option<PathBuf>,
}

/// What a listener is for.
#[derive(Clone, Debug)]
enum Purpose {
    Metrics,
    Administration(Guard),
}

impl Places {
    /// Listens where the settings say; Unix sockets that were passed stand for theirs. `access` is what TCP asks of
    /// a request.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) fn open(
        settings: &Settings,
        access: Option<Access>,
        passed: Vec<UnixListener>,
    ) -> Result<Places, Fault> {
        let mut addresses = Addresses::default();
        let mut doors = Vec::new();
        if let Some(address) = settings.metrics {
            let listener = Listener::tcp(address)?;
            addresses.metrics = listener.address();
            if let Some(address) = addresses.metrics {
                started::interface("metrics", &address);
            }
            doors.push((listener, Purpose::Metrics));
        }
        let administration = &settings.administration;
        if let Some((listener, guard)) = by_tcp(administration, access)? {
            addresses.tcp = listener.address();
            if let Some(address) = addresses.tcp {
                let token = matches!(guard, Guard::Token(_));
                tracing::info!(%address, token, "the server is administered here");
            }
            doors.push((listener, Purpose::Administration(guard)));
        }
        let own = administration.socket.as_ref().filter(|_| passed.is_empty());
        for listener in passed {
            let address = listener.local_addr()?;
            addresses.socket = address.as_pathname().map(Path::to_owned);
            if let Some(path) = &addresses.socket {
                let path = path.display();
                tracing::info!(%path, "the server is administered here");
            }
            let listener = Listener::Unix(None, listener);
            doors.push((listener, Purpose::Administration(Guard::UnixSocket)));
        }
        if let Some(path) = own {
            let listener = Listener::unix(path, administration.socket_mode)?;
            addresses.socket = Some(path.clone());
            let (path, mode) = (path.display(), administration.socket_mode);
            tracing::info!(%path, mode = %format_args!("{mode:04o}"), "the server is administered here");
            doors.push((listener, Purpose::Administration(Guard::UnixSocket)));
        }
        Ok(Places { addresses, doors })
    }

    /// Looks whether it can listen where the settings say, but for what another server has, whose place this one may
    /// take: a fault ends this one before that one was told to stop, and before anything is made. Sockets that were
    /// passed stand for that of the settings.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) fn check(settings: &Settings, passed: &[UnixListener]) -> Result<(), Fault> {
        let administration = &settings.administration;
        let given = match administration.listen {
            AdminListen::IfFree(_) => None,
            given => given.address(),
        };
        for address in settings.metrics.into_iter().chain(given) {
            match Listener::tcp(address) {
                Err(Fault::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => {}
                listener => drop(listener?),
            }
        }
        match &administration.socket {
            Some(path) if passed.is_empty() => {
                Places::check_socket(path).map_err(|source| Fault::AdminSocket {
                    path: path.clone(),
                    source,
                })
            }
            _ => Ok(()),
        }
    }

    /// Looks whether a Unix socket can be at a path.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check_socket(path: &Path) -> io::Result<()> {
        // It may be too long.
        unix::SocketAddr::from_pathname(path)?;
        folder::takes_files(path)?;
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                let detail = "it exists and is not a socket";
                Err(io::Error::new(ErrorKind::AlreadyExists, detail))
            }
            Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves there; `descriptors` is the number of file descriptors that the process may have, if that is
    /// known.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(crate) fn serve(self, app: App, descriptors: Option<u64>) -> io::Result<Interface> {
        let (stop, stopped) = Stopped::channel();
        let app = app.until(stopped.clone());
        let part = descriptors.map_or(usize::MAX, |number| {
            usize::try_from(number / DESCRIPTORS_EACH).unwrap_or(usize::MAX)
        });
        let at_most = |most: usize| most.min(part).max(LEAST_CONNECTIONS);
        let door = |(listener, purpose)| {
            let (router, limits) = match purpose {
                Purpose::Metrics => {
                    let limits = DoorLimits {
                        connections: at_most(16),
                        idle: Duration::from_secs(2),
                        keep_alive: false,
                    };
                    (app.clone().metrics(), limits)
                }
                Purpose::Administration(guard) => {
                    let limits = DoorLimits {
                        connections: at_most(48),
                        idle: Duration::from_secs(15),
                        keep_alive: true,
                    };
                    (app.clone().administration(guard)?, limits)
                }
            };
            Ok(Door {
                listener,
                router,
                limits,
            })
        };
        let doors = self.doors.into_iter().map(door);
        Interface::start(doors.collect::<io::Result<_>>()?, (stop, stopped))
    }
}

/// What administration by TCP asks of a request.
#[derive(Debug)]
pub(crate) struct Access {
    address: SocketAddr,
    guard: Guard,
}

impl Access {
    /// What the settings say; none without administration by TCP.
    ///
    /// # Errors
    /// A token is missing or of no use.
    pub(crate) fn of(administration: &Administration) -> Result<Option<Access>, Fault> {
        let Some(address) = administration.listen.address() else {
            return Ok(None);
        };
        let guard = match token(administration.token_file.as_deref())? {
            Some(token) => Guard::Token(Arc::new(token)),
            None if address.ip().to_canonical().is_loopback() => Guard::Loopback,
            None => return Err(Fault::AdminWithoutToken(address)),
        };
        Ok(Some(Access { address, guard }))
    }
}

/// The listener for TCP, and what it asks of a request.
fn by_tcp(
    administration: &Administration,
    access: Option<Access>,
) -> Result<Option<(Listener, Guard)>, Fault> {
    let Some(Access { address, guard }) = access else {
        return Ok(None);
    };
    if !address.ip().to_canonical().is_loopback() {
        tracing::warn!(%address, "the administration interface encrypts nothing: every host on the way can read the token");
    }
    match (Listener::tcp(address), administration.listen) {
        (Err(why), AdminListen::IfFree(_)) => {
            // The system's error, without the advice on the flag that was not given.
            let why = why
                .source()
                .map_or_else(|| why.to_string(), ToString::to_string);
            tracing::warn!(%address, %why, "there is no administration interface by TCP; --admin chooses another address");
            Ok(None)
        }
        (listener, _) => Ok(Some((listener?, guard))),
    }
}

fn token(file: Option<&Path>) -> Result<Option<Token>, Fault> {
    if let Some(path) = file {
        let token = Token::from_file(path);
        return token.map(Some).map_err(|fault| Fault::AdminToken {
            of: format!("the file {}", path.display()),
            fault,
        });
    }
    let value = env::var_os(VARIABLE);
    let token = value.as_deref().map(Token::from_variable).transpose();
    token.map_err(|fault| Fault::AdminToken {
        of: format!("the environment's variable {VARIABLE}"),
        fault,
    })
}

/// The variable of the environment.
const VARIABLE: &str = "NFS4D_ADMIN_TOKEN";
/// Of as many descriptors one may be a listener's connection.
const DESCRIPTORS_EACH: u64 = 32;
const LEAST_CONNECTIONS: usize = 4;
