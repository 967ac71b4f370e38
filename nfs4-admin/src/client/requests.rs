//! One method for each route.

use std::net::IpAddr;

use hyper::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client_record::Client;
use crate::connection::Connection;
use crate::export::{Export, ExportOptions};
use crate::grace::Grace;
use crate::session::Session;
use crate::settings::{Settings, SettingsPatch, SettingsValues};

use super::events::Events;
use super::exchange::{Answer, Question, Server};
use super::fault::ServerFault;
use super::pages::Pages;
use super::routes::{self, Route, encode};

/// Number of clients or connections of a page; a client has some 500 bytes.
const PAGE: u32 = 1_000;
/// Number of sessions of a page; a session has some 600 bytes, and 200 for each connection.
const PAGE_OF_SESSIONS: u32 = 250;

/// Which clients are listed: those that match each field that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// The address that the client comes from.
    pub address: Option<IpAddr>,
    /// A part of its owner name.
    pub owner: Option<String>,
    /// Its minor version, 0 to 2.
    pub minor_version: Option<u32>,
}

/// Which events are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The number of an event: those after it come first, as far as the server still has them.
    /// 0 is for all of them; without it only what happens from now on is told.
    pub after: Option<u64>,
    /// The kinds, as in [`Fact::KINDS`](crate::Fact::KINDS); all if it is empty.
    pub kinds: Vec<String>,
}

/// An answer, and the tag of the version that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tagged<T> {
    /// What was answered.
    pub value: T,
    /// The tag, to be given with a change that is to be of this version only.
    pub etag: Option<String>,
}

/// Each fails as [`ServerFault`] says. Ids that the server does not know are refused with the
/// status 404, malformed ones with 400.
impl Server {
    /// Clients of all minor versions.
    pub fn clients(&self, filter: &ClientFilter) -> Pages<Client> {
        Pages::new(self, routes::CLIENTS, filter.query(), PAGE)
    }

