//! NFSv4.0, 4.1 and 4.2 wire types, XDR, ONC RPC and record marking; no state, no IO.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
pub mod dump;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod nfs4;
pub mod rpc;
pub mod xdr;
