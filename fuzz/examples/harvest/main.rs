//! Makes seeds of captured traffic between the kernel's client and a server:
//! `cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example harvest -- OUT CAPTURE…`
//!
//! A capture is made by `tcpdump -i lo -B 65536 -s 0 -w CAPTURE tcp` and must hold the beginning of each
//! connection. Seeds are written to `OUT/<target>/`; `cargo fuzz cmin` picks those that are worth keeping.

mod capture;
mod codecs;
mod conversation;
mod exchange;

use std::path::Path;

use codecs::Seeds;

fn main() {
    let mut args = std::env::args().skip(1);
    let out = args.next().expect("a folder to write to");
    for capture in args {
        let name = Path::new(&capture).file_stem().unwrap_or_default();
        let bytes = std::fs::read(&capture).expect("the capture can be read");
        let exchanges = exchange::of_linux(exchange::exchanges(capture::records(&bytes)));
        drop(bytes);
        let callbacks = exchanges.iter().filter(|one| one.is_callback).count();
        println!(
            "{capture}: {} calls, {callbacks} of them callbacks",
            exchanges.len()
        );
        write(&out, "compound", codecs::compounds(&exchanges, false));
        write(&out, "callback", codecs::compounds(&exchanges, true));
        write(&out, "rpc_header", codecs::headers(&exchanges));
        write(&out, "attributes", codecs::attributes(&exchanges));
        let name = name.to_string_lossy();
        write(
            &out,
            "engine_wire",
            conversation::conversations(&exchanges, &name),
        );
    }
}

fn write(out: &str, target: &str, seeds: Seeds) {
    let folder = Path::new(out).join(target);
    std::fs::create_dir_all(&folder).expect("the folder can be written");
    println!("  {} for {target}", seeds.len());
    for (name, data) in seeds {
        std::fs::write(folder.join(name), data).expect("the folder can be written");
    }
}
