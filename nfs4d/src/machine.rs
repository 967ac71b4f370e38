//! What keeps a server from starting on this machine, as far as that can be known without serving.
//!
//! The start asks the same functions before it makes anything.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::config::{AdminListen, Settings};
use crate::fault::{Fault, file_advice, listen_advice};
use crate::http::{Access, Places};
use crate::{folder, stable};

/// A setting that this machine does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hindrance {
    /// The id of its flag.
    pub(crate) id: &'static str,
    /// Its value, or the one of a list.
    pub(crate) value: String,
    /// What is wrong with it.
    pub(crate) why: String,
}

impl Hindrance {
    fn new(id: &'static str, value: &impl ToString, why: &impl ToString) -> Hindrance {
        Hindrance {
            id,
            value: value.to_string(),
            why: why.to_string(),
        }
    }

    /// All of them. What another server uses now, such as an address, is none.
    pub(crate) fn all(settings: &Settings) -> Vec<Hindrance> {
        let administration = &settings.administration;
        let mut all = addresses(settings);
        if let Some(path) = &administration.token_file
            && let Err(Fault::AdminToken { fault, .. }) = Access::of(administration)
        {
            all.push(Hindrance::new("admin_token_file", &path.display(), &fault));
        }
        if let Some(path) = &administration.socket
            && let Err(why) = Places::check_socket(path)
        {
            all.push(Hindrance::new("admin_socket", &path.display(), &why));
        }
        if let Some(path) = &settings.state_dir
            && let Err(why) = stable::check(path)
        {
            all.push(Hindrance::new("state_dir", &path.display(), &why));
        }
        if let Some(path) = &settings.record
            && let Err(why) = check_recording(path)
        {
            let why = format!("{why}{}", file_advice(&why));
            all.push(Hindrance::new("record", &path.display(), &why));
        }
        all
    }
}

/// Addresses that this machine does not have.
fn addresses(settings: &Settings) -> Vec<Hindrance> {
    let listen = [settings.listen];
    let listen = listen.iter().chain(&settings.also_listen);
    let given = match settings.administration.listen {
        AdminListen::IfFree(_) => None,
        given => given.address(),
    };
    let of = |id| move |address: &SocketAddr| (id, *address);
    let all = listen.map(of("listen"));
    let all = all.chain(settings.metrics.iter().map(of("metrics")));
    let all = all.chain(given.iter().map(of("admin_listen")));
    let mut seen = BTreeSet::new();
    all.filter(|one| seen.insert(*one))
        .filter_map(|(id, address)| {
            // Another port: a server may have that of the address, and another must not find it taken.
            let why = TcpListener::bind((address.ip(), 0)).err()?;
            let advice = listen_advice(&why);
            Some(Hindrance::new(id, &address, &format!("{why}{advice}")))
        })
        .collect()
}

/// Whether a recording can be written to a file: it must be a new one.
///
/// # Errors
/// Why not.
pub(crate) fn check_recording(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    folder::takes_files(path)
}