    /// A client.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn client(&self, client_id: &str) -> Result<Client, ServerFault> {
        self.get(&routes::CLIENT, &[client_id]).await
    }

    /// Removes a client with all its state. A client that is still there starts anew by itself, and loses
    /// its locks and open files.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn evict_client(&self, client_id: &str) -> Result<(), ServerFault> {
        self.command(&routes::EVICT_CLIENT, &[client_id]).await
    }

    /// The sessions of a client.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn client_sessions(&self, client_id: &str) -> Result<Vec<Session>, ServerFault> {
        self.get(&routes::CLIENT_SESSIONS, &[client_id]).await
    }

    /// A session of a client.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn session(&self, client_id: &str, session_id: &str) -> Result<Session, ServerFault> {
        self.get(&routes::SESSION, &[client_id, session_id]).await
    }

    /// Destroys a session of a client. The client makes another, and keeps its locks and open files.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn destroy_session(
        &self,
        client_id: &str,
        session_id: &str,
    ) -> Result<(), ServerFault> {
        let ids = [client_id, session_id];
        self.command(&routes::DESTROY_SESSION, &ids).await
    }

    /// The sessions of all clients.
    pub fn sessions(&self) -> Pages<Session> {
        Pages::new(self, routes::SESSIONS, String::new(), PAGE_OF_SESSIONS)
    }

    /// All connections, bound to a session or not.
    pub fn connections(&self) -> Pages<Connection> {
        Pages::new(self, routes::CONNECTIONS, String::new(), PAGE)
    }

    /// A connection.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn connection(&self, connection_id: u64) -> Result<Connection, ServerFault> {
        let id = connection_id.to_string();
        self.get(&routes::CONNECTION, &[&id]).await
    }

    /// Lets a connection finish its requests and take no new ones; then it is closed.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn drain_connection(&self, connection_id: u64) -> Result<(), ServerFault> {
        let id = connection_id.to_string();
        self.command(&routes::DRAIN, &[&id]).await
    }

    /// Lets a connection that is drained take requests again.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn undrain_connection(&self, connection_id: u64) -> Result<(), ServerFault> {
        let id = connection_id.to_string();
        self.command(&routes::UNDRAIN, &[&id]).await
    }

    /// The settings.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn settings(&self) -> Result<Tagged<Settings>, ServerFault> {
        let answer = self.ask(&Question::new(&routes::SETTINGS, &[])).await?;
        tagged(&answer)
    }

    /// Changes settings, all or none, and only if they have the tag `if_match`; without one in any case.
    ///
    /// # Errors
    /// See [`ServerFault`]. Refused with the status 409 if the command line or the configuration file
    /// of the server fixes one, 412 if the settings have another tag, and 422 if a value is out of its range.
    pub async fn update_settings(
        &self,
        patch: &SettingsPatch,
        if_match: Option<&str>,
    ) -> Result<Tagged<Settings>, ServerFault> {
        let mut question = Question::new(&routes::UPDATE_SETTINGS, &[]).json(json(patch)?);
        if let Some(tag) = if_match {
            question = question.header(IF_MATCH, header(tag)?);
        }
        tagged(&self.ask(&question).await?)
    }

    /// The values that settings have if nothing sets them.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn default_settings(&self) -> Result<SettingsValues, ServerFault> {
        self.get(&routes::DEFAULT_SETTINGS, &[]).await
    }

    /// Gives all settings their defaults, except those that are fixed.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn reset_settings(&self) -> Result<Tagged<Settings>, ServerFault> {
        let question = Question::new(&routes::RESET_SETTINGS, &[]);
        tagged(&self.ask(&question).await?)
    }

    /// The exports, in the order of their paths.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn exports(&self) -> Result<Vec<Export>, ServerFault> {
        self.get(&routes::EXPORTS, &[]).await
    }

    /// The export at a path of clients.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn export(&self, pseudo: &str) -> Result<Export, ServerFault> {
        self.get(&routes::EXPORT, &[pseudo]).await
    }

    /// Adds an export.
    ///
    /// # Errors
    /// See [`ServerFault`]. Refused with the status 409 if the default export has files, and 422 if an
    /// option is wrong or stands against another export.
    pub async fn add_export(&self, options: &ExportOptions) -> Result<Export, ServerFault> {
        let question = Question::new(&routes::ADD_EXPORT, &[]).json(json(options)?);
        self.ask(&question).await?.decode()
    }

    /// Changes options of an export; clients keep what they have open in it.
    ///
    /// # Errors
    /// See [`ServerFault`]. Refused with the status 409 if the command line or the configuration file of
    /// the server gives the export, and 422 if an option is wrong or cannot be changed.
    pub async fn change_export(
        &self,
        pseudo: &str,
        options: &ExportOptions,
    ) -> Result<Export, ServerFault> {
        let question = Question::new(&routes::CHANGE_EXPORT, &[pseudo]).json(json(options)?);
        self.ask(&question).await?.decode()
    }

    /// Removes an export: clients lose what they have open in it, and its filehandles become stale.
    ///
    /// # Errors
    /// See [`ServerFault`]. Refused with the status 409 if the command line or the configuration file of
    /// the server gives the export, or it is the default.
    pub async fn remove_export(&self, pseudo: &str) -> Result<(), ServerFault> {
        self.command(&routes::REMOVE_EXPORT, &[pseudo]).await
    }

    /// The grace period.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn grace(&self) -> Result<Grace, ServerFault> {
        self.get(&routes::GRACE, &[]).await
    }

    /// Ends the grace period: what clients have not reclaimed, they lose.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn end_grace(&self) -> Result<Grace, ServerFault> {
        self.get(&routes::END_GRACE, &[]).await
    }

    /// What happens.
    ///
    /// # Errors
    /// See [`ServerFault`]. Refused with the status 503 if too many programs follow the events.
    pub async fn events(&self, filter: &EventFilter) -> Result<Events, ServerFault> {
        let mut question = Question::new(&routes::EVENTS, &[]).query(&filter.query());
        if let Some(number) = filter.after {
            let name = HeaderName::from_static("last-event-id");
            question = question.header(name, HeaderValue::from(number));
        }
        Events::new(self.follow(&question).await?, filter.after)
    }

    /// The description of the administration interface: an OpenAPI document.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn openapi(&self) -> Result<serde_json::Value, ServerFault> {
        self.get(&routes::OPENAPI, &[]).await
    }

    /// Whether the server serves.
    ///
    /// # Errors
    /// See [`ServerFault`]. Refused with the status 503 if it does not.
    pub async fn health(&self) -> Result<(), ServerFault> {
        self.command(&routes::HEALTH, &[]).await
    }

    /// What the server counts, in Prometheus' text format.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn metrics(&self) -> Result<String, ServerFault> {
        let answer = self.ask(&Question::new(&routes::METRICS, &[])).await?;
        String::from_utf8(answer.body).map_err(|why| ServerFault::Garbled(why.to_string()))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        route: &Route,
        parts: &[&str],
    ) -> Result<T, ServerFault> {
        self.ask(&Question::new(route, parts)).await?.decode()
    }

    /// A question whose answer says nothing but that it was accepted.
    async fn command(&self, route: &Route, parts: &[&str]) -> Result<(), ServerFault> {
        self.ask(&Question::new(route, parts)).await?;
        Ok(())
    }
}

impl ClientFilter {
    fn query(&self) -> String {
        let address = self.address.map(|address| address.to_string());
        let minor_version = self.minor_version.map(|minor| minor.to_string());
        let fields = [
            ("address", &address),
            ("owner", &self.owner),
            ("minor_version", &minor_version),
        ];
        let mut query = String::new();
        for (name, value) in fields {
            if let Some(value) = value {
                if !query.is_empty() {
                    query.push('&');
                }
                query.push_str(name);
                query.push('=');
                encode(value, &mut query);
            }
        }
        query
    }
}

impl EventFilter {
    fn query(&self) -> String {
        let mut query = String::new();
        if !self.kinds.is_empty() {
            query.push_str("kind=");
            encode(&self.kinds.join(","), &mut query);
        }
        query
    }
}

fn json(body: &impl Serialize) -> Result<String, ServerFault> {
    serde_json::to_string(body).map_err(|why| ServerFault::Garbled(why.to_string()))
}

fn tagged<T: DeserializeOwned>(answer: &Answer) -> Result<Tagged<T>, ServerFault> {
    let etag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
    Ok(Tagged {
        value: answer.decode()?,
        etag: etag.map(str::to_owned),
    })
}

fn header(text: &str) -> Result<HeaderValue, ServerFault> {
    let wrong = |_| ServerFault::Garbled(format!("{text:?} cannot be a header"));
    HeaderValue::from_str(text).map_err(wrong)
}
