//! From settings to a running server, and to its end.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use nfs4_driver::task::ServeError;
use nfs4_driver::{Clock as _, Identity, Limits, Node, Recording, SystemClock};
use nfs4_engine::{Boot, Engine};
use nfs4_transport_std::{self as threads, async_std as on_async_std};
use nfs4_transport_tokio as on_tokio;
use prometheus::IntCounter;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use crate::cli::Start as Asked;
use crate::config::{Driver, Settings};
use crate::exports::{self, Maker, Start, Store};
use crate::fault::Fault;
use crate::hand_over::Offer;
use crate::http::{Access, App, Exported, Places};
use crate::listen::Sockets;
use crate::protocol::Protocol;
use crate::reload::Hangups;
use crate::service::Service;
use crate::signals::Signals;
use crate::stable::{Records, State};
use crate::{banner, descriptors, hand_over, machine, memory, reload, started, state_dir, system};

/// Serves until Ctrl-C or SIGTERM; a second one ends the process at once. `counters` are exported
/// with the metrics.
pub(crate) fn run(start: Asked, service: Service, counters: Vec<IntCounter>) -> Result<(), Fault> {
    let version = env!("CARGO_PKG_VERSION");
    let raised = system::raise_descriptors();
    let (process, descriptors) = (std::process::id(), raised.as_ref().ok());
    tracing::info!(version, process, descriptors, "the server starts");
    let settings = &start.settings;
    let descriptors = match raised {
        Ok(descriptors) => Some(descriptors),
        Err(why) => {
            tracing::warn!(%why, "the number of file descriptors stays as it is");
            None
        }
    };
    system::outlast_long_files();
    // Before threads are started.
    if let Err(why) = nfs4_vfs::LocalFs::obey_quotas() {
        tracing::warn!(%why, "this server may exceed the quotas of users");
    }
    let mut runtime = match settings.driver {
        Driver::Tokio => tokio::runtime::Builder::new_multi_thread(),
        // The runtime only waits for signals, accepts, and serves metrics.
        Driver::Threads | Driver::AsyncStd => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let asked = Cell::new(None);
        let notify = service.notify.clone();
        let stop = async {
            let signal = signals.next().await;
            asked.set(Some((signal, Instant::now())));
            notify.stopping();
            tracing::info!(signal, "stopping; a second signal ends the process at once");
        };
        let catch = |reload| Hangups::catch(reload, service.notify.clone());
        let hangups = start.reload.map(catch).transpose()?;
        let process = Process {
            descriptors,
            counters,
            hangups,
            service,
            take_over: start.take_over,
        };
        serve_in(Some(process), settings, stop).await?;
        if let Some((signal, since)) = asked.get() {
            let took_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(signal, took_ms, "stopped");
        }
        Ok(())
    })
}

/// Serves the exports of the settings, or a file system in memory, and says on standard output where, until `stop` is ready.
///
/// # Errors
/// It cannot listen, or a setting is out of its range, or the engine has failed.
pub async fn serve(settings: &Settings, stop: impl Future<Output = ()>) -> Result<(), Fault> {
    serve_in(None, settings, stop).await
}

/// What belongs to a process of its own.
struct Process {
    /// Number of file descriptors it may have, if that is known.
    descriptors: Option<u64>,
    /// Further counters.
    counters: Vec<IntCounter>,
    /// What reads the configuration file again, if there is one.
    hangups: Option<Hangups>,
    /// The service manager that has started it.
    service: Service,
    /// It takes the place of another one.
    take_over: bool,
}

