//! Flags and what they set.

use nfs4_admin::SettingsPatch;

use super::conflict::Conflict;
use super::*;
use crate::config::{AdminListen, Administration};

fn parse(arguments: &[&str]) -> Result<Cli, String> {
    Cli::try_parse_from(["nfs4d"].iter().chain(arguments)).map_err(|fault| fault.to_string())
}

fn told(cli: &Cli) -> Option<String> {
    let first = Conflict::all(cli).into_iter().next();
    first.map(|conflict| conflict.to_string())
}

#[test]
fn without_flags_the_defaults_hold() {
    let cli = parse(&[]).unwrap();
    assert_eq!(cli.protocol.0, SettingsPatch::default());
    assert_eq!(
        cli.settings(Given::default(), GivenExports::default()),
        Settings::default()
    );
}

#[test]
fn every_flag_has_its_effect() {
    let cli = parse(&[
        "--listen=[::1]:4000",
        "--listen=127.0.0.1:4001",
        "--stop-time=8",
        "--log=trace",
        "--log-format=json",
        "--max-io=64K",
        "--state-dir=state",
        "--memory=2M",
        "--callback-dial=none",
        "--driver=threads",
        "--metrics=127.0.0.1:9100",
        "--record=server.log",
        "--server-address=192.0.2.7",
        "--server-address=files.example",
        "--admin=[::1]:9",
        "--admin-socket=admin.sock",
        "--admin-socket-mode=0660",
        "--admin-token-file=token",
    ])
    .unwrap();
    assert_eq!(
        cli.settings(Given::default(), GivenExports::default()),
        Settings {
            listen: "[::1]:4000".parse().unwrap(),
            also_listen: vec!["127.0.0.1:4001".parse().unwrap()],
            stop: Duration::from_secs(8),
            memory: Size(2 << 20),
            callback_dial: CallbackDial::None,
            driver: Driver::Threads,
            metrics: Some("127.0.0.1:9100".parse().unwrap()),
            record: Some("server.log".into()),
            server_addresses: vec![
                Reach::Ip("192.0.2.7".parse().unwrap(), None),
                Reach::Name("files.example".to_owned()),
            ],
            administration: Administration {
                listen: AdminListen::At("[::1]:9".parse().unwrap()),
                socket: Some("admin.sock".into()),
                socket_mode: 0o660,
                token_file: Some("token".into()),
            },
            max_io: 64 << 10,
            state_dir: Some("state".into()),
            exports: GivenExports::default(),
            protocol: Given::default(),
        }
    );
    assert_eq!(cli.log(), (tracing::Level::TRACE, Format::Json));
}

#[test]
fn a_wrong_value_is_explained() {
    for (argument, part) in [
        ("--listen=localhost:2049", "host names are not accepted"),
        ("--listen=127.0.0.1:99999", "a port up to 65535"),
        ("--metrics=9100", "an IP address and a port"),
        ("--lease-time=0", "from 1 to 3600"),
        ("--grace-time=3601", "from 0 to 3600"),
        ("--stop-time=3601", "from 0 to 3600"),
        (
            "--log=loud",
            "possible values: error, warn, info, debug, trace",
        ),
        (
            "--driver=uring",
            "possible values: tokio, threads, async-std",
        ),
        (
            "--callback-dial=some",
            "possible values: same-host, none, any",
        ),
        ("--admin=20491", "an IP address and a port"),
        ("--admin-socket-mode=0999", "in octal digits"),
        ("--admin-socket-mode=01777", "in octal digits"),
        ("--max-io=1K", "from 4K to 16M"),
        ("--max-io=17M", "from 4K to 16M"),
        ("--max-clients=-1", "a whole number from 1 to 65536"),
        ("--delegations=on", "possible values: true, false"),
        (
            "--v4-binding-policy=none",
            "possible values: exclusive, shared",
        ),
        ("--blocked-operations=OPEN,OPENATR", "OPENATTR is one"),
        ("--memory=lots", "512M or 2G"),
        ("--memory=1K", "from 1M to 16777215T"),
        ("--memory=99999999999999G", "from 1M to 16777215T"),
        ("--stop-time=soon", "as in 10"),
        (
            "--server-address=1.2.3.4:99999",
            "its port is not a number from 1 to 65535",
        ),
        ("--server-address=files.example:1", "takes no port"),
        (
            "--server-address=0.0.0.0",
            "it is not the address of one host",
        ),
    ] {
        let message = parse(&[argument]).unwrap_err();
        assert!(message.contains(part), "{argument}: {message}");
        let (flag, value) = argument.split_once('=').expect("a flag and a value");
        assert!(
            message.contains(flag) && message.contains(value),
            "{message}"
        );
    }
}

