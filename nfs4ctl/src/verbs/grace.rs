//! `nfs4ctl grace`.

use nfs4_admin::Grace as Period;
use nfs4_admin::client::Server;

use crate::cli::{Form, Grace};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::output::Output;
use crate::table::{Cell, Tone};

pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Grace,
) -> Result<(), Fault> {
    let period = match verb {
        Grace::Status => server.grace().await?,
        Grace::End { consent } => {
            let question = "End the grace period? What clients have not reclaimed, they lose.";
            confirm(question, consent)?;
            server.end_grace().await?
        }
    };
    match output.form() {
        Form::Table => output.details(&details(&period)),
        Form::Json | Form::Yaml => output.value(&period),
    }
}

fn details(period: &Period) -> Vec<(&'static str, Cell)> {
    let state = match period {
        Period { ending: true, .. } => {
            Cell::new("ends as soon as that is stored").toned(Tone::Notice)
        }
        Period { active: true, .. } => Cell::new("runs").toned(Tone::Notice),
        Period { grace_time: 0, .. } => Cell::new("none"),
        Period { .. } => Cell::new("is over"),
    };
    let mut details = vec![
        ("grace period", state),
        ("left", Cell::new(format!("{} s", period.remaining_seconds))),
        ("length", Cell::new(format!("{} s", period.grace_time))),
    ];
    if period.known_clients > 0 {
        let (missing, known) = (period.missing_clients, period.known_clients);
        details.push((
            "clients to reclaim",
            Cell::new(format!("{missing} of {known}")),
        ));
    }
    let missing = period.some_missing.iter();
    details.extend(missing.map(|owner| ("missing", Cell::new(owner.as_str()))));
    details
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_runs_ends_and_is_over_is_told_apart() {
        let length = Duration::from_secs(90);
        let shown = |active, left| {
            let period = Period::new(active, Duration::from_secs(left), length);
            details(&period).into_iter().take(2).collect::<Vec<_>>()
        };
        for (active, left, state, seconds) in [
            (true, 7, Cell::new("runs").toned(Tone::Notice), "7 s"),
            (
                true,
                0,
                Cell::new("ends as soon as that is stored").toned(Tone::Notice),
                "0 s",
            ),
            (false, 0, Cell::new("is over"), "0 s"),
        ] {
            let expected = [("grace period", state), ("left", Cell::new(seconds))];
            assert_eq!(shown(active, left), expected);
        }
    }
}
