//! `nfs4ctl exports`.

use nfs4_admin::client::{Server, ServerFault};
use nfs4_admin::{
    Export, ExportBackend, ExportNetwork, ExportOptions, ExportSource, Security, Squash,
};

use crate::cli::{Consent, Exports, ExportsAdd, Form};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::output::Output;
use crate::table::{Cell, Column, Table, Tone};

pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Exports,
) -> Result<(), Fault> {
    match verb {
        Exports::List => {
            let exports = server.exports().await?;
            output.show(&exports, |exports| table(exports))
        }
        Exports::Show { path } => {
            let export = known(server, &path, server.export(&path).await).await?;
            show(output, &export)
        }
        Exports::Add(add) => {
            let export = server.add_export(&options(add)).await?;
            show(output, &export)
        }
        Exports::Update { path, rules } => {
            let options = rules.options();
            if options == ExportOptions::default() {
                let why = "name a rule, as in --read-only: see nfs4ctl exports update --help";
                return Err(Fault::Usage(why.to_owned()));
            }
            let answer = server.change_export(&path, &options).await;
            let export = known(server, &path, answer).await?;
            show(output, &export)
        }
        Exports::Remove { paths, consent } => remove(server, output, &paths, consent).await,
    }
}

/// What the server answered, if it knows the export; if not, exports that may be meant are named.
async fn known<T>(server: &Server, path: &str, answer: Result<T, ServerFault>) -> Result<T, Fault> {
    let why = match answer {
        Ok(known) => return Ok(known),
        Err(why) => why,
    };
    if why.status() != Some(404) {
        return Err(why.into());
    }
    let exports = server.exports().await.unwrap_or_default();
    Err(Fault::Unknown {
        kind: "export",
        given: path.to_owned(),
        near: near(path, &exports),
    })
}

/// The paths of exports that have the name of what was given, or a directory of that name, or are spelled nearly the
/// same.
fn near(given: &str, exports: &[Export]) -> Vec<String> {
    let name = |path: &str| {
        path.trim_end_matches('/')
            .rsplit('/')
            .next()
            .map(str::to_owned)
    };
    let is_near = |export: &&Export| {
        let has_name = |path: &str| name(path) == name(given);
        has_name(&export.pseudo)
            || export.path.as_deref().is_some_and(has_name)
            || strsim::osa_distance(given, &export.pseudo) <= 2
    };
    let near = exports.iter().filter(is_near).take(SUGGESTED);
    near.map(|export| export.pseudo.clone()).collect()
}

fn options(add: ExportsAdd) -> ExportOptions {
    let backend = add.memory.is_some().then_some(ExportBackend::Memory);
    ExportOptions {
        path: add.directory,
        pseudo: add.pseudo,
        backend,
        memory: add.memory,
        cross_mounts: add.cross_mounts.then_some(true),
        local_locks: add.local_locks.then_some(true),
        ..add.rules.options()
    }
}

async fn remove(
    server: &Server,
    output: &mut Output,
    paths: &[String],
    consent: Consent,
) -> Result<(), Fault> {
    let mut named = Vec::new();
    for path in paths {
        let export = known(server, path, server.export(path).await).await?;
        let (opens, clients) = (export.opens, export.clients);
        let files = match export.backend {
            ExportBackend::Memory => ", and with its files in memory",
            _ => "",
        };
        named.push(format!(
            "{path}, with {opens} opens of {clients} clients{files}"
        ));
    }
    let question = format!("Remove {}?", named.join("\n  and "));
    confirm(&question, consent)?;
    for path in paths {
        known(server, path, server.remove_export(path).await).await?;
        output.done(&format!("{path} is not exported any more"))?;
    }
    Ok(())
}

fn table(exports: &[Export]) -> Table {
    let mut table = Table::new(&[
        Column::id("PATH"),
        Column::text("FILES", 12),
        Column::id("ACCESS"),
        Column::id("SQUASH").dropped(3),
        Column::text("NETWORKS", 8).dropped(2),
        Column::number("CLIENTS"),
        Column::number("OPENS").dropped(4),
        Column::id("SOURCE").dropped(1),
    ]);
    for export in exports {
        table.row([
            Cell::new(&export.pseudo),
            Cell::new(files(export)),
            access(export),
            Cell::new(squash(export.squash)),
            Cell::new(networks(export)),
            Cell::new(export.clients),
            Cell::new(export.opens),
            Cell::new(source(export.source)),
        ]);
    }
    table
}

