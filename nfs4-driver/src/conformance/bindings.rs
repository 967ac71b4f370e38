//! Connections that serve a session.

use nfs4_engine::snapshot::{BackChannelState, ConnectionSummary, SessionView};

use super::Transport;
use super::client::{Session, succeeded};
use super::files::Answers;
use super::scene::Scene;

/// A session is used by two connections at once; each reply goes to the connection of its call.
pub fn a_session_uses_the_connections_that_are_bound_to_it<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut first = scene.mounted("trunked");
    assert_eq!(both(&scene, first.session()), 1);
    let mut second = scene.connect();
    second.bind(first.session().clone());
    let view = view(&scene, first.session());
    assert_eq!(view.connection_summary.both, 2);
    let [one, two] = &view.connections[..] else {
        panic!("two connections are bound: {view:?}");
    };
    assert_ne!(one.connection_id, two.connection_id);
    scene.files.answer(Answers::elsewhere());
    for _ in 0..20 {
        // The slots of one session: those of the second connection are others.
        let (mine, call) = first.getattr(1);
        let (its, other) = second.getattr(2);
        first.send(&call).expect("it is read");
        second.send(&other).expect("it is read");
        succeeded(second.reply_to(its));
        succeeded(first.reply_to(mine));
    }
    first.unmount();
    drop((first, second));
    scene.end();
}

/// The engine hears of lost connections: they are unbound, and with the last one the backchannel is
/// down, until another connection is bound.
pub fn a_lost_connection_is_no_longer_bound<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let first = scene.mounted("reconnects");
    let session = first.session().clone();
    let mut second = scene.connect();
    second.bind(session.clone());
    assert_eq!(both(&scene, &session), 2);
    drop(first);
    scene.wait_for("the end of a binding", |scene| both(scene, &session) == 1);
    let (xid, call) = second.getattr(3);
    second.send(&call).expect("it is read");
    succeeded(second.reply_to(xid));
    drop(second);
    scene.has_connections(0);
    let view_now = view(&scene, &session);
    assert_eq!(view_now.connection_summary, ConnectionSummary::default());
    assert_eq!(view_now.back_channel, BackChannelState::Down);
    let mut third = scene.connect();
    third.bind(session.clone());
    let view_now = view(&scene, &session);
    assert_eq!(view_now.back_channel, BackChannelState::Ok);
    third.unmount();
    drop(third);
    scene.end();
}

fn both<T: Transport>(scene: &Scene<'_, T>, session: &Session) -> u32 {
    view(scene, session).connection_summary.both
}

fn view<T: Transport>(scene: &Scene<'_, T>, session: &Session) -> SessionView {
    let sessions = scene.node.sessions_of(session.client.0);
    let sessions = sessions.expect("the engine lives").expect("a client");
    let found = sessions
        .into_iter()
        .find(|view| view.session_id == session.id);
    found.expect("its session")
}
