//! A Sans-IO NFSv4 server: the protocol state machine, with no sockets, clocks or threads.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
