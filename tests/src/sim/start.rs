//! Starts and restarts of the simulated server.

use std::sync::Arc;
use std::time::Duration;

use nfs4_engine::fs::Backend;
use nfs4_engine::{Boot, Config, Engine, Export, Outbox};

use super::bound::Bound;
use super::dial::Dialling;
use super::engine_log::EngineLog;
use super::excess::Excess;
use super::fs::Fs;
use super::held::Held;
use super::network::{Delays, Network};
use super::rng::Rng;
use super::stopwatch::Stopwatch;

use super::world::{Pace, Sim, at};

impl Sim {
    /// A server with default settings but no grace period, on a network without delays.
    pub fn new() -> Sim {
        Sim::with(Sim::config())
    }

    /// The settings of [`Sim::new`].
    pub fn config() -> Config {
        Config::default().with(|config| config.grace = Duration::ZERO)
    }

    /// A server that removes clients as soon as their leases have expired.
    pub fn without_courtesy() -> Sim {
        Sim::with(Sim::config().with(|config| config.courtesy = Duration::ZERO))
    }

    /// A server with these settings, on a network without delays.
    pub fn with(config: Config) -> Sim {
        Sim::on(config, Delays::default(), 0)
    }

    /// A server of which only [`Sim::turns`] are looked at: no table is checked, and nothing written
    /// down.
    pub fn measured(config: Config) -> Sim {
        Sim {
            stopwatch: Stopwatch::running(),
            ..Sim::with(config)
        }
    }

    /// A server on a network with delays that chance chooses.
    pub fn on(config: Config, delays: Delays, seed: u64) -> Sim {
        Sim::exporting(&["/"], |_| {}, config, delays, seed)
    }

    /// A server with a file system of its own at each of these paths, under the rules that `rules`
    /// gives each.
    pub fn serving(paths: &[&str], rules: impl Fn(&mut Export)) -> Sim {
        Sim::exporting(paths, rules, Sim::config(), Delays::default(), 0)
    }

    /// A server with these settings and a file system of its own at each of these paths.
    pub fn serving_with(paths: &[&str], config: Config) -> Sim {
        Sim::exporting(paths, |_| {}, config, Delays::default(), 0)
    }

    /// A server whose file system has part in locks of byte ranges, as processes have that are no clients.
    pub fn with_local_locks(config: Config) -> Sim {
        let fs = vec![Arc::new(Fs::new().with_local_locks())];
        Sim::over(fs, &["/"], |_| {}, config, Delays::default(), 0)
    }

    fn exporting(
        paths: &[&str],
        rules: impl Fn(&mut Export),
        config: Config,
        delays: Delays,
        seed: u64,
    ) -> Sim {
        let numbered = (0..).zip(paths);
        let fs = numbered.map(|(number, _)| Arc::new(Fs::numbered(number)));
        Sim::over(fs.collect(), paths, rules, config, delays, seed)
    }

    fn over(
        fs: Vec<Arc<Fs>>,
        paths: &[&str],
        rules: impl Fn(&mut Export),
        config: Config,
        delays: Delays,
        seed: u64,
    ) -> Sim {
        let exports: Vec<Export> = paths
            .iter()
            .zip(&fs)
            .map(|(path, fs)| {
                let backend = Arc::clone(fs) as Arc<dyn Backend>;
                let mut export = Export::new(*path, backend);
                rules(&mut export);
                export
            })
            .collect();
        let engine = Engine::new(boot(0), config, exports.clone(), at(0));
        let engine = engine.expect("the settings are in range");
        Sim {
            engine_log: EngineLog::new(&engine),
            engine,
            outbox: Outbox::new(),
            fs,
            exports,
            boots: 0,
            network: Network::new(delays, Rng::new(seed)),
            now: 0,
            pace: Pace::Delayed,
            late: false,
            held: Held::default(),
            stable: None,
            known: Vec::new(),
            checks: 0,
            outstanding: 0,
            inbox: Vec::new(),
            callbacks: Vec::new(),
            dialling: Dialling::default(),
            dials: Vec::new(),
            events: Vec::new(),
            may_do_wrong: false,
            bound: Bound::default(),
            excess: Excess::default(),
            trace: Vec::new(),
            wall_back: 0,
            stopwatch: Stopwatch::default(),
            xid: 0,
        }
    }

    /// Begins to record, before anything is done.
    pub fn record_all(&mut self) {
        self.engine_log.start(&self.engine);
    }

    /// The log since [`Sim::record_all`], which ends here.
    ///
    /// # Panics
    /// Nothing was recorded.
    pub fn recording(&mut self) -> Vec<u8> {
        self.engine_log.end().expect("it was recorded")
    }

    /// The server ends, with all connections, and starts again on the same file systems.
    pub fn restart(&mut self) {
        self.run();
        for conn in self.network.alive() {
            self.kill(conn);
        }
        self.run();
        self.held.forget();
        for fs in &self.fs {
            fs.forget_locks();
        }
        self.outstanding = 0;
        self.boots += 1;
        let recovered = self.stable.as_mut().map(|stable| {
            stable.forget();
            stable.recovered()
        });
        let boot = boot(self.boots).with(|boot| boot.recovered = recovered);
        let config = self.engine.config().clone();
        let engine = Engine::new(boot, config, self.exports.clone(), self.clock());
        self.engine = engine.expect("it has started before");
        self.engine_log = EngineLog::new(&self.engine);
    }
}

/// What tells a start from those before it; the server's identity stays the same.
fn boot(boots: u32) -> Boot {
    let verifier = u64::from_be_bytes(*b"verifier") + (u64::from(boots) << 32);
    Boot::new(0x5eed + boots, *b"0123456789abcdef", b"sim").with(|boot| {
        boot.write_verifier = verifier.to_be_bytes();
        boot.server_minor = 7;
        boot.server_scope = b"scope".to_vec();
    })
}
