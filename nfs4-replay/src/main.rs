//! `nfs4-replay`: see the library.

fn main() -> std::process::ExitCode {
    nfs4_replay::main()
}
