//! Bodies of fuzz targets that need a whole engine, and a client that makes records for a live one.

mod administration;
mod bounds;
mod called;
mod compose;
mod ids;
mod mutant;
mod ops;
mod player;
mod settings;
mod tape;
pub mod wire;
mod work;

pub use bounds::{attributes, callback, compound, rpc_header};
pub use mutant::Mutant;
pub use player::{Reached, engine_ops};
pub use wire::engine_wire;
