//! `nfs4ctl top`: what flows, client by client.

mod keys;
mod rates;
mod screen;
mod terminal;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use nfs4_admin::client::{ClientFilter, Server, ServerFault};
use nfs4_admin::{Client, Grace};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use self::keys::Key;
use self::rates::{Flows, Sample};
use self::screen::Screen;
use self::terminal::{Happening, Terminal};
use crate::cli::{Form, Top};
use crate::fault::Fault;
use crate::output::Output;

/// Shows what flows until the administrator has seen enough; once where there is no terminal.
pub(crate) async fn top(server: &Server, output: &mut Output, which: &Top) -> Result<(), Fault> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if which.once || !terminal || output.form() != Form::Table {
        once(server, output, which).await
    } else {
        live(server, output, which).await
    }
}

/// The clients, and when they were asked for.
async fn look(server: &Server) -> Result<(Instant, Vec<Client>, Grace), ServerFault> {
    let clients = server.clients(&ClientFilter::default()).all().await?;
    let at = Instant::now();
    Ok((at, clients, server.grace().await?))
}

async fn once(server: &Server, output: &mut Output, which: &Top) -> Result<(), Fault> {
    let (at, clients, _) = look(server).await?;
    let before = Sample::new(at, &clients);
    sleep(Duration::from_secs(which.interval)).await;
    let (at, clients, grace) = look(server).await?;
    let mut flows = Flows::between(Some(&before), at, clients);
    flows.sort(which.sort);
    if let Some(limit) = which.limit {
        flows.rows.truncate(limit);
    }
    match output.form() {
        Form::Table => {
            let head = screen::head(server, &flows, &grace);
            output.lines(&head)?;
            output.table(&screen::table(&flows.rows))
        }
        Form::Json | Form::Yaml => output.value(&flows),
    }
}

async fn live(server: &Server, output: &mut Output, which: &Top) -> Result<(), Fault> {
    // What is wrong from the beginning is said on the usual screen.
    let (at, clients, grace) = look(server).await?;
    let mut before = Sample::new(at, &clients);
    let mut flows = Flows::between(None, at, clients);
    flows.sort(which.sort);
    let mut screen = Screen::new(server, which.sort, output.canvas().colour);
    screen.show(flows, grace);
    let mut terminal = Terminal::open().map_err(Fault::Output)?;
    let mut ticks = ticks(which.interval);
    loop {
        let size = terminal.size();
        terminal.draw(&screen.lines(size)).map_err(Fault::Output)?;
        tokio::select! {
            happening = terminal.next() => match happening {
                Happening::Key(Key::Quit) | Happening::Ended => return Ok(()),
                Happening::Key(key) => screen.press(key, size.1),
                Happening::Resized => {}
            },
            _ = ticks.tick() => match look(server).await {
                Ok((at, clients, grace)) => {
                    let after = Sample::new(at, &clients);
                    screen.show(Flows::between(Some(&before), at, clients), grace);
                    before = after;
                }
                Err(why) => screen.fail(&why.to_string()),
            },
        }
    }
}

fn ticks(seconds: u64) -> Interval {
    let period = Duration::from_secs(seconds);
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