#[test]
fn as_many_server_addresses_are_accepted_as_the_engine_serves() {
    let arguments: Vec<String> = (1..=17)
        .map(|host| format!("--server-address=192.0.2.{host}"))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let most = parse(&arguments[..16]).unwrap();
    assert_eq!(Conflict::all(&most), []);
    let engine = |cli: &Cli| {
        cli.settings(Given::default(), GivenExports::default())
            .engine()
    };
    assert_eq!(engine(&most).validate(), Ok(()));
    let more = parse(&arguments).unwrap();
    assert!(engine(&more).validate().is_err());
    let message = "--server-address 192.0.2.17 is one too many; expected at most 16";
    assert_eq!(told(&more).as_deref(), Some(message));
}

#[test]
fn flags_that_contradict_each_other_are_named_as_they_were_written() {
    for (arguments, message) in [
        (
            ["--listen=127.0.0.1:1", "--listen=127.0.0.1:1"],
            "--listen 127.0.0.1:1 is given twice",
        ),
        (
            ["--server-address=192.0.2.7", "--server-address=192.0.2.7"],
            "--server-address 192.0.2.7 is given twice",
        ),
        (
            [
                "--server-address=[2001:db8::7]",
                "--server-address=[2001:db8::7]:20490",
            ],
            "--server-address [2001:db8::7]:20490 is given twice",
        ),
        (
            ["--server-address=a.example", "--server-address=A.Example"],
            "--server-address A.Example is given twice",
        ),
        (
            ["--listen=127.0.0.1:9100", "--metrics=127.0.0.1:9100"],
            "--metrics 127.0.0.1:9100 is also an address of --listen; metrics need a port of their own",
        ),
        (
            ["--admin=127.0.0.1:9100", "--metrics=127.0.0.1:9100"],
            "--admin 127.0.0.1:9100 is also an address of --metrics; administration needs a port of its own",
        ),
        (
            ["--admin=127.0.0.1:20490", "--metrics=127.0.0.1:9100"],
            "--admin 127.0.0.1:20490 is also an address of --listen; administration needs a port of its own",
        ),
    ] {
        let conflict = told(&parse(&arguments).unwrap());
        assert_eq!(conflict.as_deref(), Some(message));
    }
    let many = [
        "--listen=127.0.0.1:1",
        "--listen=127.0.0.1:1",
        "--listen=127.0.0.1:2",
        "--listen=127.0.0.1:2",
        "--metrics=127.0.0.1:2",
    ];
    let all = Conflict::all(&parse(&many).unwrap());
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    let expected = [
        "--listen 127.0.0.1:1 is given twice",
        "--listen 127.0.0.1:2 is given twice",
        "--metrics 127.0.0.1:2 is also an address of --listen; metrics need a port of their own",
    ];
    assert_eq!(all, expected, "the first hides no other one");
    let none = parse(&["--admin=none"]).unwrap();
    assert_eq!(none.admin.settings().listen, AdminListen::Nowhere);
    for arguments in [
        ["--admin=127.0.0.1:0", "--listen=127.0.0.1:0"],
        ["--listen=127.0.0.1:0", "--listen=127.0.0.1:0"],
        ["--server-address=192.0.2.7", "--server-address=192.0.2.7:1"],
    ] {
        assert_eq!(told(&parse(&arguments).unwrap()), None);
    }
}

#[test]
fn every_protocol_setting_is_a_flag() {
    let mut line = Vec::new();
    let mut expected = SettingsPatch::default();
    for setting in nfs4_admin::SETTINGS {
        let text = match setting.name {
            "delegations" => "false",
            "v4_binding_policy" => "shared",
            "blocked_operations" => "OPENATTR,CREATE",
            "v4_min_minor_version" => "1",
            "max_operations" | "max_states" => "20",
            "max_cached_reply" | "max_reply_cache" => "600",
            "callback_timeout_ms" => "70",
            _ => "2",
        };
        crate::settings::read(setting.name, text, &mut expected).unwrap();
        line.push(format!("--{}={text}", setting.name.replace('_', "-")));
    }
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    assert_eq!(parse(&line).unwrap().protocol.0, expected);
    let given = parse(&["--lease-time", "90"]).unwrap().protocol.0;
    assert_eq!(
        given.names(),
        ["lease_time"],
        "a default that is given is given"
    );
}
