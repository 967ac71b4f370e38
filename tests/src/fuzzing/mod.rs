//! Bodies of fuzz targets that need a whole engine, and a client that makes records for a live one.

mod compose;
mod ids;
mod mutant;
mod ops;
mod player;
mod tape;
mod work;

pub use mutant::Mutant;
pub use player::{Reached, engine_ops};