/// As [`serve`], in a process of its own if there is one.
async fn serve_in(
    mut process: Option<Process>,
    settings: &Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), Fault> {
    let service = process
        .as_mut()
        .map(|process| mem::take(&mut process.service));
    let mut service = service.unwrap_or_default();
    // Before anything is made, and before a client can connect.
    let access = Access::of(&settings.administration)?;
    exports::check(settings)?;
    Places::check(settings, &service.passed.admin)?;
    if let Some(path) = &settings.record {
        let checked = machine::check_recording(path);
        checked.map_err(|source| Fault::Record {
            path: path.clone(),
            source,
        })?;
    }
    let settings = &Settings {
        state_dir: state_dir::of(settings)?,
        ..settings.clone()
    };
    let take_over = process.as_ref().is_some_and(|process| process.take_over);
    let mut sockets = Sockets::open(settings, &mut service.passed, take_over).await?;
    let listen = sockets.addresses.first().copied();
    let listen = listen.unwrap_or(settings.listen);
    let state = sockets.state(settings).await?;
    let protocol = Protocol::open(settings, listen, state.clone())?;
    let boot = boot(state.as_deref(), listen)?;
    let clock = Arc::new(SystemClock::new());
    let now = clock.now();
    let kept = state.as_ref().zip(settings.state_dir.as_deref());
    let kept = kept.map(|(state, folder)| (state.secret(), folder.join("handles")));
    let maker = Maker::new(settings.clone(), kept, (boot.epoch, now.wall));
    let maker = maker.map_err(Fault::Randomness)?;
    let exports = Start::open(settings, maker, Store::new(state.clone()))?;
    let config = protocol.config.clone();
    if config.delegations {
        exports.tell_of_leases(config.lease);
    }
    let engine = Engine::new(boot, config.clone(), exports.engine(), now)?;
    let descriptors = process.as_ref().and_then(|process| process.descriptors);
    let limits = limits(settings, descriptors);
    let grace = engine.grace(now);
    let grace = if grace.active {
        grace.length
    } else {
        Duration::ZERO
    };
    let node = node(settings, engine, limits, clock)?;
    if let Some(state) = state {
        node.set_stable_store(Arc::new(Records::of(state)?));
    }
    let recorded = settings.record.clone().map(|path| (path, node.clone()));
    let is_process = process.is_some();
    if is_process {
        memory::keep_trim(node.clone())?;
    }
    let (counters, hangups) = match process {
        Some(process) => (process.counters, process.hangups),
        None => (Vec::new(), None),
    };
    node.set_dial_policy(settings.dial_policy());
    let addresses = mem::take(&mut sockets.addresses);
    warn_of_networks(&addresses);
    let told = exports.told();
    let exports = Arc::new(exports.live(node.clone()));
    let exported = Exported::new(node.clone(), Arc::clone(&exports), counters);
    let exported = exported.map_err(io::Error::other)?;
    started::serves(settings, &config, grace, &addresses);
    let live = Arc::new(protocol.live(node.clone()));
    let places = Places::open(settings, access, mem::take(&mut service.passed.admin))?;
    let what = banner::What {
        exports: told,
        state: settings.state_dir.clone(),
        grace,
    };
    let banner = banner::banner(settings, &config, &what, &addresses, places.addresses());
    let shared = (Arc::clone(&live), Arc::clone(&exports));
    let app = App::new(node.clone(), shared, exported);
    let interface = places.serve(app, descriptors)?;
    banner::show(banner);
    let offer = is_process.then(|| sockets.offer(settings, &service.notify));
    let offer = offer.flatten();
    let stop = async {
        until_asked(stop, offer.as_ref()).await;
        if let Err(why) = live.allow_draining(settings.stop) {
            tracing::warn!(%why, "connections drain no longer than they usually do");
        }
    };
    service.notify.ready();
    service.watch(node.clone(), &addresses);
    let ended = tokio::select! {
        ended = drive(settings.driver, sockets.listeners, node, stop) => ended,
        never = reload::serve(hangups, Arc::clone(&live), Arc::clone(&exports)) => match never {},
        never = exports::watch(Arc::clone(&exports)) => match never {},
    };
    interface.end().await;
    match recorded {
        // Why the server has ended is more important.
        Some((path, node)) => ended.and(end_recording(path, node).await),
        None => ended,
    }
}

/// Waits until the server has to stop: by a signal, or as another process takes its place.
async fn until_asked(stop: impl Future<Output = ()>, offer: Option<&Offer>) {
    tokio::select! {
        () = stop => {}
        () = hand_over::taken(offer) => {
            tracing::info!("another process has the sockets; stopping");
        }
    }
}

/// What distinguishes this start.
fn boot(state: Option<&State>, listen: SocketAddr) -> Result<Boot, Fault> {
    let Some(state) = state else {
        let boot = Identity::of_machine(listen).boot();
        return boot.map_err(Fault::Randomness);
    };
    let boot = state.boot(listen)?;
    let recovered = boot.recovered.as_ref().map_or(0, Vec::len);
    if recovered > 0 {
        tracing::info!(
            recovered,
            "clients of the last start may reclaim their state"
        );
    }
    Ok(boot)
}

/// Says what every host may do that reaches an address other than loopback.
fn warn_of_networks(addresses: &[SocketAddr]) {
    for address in addresses.iter().filter(|at| !at.ip().is_loopback()) {
        tracing::warn!(%address, "the server does not verify user ids: every host that reaches this address can act as any user");
    }
}