fn show(output: &mut Output, export: &Export) -> Result<(), Fault> {
    if output.form() != Form::Table {
        return output.value(export);
    }
    output.details(&details(export))?;
    if export.networks.is_empty() {
        return Ok(());
    }
    output.line("")?;
    output.table(&network_table(&export.networks))
}

fn details(export: &Export) -> Vec<(&'static str, Cell)> {
    let lasting = match (export.source, export.persistent) {
        (ExportSource::Request, false) => {
            Cell::new("lost at a restart: the server has no --state-dir").toned(Tone::Notice)
        }
        (source, _) => Cell::new(self::source(source)),
    };
    let versions = export.minor_versions.iter();
    let versions: Vec<String> = versions.map(|minor| format!("4.{minor}")).collect();
    let sec: Vec<&str> = export.sec.iter().map(|one| security(*one)).collect();
    let mounts = if export.cross_mounts {
        "served"
    } else {
        "not served"
    };
    let locks = if export.local_locks {
        "with local processes"
    } else {
        "between clients"
    };
    let mut lines = vec![
        ("path", Cell::new(&export.pseudo)),
        ("files", Cell::new(files(export))),
        ("mounts below", Cell::new(mounts)),
        ("locks", Cell::new(locks)),
        ("access", access(export)),
        ("squash", Cell::new(squash(export.squash))),
        (
            "anonymous",
            Cell::new(format!("{}:{}", export.anonymous_uid, export.anonymous_gid)),
        ),
        ("hosts", Cell::new(networks(export))),
        ("versions", Cell::new(versions.join(", "))),
        ("security", Cell::new(sec.join(", "))),
        ("source", lasting),
        ("number", Cell::known(export.number)),
        ("clients", Cell::new(export.clients)),
        ("opens", Cell::new(export.opens)),
    ];
    if let Some(fault) = &export.fault {
        lines.push(("fault", Cell::new(fault).toned(Tone::Bad)));
    }
    lines
}

fn network_table(networks: &[ExportNetwork]) -> Table {
    let mut table = Table::new(&[
        Column::id("NETWORK"),
        Column::id("ACCESS"),
        Column::id("SQUASH"),
    ]);
    for network in networks {
        table.row([
            Cell::new(&network.network),
            Cell::known(network.read_only.map(words)),
            Cell::known(network.squash.map(squash)),
        ]);
    }
    table
}

fn files(export: &Export) -> String {
    match (&export.path, export.memory) {
        (Some(path), _) => path.clone(),
        (None, Some(bytes)) => format!("memory, {} MiB", bytes >> 20),
        (None, None) => "memory".to_owned(),
    }
}

fn access(export: &Export) -> Cell {
    match (export.number, &export.fault) {
        (None, _) => Cell::new("not served").toned(Tone::Bad),
        (Some(_), Some(_)) => Cell::new("faulty").toned(Tone::Bad),
        (Some(_), None) => Cell::new(words(export.read_only)),
    }
}

fn words(read_only: bool) -> &'static str {
    if read_only { "read-only" } else { "read-write" }
}

fn networks(export: &Export) -> String {
    match export.networks.as_slice() {
        [] => "all".to_owned(),
        [only] => only.network.clone(),
        [first, more @ ..] => format!("{} and {} more", first.network, more.len()),
    }
}

fn squash(squash: Squash) -> &'static str {
    match squash {
        Squash::None => "none",
        Squash::Root => "root",
        Squash::All => "all",
        _ => "other",
    }
}

fn security(security: Security) -> &'static str {
    match security {
        Security::Sys => "sys",
        Security::None => "none",
        _ => "other",
    }
}

fn source(source: ExportSource) -> &'static str {
    match source {
        ExportSource::Default => "default",
        ExportSource::CommandLine => "command line",
        ExportSource::ConfigurationFile => "configuration file",
        ExportSource::Request => "request",
        _ => "other",
    }
}

/// Maximum number of exports that are suggested.
const SUGGESTED: usize = 5;
