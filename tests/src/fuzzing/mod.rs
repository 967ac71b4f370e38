//! Bodies of fuzz targets that need a whole engine.

mod ids;
mod ops;
mod player;
mod tape;

pub use player::{Reached, engine_ops};
