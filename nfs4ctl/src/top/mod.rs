//! `nfs4ctl top`: what flows, client by client.

mod keys;
mod rates;
mod screen;
mod terminal;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use nfs4_admin::client::{ClientFilter, Server, ServerFault};
use nfs4_admin::{Client, Grace};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

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
type Look = (Instant, Vec<Client>, Grace);

async fn look(server: &Server) -> Result<Look, ServerFault> {
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
    let mut screen = Screen::new(server, which.sort, output.canvas().colour);
    screen.show(Flows::between(None, at, clients), grace);
    let mut terminal = Terminal::open().map_err(Fault::Output)?;
    let mut looks = keep_looking(server.clone(), which.interval);
    loop {
        let size = terminal.size();
        let drawn = terminal.draw(&screen.lines(size));
        drawn.map_err(Fault::Output)?;
        tokio::select! {
            happening = terminal.next() => match happening {
                Happening::Key(Key::Quit) | Happening::Ended => return Ok(()),
                Happening::Key(key) => screen.press(key, size.1),
                Happening::Resized => {}
            },
            Some(look) = looks.recv() => match look {
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

/// Looks again and again, so that keys need not wait for the server.
fn keep_looking(server: Server, seconds: u64) -> Receiver<Result<Look, ServerFault>> {
    let (sender, looks) = channel(1);
    tokio::spawn(async move {
        let period = Duration::from_secs(seconds);
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if sender.send(look(&server).await).await.is_err() {
                return;
            }
        }
    });
    looks
}
