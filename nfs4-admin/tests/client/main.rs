//! The client, against servers that behave and others that do not.

mod events;
mod hostile;
mod pages;
mod requests;
mod script;