/// Serves the listeners by a driver until `stop` is ready.
async fn drive(
    driver: Driver,
    listeners: Vec<TcpListener>,
    node: Node,
    stop: impl Future<Output = ()>,
) -> Result<(), Fault> {
    match driver {
        Driver::Tokio => {
            let start = |listener, node, told| {
                Ok(on_tokio::Server::new(listener, node).serve(until_dropped(told)))
            };
            serve_in_tasks(listeners, node, stop, start).await
        }
        Driver::AsyncStd => {
            let start = |listener: TcpListener, node, told| {
                let listener = listener.into_std()?.into();
                Ok(on_async_std::Server::new(listener, node).serve(until_dropped(told)))
            };
            serve_in_tasks(listeners, node, stop, start).await
        }
        Driver::Threads => serve_on_threads(listeners, node, stop).await,
    }
}

/// Ends the recording, and waits until it is written.
async fn end_recording(path: PathBuf, node: Node) -> Result<(), Fault> {
    let done = spawn_blocking(move || node.end_recording()).await;
    let done = done.unwrap_or_else(|panicked| Err(panicked.into()));
    done.map_err(|source| Fault::Record { path, source })
}

/// The driver's limits, which fit to the file descriptors of this process if their number is known.
fn limits(settings: &Settings, descriptors: Option<u64>) -> Limits {
    let usual = settings.limits();
    let limits = match descriptors {
        Some(number) => descriptors::fit(usual.clone(), number),
        None => usual.clone(),
    };
    if limits != usual {
        let (connections, usual) = (limits.max_connections, usual.max_connections);
        tracing::warn!(
            descriptors,
            connections,
            usual,
            "the system allows few file descriptors: fewer connections are accepted"
        );
    }
    limits
}

/// The node of an engine, which is recorded if that is wanted.
fn node(
    settings: &Settings,
    engine: Engine,
    limits: Limits,
    clock: Arc<SystemClock>,
) -> Result<Node, Fault> {
    let Some(path) = &settings.record else {
        return Ok(Node::with_clock(engine, limits, clock)?);
    };
    let fault = |source| Fault::Record {
        path: path.clone(),
        source,
    };
    let file = recording_file(path).map_err(fault)?;
    let recording = Recording::to(file).map_err(fault)?;
    Ok(Node::recorded(engine, limits, clock, recording)?)
}

/// A new file that only this user can read: clients' data and the server's secret are in it.
fn recording_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// Serves each listener by what `start` returns, which ends when the sender is dropped.
async fn serve_in_tasks<F>(
    listeners: Vec<TcpListener>,
    node: Node,
    stop: impl Future<Output = ()>,
    start: impl Fn(TcpListener, Node, watch::Receiver<()>) -> io::Result<F>,
) -> Result<(), Fault>
where
    F: Future<Output = Result<(), ServeError>> + Send + 'static,
{
    let (told, _) = watch::channel(());
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(start(listener, node.clone(), told.subscribe())?);
    }
    until_ended(servers, told, stop).await
}

async fn until_dropped(mut sender: watch::Receiver<()>) {
    // It changes only when the sender is dropped.
    let _ = sender.changed().await;
}

async fn serve_on_threads(
    listeners: Vec<TcpListener>,
    node: Node,
    stop: impl Future<Output = ()>,
) -> Result<(), Fault> {
    let mut stops = Vec::new();
    let mut servers = JoinSet::new();
    for listener in listeners {
        let server = threads::Server::new(listener.into_std()?, node.clone());
        stops.push(StopsWhenDropped(server.stop_handle()));
        servers.spawn_blocking(|| server.serve());
    }
    until_ended(servers, stops, stop).await
}

/// Waits for all servers, which end when `stops` is dropped: when `stop` is ready, or one of them
/// has failed.
async fn until_ended<E>(
    mut servers: JoinSet<Result<(), E>>,
    stops: impl Sized,
    stop: impl Future<Output = ()>,
) -> Result<(), Fault>
where
    E: 'static,
    Fault: From<E>,
{
    let mut stops = Some(stops);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop, if stops.is_some() => drop(stops.take()),
            ended = servers.join_next() => match ended {
                Some(ended) => ended.map_err(io::Error::from)??,
                None => return Ok(()),
            },
        }
    }
}

/// Dropping the future would not stop the threads.
struct StopsWhenDropped(threads::Stop);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}
