//! What happens in a server, as it happens.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

use crate::event::Event;

use super::exchange::Followed;
use super::fault::ServerFault;
use super::sse::{Decoder, MAX_EVENT, Sent};

/// Time after which a server has said nothing for too long: it sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// What happens in a server, as it happens.
#[derive(Debug)]
pub struct Events {
    source: Followed,
    decoder: Decoder,
    sent: VecDeque<Sent>,
    last: Option<u64>,
}

/// What a server tells of what happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// Something has happened.
    Event(Box<Event>),
    /// As many events were lost, because they were read too slowly.
    Lost(u64),
    /// Something that this version does not know.
    Other {
        /// What kind of event it is.
        kind: String,
        /// What the server says of it: JSON.
        data: String,
    },
}

/// What the event `lost` says.
#[derive(Debug, Deserialize)]
struct Loss {
    lost: u64,
}

impl Events {
    pub(super) fn new(source: Followed, after: Option<u64>) -> Result<Events, ServerFault> {
        let kind = source.headers.get(hyper::header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return Err(ServerFault::Garbled("no stream of events".to_owned()));
        }
        Ok(Events {
            source,
            decoder: Decoder::default(),
            sent: VecDeque::new(),
            last: after,
        })
    }

    /// The next event, as soon as there is one; none when the server has ended the stream.
    /// It loses nothing if it is dropped before it is done.
    ///
    /// # Errors
    /// See [`ServerFault`]. The stream is of no more use; [`Server::events`](super::Server::events) goes on
    /// after [`Events::last`].
    pub async fn next(&mut self) -> Result<Option<Told>, ServerFault> {
        loop {
            if let Some(sent) = self.sent.pop_front() {
                return self.understand(sent).map(Some);
            }
            let Some(bytes) = self.source.more(SILENCE).await? else {
                return Ok(None);
            };
            let read = self.decoder.read(&bytes, &mut self.sent);
            read.map_err(|_| ServerFault::TooLong {
                limit: MAX_EVENT,
                unit: "bytes",
            })?;
        }
    }

    /// The number of the last event that was read, or after which the stream began.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    fn understand(&mut self, Sent { kind, data }: Sent) -> Result<Told, ServerFault> {
        let garbled = |why: serde_json::Error| ServerFault::Garbled(why.to_string());
        if kind == "lost" {
            let loss: Loss = serde_json::from_str(&data).map_err(garbled)?;
            return Ok(Told::Lost(loss.lost));
        }
        match serde_json::from_str::<Event>(&data) {
            Ok(event) => {
                self.last = Some(event.number);
                Ok(Told::Event(Box::new(event)))
            }
            Err(_) => {
                let value: serde_json::Value = serde_json::from_str(&data).map_err(garbled)?;
                let number = value.get("number").and_then(serde_json::Value::as_u64);
                self.last = number.or(self.last);
                Ok(Told::Other { kind, data })
            }
        }
    }
}
