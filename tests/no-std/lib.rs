//! Proves that `nfs4-proto` and `nfs4-engine`, with all they depend on, do without the standard
//! library, on any machine and without another target installed.
//!
//! A program has exactly one panic handler, and std brings one. This crate defines its own, so as
//! soon as anything below links std, it does not compile ("found duplicate lang item `panic_impl`").

#![no_std]
#![forbid(unsafe_code)]

extern crate nfs4_engine as _;
extern crate nfs4_proto as _;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
