//! The binary as an administrator runs it, against a server with clients.

mod clients;
mod effects;
mod events;
mod exits;
mod exports;
mod served;
mod sessions;
mod settings;
mod terminal;
