//! The lines of the log that say what is served, and where.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use nfs4_engine::Config;

use crate::config::Settings;

/// The server listens at these addresses, with these settings of the engine.
pub(crate) fn serves(
    settings: &Settings,
    engine: &Config,
    grace: Duration,
    addresses: &[SocketAddr],
) {
    let driver = settings.driver.name();
    for address in addresses {
        tracing::info!(%address, driver, "listening for NFS clients");
    }
    let versions = format!(
        "4.{} to 4.{}",
        engine.min_minor_version, engine.max_minor_version
    );
    let (lease_s, grace_s) = (engine.lease.as_secs(), grace.as_secs());
    tracing::info!(versions, lease_s, grace_s, "serving the protocol");
    if let Some(file) = &settings.record {
        let file = file.display();
        tracing::info!(%file, "recording all requests, with their contents");
    }
}

/// An interface for operators is served at an address, or in a file.
pub(crate) fn interface(interface: &str, at: &dyn Display) {
    tracing::info!(interface, %at, "serving an interface for operators");
}
