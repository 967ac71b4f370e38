//! Random scenarios, held against models.

mod exactly_once;
