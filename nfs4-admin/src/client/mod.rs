//! A client of the administration interface.
