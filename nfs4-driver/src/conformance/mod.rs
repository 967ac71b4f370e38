//! Tests that every transport passes, for transports of others as well.
//!
//! A transport implements [`Transport`] in its tests, and
//! [`driver_conformance!`](crate::driver_conformance) makes one test of each case:
//!
//! ```ignore
//! // tests/conformance.rs, with the feature `conformance` of `nfs4-driver`
//! struct Pipes;
//!
//! impl nfs4_driver::conformance::Transport for Pipes {
//!     // start, connect, set_timeout, end_writes, stop, join
//! }
//!
//! nfs4_driver::driver_conformance!(Pipes);
//! ```
//!
//! The cases bring a file system and a client of NFSv4.1 of their own, and reach the transport only by
//! that trait. Each looks at the node afterwards: once its clients have left and their leases have run
//! out, the engine's tables are empty, no memory is held, no file is open; and once the server has
//! ended, no task and no thread of it has the node any more. A case that fails panics,
//! or does not end where a transport's [`Transport::join`] does not.
//!
//! The cases take some seconds together, and run at the same time as others. Those that count time
//! have limits of a tenth of a second and more, and a client waits 20 s for anything.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::error::EngineDead;
use crate::node::Node;

mod client;
mod clock;
mod files;
mod scene;

pub mod bindings;
pub mod callbacks;
pub mod completions;
pub mod connections;
pub mod flow;
pub mod limits;
pub mod records;
pub mod rpc_errors;
pub mod stops;

/// A transport under test.
pub trait Transport: Sync {
    /// A server that runs, on threads or tasks of its own.
    type Server: Sync;

    /// A client's end of a connection, whose reads and writes block. When it is dropped, the connection
    /// is closed in both directions.
    type Stream: Read + Write + Send + 'static;

    /// Starts a server of this node: it accepts connections and runs the node's timer.
    fn start(&self, node: Node) -> Self::Server;

    /// Connects a client.
    ///
    /// # Errors
    /// The server accepts no connection. A server may also accept one and close it at once.
    fn connect(&self, server: &Self::Server) -> io::Result<Self::Stream>;

    /// Sets the time limit of a read and of a write; one that exceeds it ends with
    /// [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`].
    ///
    /// # Errors
    /// The stream failed.
    fn set_timeout(&self, stream: &Self::Stream, span: Duration) -> io::Result<()>;

    /// Ends what the client sends, and nothing else: the server reads the end of the stream.
    ///
    /// # Errors
    /// The stream failed.
    fn end_writes(&self, stream: &Self::Stream) -> io::Result<()>;

    /// Begins a graceful stop and returns at once; a second one does nothing.
    fn stop(&self, server: &mut Self::Server);

    /// Waits for the end of a server that was stopped, or that ends because the engine is dead.
    ///
    /// # Errors
    /// The engine is dead.
    fn join(&self, server: Self::Server) -> Result<(), EngineDead>;

    /// Number of connections that the case of many connections makes: at most 1 000. A transport whose
    /// system allows fewer says so here.
    fn most_connections(&self) -> usize {
        1_000
    }
}

macro_rules! cases {
    (($d:tt) $($module:ident::$name:ident)*) => {
        /// All cases, with their names.
        pub fn cases<T: Transport>() -> Vec<(&'static str, fn(&T))> {
            vec![$((concat!(stringify!($module), "::", stringify!($name)), $module::$name::<T>)),*]
        }

        /// Makes one test of each case of [`conformance`](crate::conformance), for the transport that an
        /// expression gives.
        #[macro_export]
        macro_rules! driver_conformance {
            ($d transport:expr) => {
                $(
                    #[test]
                    fn $name() {
                        $d crate::conformance::$module::$name(&$d transport);
                    }
                )*
            };
        }
    };
}

cases! { ($)
    bindings::a_session_uses_the_connections_that_are_bound_to_it
    bindings::a_lost_connection_is_no_longer_bound
    callbacks::a_recall_is_answered_while_calls_are_in_flight
    callbacks::a_call_that_waits_for_a_holder_gets_its_reply
    callbacks::a_reply_to_no_call_is_ignored
    callbacks::a_recall_does_not_go_by_a_half_closed_connection
    callbacks::a_recall_under_way_leaves_a_half_closed_connection
    completions::answers_from_other_threads_wake_their_connection
    completions::answers_at_once_and_from_another_thread_mix
    completions::answers_after_the_connection_is_gone_are_delivered
    completions::a_dropped_completion_fails_its_call_alone
    connections::each_has_an_id_of_its_own_and_is_counted
    connections::many_are_served_at_once
    connections::a_storm_of_them_leaves_nothing
    flow::calls_sent_together_are_all_answered
    flow::a_client_that_reads_slowly_gets_everything_and_holds_up_no_other
    flow::a_client_that_takes_no_replies_is_closed
    flow::a_client_that_stops_within_a_record_is_closed
    flow::a_client_that_ends_its_half_gets_its_replies
    flow::a_half_closed_connection_is_not_kept_without_end
    flow::long_requests_let_others_have_their_turn
    limits::one_connection_too_many_is_refused
    limits::an_idle_connection_is_closed
    limits::no_more_calls_are_in_flight_than_the_limit
    limits::a_lease_expires_without_any_request
    records::fragments_and_single_bytes_make_records
    records::records_longer_than_any_buffer_pass
    rpc_errors::calls_that_cannot_be_served_get_errors
    rpc_errors::what_is_no_message_closes_its_connection_alone
    rpc_errors::empty_fragments_do_not_go_on_for_ever
    stops::idle_connections_end_and_none_is_accepted
    stops::calls_in_flight_are_answered_and_new_ones_delayed
    stops::calls_that_are_never_answered_are_cut_off
    stops::a_client_that_takes_no_replies_is_cut_off
    stops::a_dead_engine_ends_the_server
}
