//! The flags of an export's rules.

use clap::Args;
use clap::builder::PossibleValuesParser;
use nfs4_admin::{ExportNetwork, ExportOptions, Security, Squash};

use crate::number::whole;

/// What hosts may do, and on behalf of which users.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Rules")]
pub(crate) struct RuleFlags {
    /// Refuse all that would change the export
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only: Option<bool>,
    /// The users that act as the anonymous user: none, root or all
    #[arg(long, value_name = "USERS", value_parser = squash)]
    squash: Option<Squash>,
    /// The id of the anonymous user
    #[arg(long, value_name = "UID", value_parser = whole::<u32>(0..=u32::MAX.into()))]
    anonymous_uid: Option<u32>,
    /// The id of the anonymous user's group
    #[arg(long, value_name = "GID", value_parser = whole::<u32>(0..=u32::MAX.into()))]
    anonymous_gid: Option<u32>,
    /// A network for whose hosts the export is there, as in 192.0.2.0/24; for other rules with
    /// ,ro ,rw or ,squash=USERS behind it; may be given several times
    #[arg(long = "network", value_name = "NETWORK", value_parser = network)]
    networks: Vec<ExportNetwork>,
    /// The minor versions for whose clients the export is there, with commas between them
    #[arg(long, value_name = "MINORS", value_delimiter = ',', value_parser = whole::<u32>(0..=2))]
    minor_versions: Vec<u32>,
    /// The security flavours of its requests, with commas between them
    #[arg(long, value_name = "FLAVOURS", value_delimiter = ',', value_parser = PossibleValuesParser::new(["sys", "none"]))]
    sec: Vec<String>,
}

impl RuleFlags {
    /// What the flags name.
    pub(crate) fn options(self) -> ExportOptions {
        let given = |list: bool| list.then_some(());
        let sec = self.sec.iter().map(|name| match name.as_str() {
            "none" => Security::None,
            _ => Security::Sys,
        });
        ExportOptions {
            read_only: self.read_only,
            squash: self.squash,
            anonymous_uid: self.anonymous_uid,
            anonymous_gid: self.anonymous_gid,
            sec: given(!self.sec.is_empty()).map(|()| sec.collect()),
            networks: given(!self.networks.is_empty()).map(|()| self.networks),
            minor_versions: given(!self.minor_versions.is_empty()).map(|()| self.minor_versions),
            ..ExportOptions::default()
        }
    }
}

fn squash(text: &str) -> Result<Squash, String> {
    match text {
        "none" => Ok(Squash::None),
        "root" => Ok(Squash::Root),
        "all" => Ok(Squash::All),
        _ => Err("expected none, root or all".to_owned()),
    }
}

/// A network, which the server checks, and its rules.
fn network(text: &str) -> Result<ExportNetwork, String> {
    let mut parts = text.split(',');
    let mut network = ExportNetwork::new(parts.next().unwrap_or_default());
    for rule in parts {
        match (rule, rule.strip_prefix("squash=")) {
            ("ro", _) => network.read_only = Some(true),
            ("rw", _) => network.read_only = Some(false),
            (_, Some(users)) => network.squash = Some(squash(users)?),
            _ => {
                return Err(
                    "expected a network, as in 192.0.2.0/24 or 192.0.2.0/24,ro,squash=all"
                        .to_owned(),
                );
            }
        }
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_rules_behind_it() {
        let plain = ExportNetwork::new("192.0.2.0/24");
        assert_eq!(network("192.0.2.0/24"), Ok(plain.clone()));
        let mut ruled = plain;
        ruled.read_only = Some(true);
        ruled.squash = Some(Squash::All);
        assert_eq!(network("192.0.2.0/24,ro,squash=all"), Ok(ruled.clone()));
        ruled.read_only = Some(false);
        assert_eq!(network("192.0.2.0/24,squash=all,rw"), Ok(ruled));
        for wrong in [
            "192.0.2.0/24,",
            "192.0.2.0/24,r",
            "192.0.2.0/24,squash=some",
        ] {
            network(wrong).unwrap_err();
        }
    }
}
