//! Configuration files, right and wrong.

use std::fs;
use std::path::Path;

use super::file::ConfigFile;
use super::line::Line;
use super::schema::{self, Key};
use super::*;

fn told(text: &str) -> Vec<String> {
    let faults = ConfigFile::parse(Path::new("f.toml"), text).err();
    let faults = faults.unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn cli(text: &str) -> Cli {
    let file = ConfigFile::parse(Path::new("f.toml"), text);
    file.unwrap_or_else(|faults| panic!("{faults:?}")).cli
}

fn keys() -> Vec<Key> {
    schema::keys(&<Cli as clap::CommandFactory>::command())
}

#[test]
fn a_file_says_what_flags_say() {
    let file = cli(
        "[server]\nlisten = [\"[::1]:4000\", \"127.0.0.1:4001\"]\nstop_time = 8\nmemory = \"2M\"\n\
         driver = \"threads\"\nserver_addresses = [\"files.example\"]\nmax_io = 65_536\n\
         [protocol]\nlease_time = 0x14\ndelegations = false\nblocked_operations = [\"openattr\", \"CREATE\"]\n\
         v4_binding_policy = \"shared\"\n[log]\nlevel = \"debug\"\n",
    );
    let line = Line::parse([
        "nfs4d",
        "--listen=[::1]:4000",
        "--listen=127.0.0.1:4001",
        "--stop-time=8",
        "--memory=2M",
        "--driver=threads",
        "--server-address=files.example",
        "--max-io=64K",
        "--lease-time=20",
        "--delegations=false",
        "--blocked-operations=CREATE,OPENATTR",
        "--v4-binding-policy=shared",
        "--log=debug",
    ]);
    let line = line.unwrap().cli;
    assert_eq!(
        file.settings(Given::default(), GivenExports::default()),
        line.settings(Given::default(), GivenExports::default())
    );
    assert_eq!(file.protocol.0, line.protocol.0);
    assert_eq!(file.log(), line.log());
}

#[test]
fn all_faults_are_told_with_their_lines() {
    let text = "[server]\nlisten = \"localhost\"\nstop_time = 3601\nlisen = \"127.0.0.1:1\"\n\
                lease_time = 5\n\n[protocol]\nlease_time = 0\ngrace_time = -5\nmax_clients = \"x\"\n\
                drain_time = [5]\ndelegations = 1\nblocked_operations = [\"OPENATTR\", \"OPENATR\"]\n\
                v4_session_slots = { }\ncallback_pause_ms = 1.5\n[protocoll]\nlease_time = 5\n\
                [log]\nlevel = \"loud\"\n[[exports]]\npath = \"/\"\n[quota]\n";
    let expected = [
        "f.toml:2: server.listen is \"localhost\"; expected an IP address and a port up to 65535, as in \
         127.0.0.1:20490 or [::1]:20490; host names are not accepted",
        "f.toml:3: server.stop_time is 3601; expected a whole number of seconds from 0 to 3600 without a \
         unit, as in 10",
        "f.toml:4: server.\"lisen\": there is no such key; listen is one",
        "f.toml:5: server.\"lease_time\": there is no such key; it belongs to the table [protocol]",
        "f.toml:8: protocol.lease_time is 0; expected a whole number of seconds from 1 to 3600 without a \
         unit, as in 90",
        "f.toml:9: protocol.grace_time is -5; expected a whole number of seconds from 0 to 3600 without a \
         unit, as in 0",
        "f.toml:10: protocol.max_clients is \"x\"; expected a whole number from 1 to 65536, as in 16384",
        "f.toml:11: protocol.drain_time: expected one value and no array",
        "f.toml:12: protocol.delegations is 1; expected one of true, false",
        "f.toml:13: protocol.blocked_operations is \"OPENATR\"; expected names of operations of NFSv4, and \
         \"OPENATR\" is none; OPENATTR is one",
        "f.toml:14: protocol.v4_session_slots: expected a value",
        "f.toml:15: protocol.callback_pause_ms is 1.5; expected a whole number of milliseconds from 1 to \
         600000 without a unit, as in 5000",
        "f.toml:16: \"protocoll\": there is no such table; [protocol] is one",
        "f.toml:19: log.level is \"loud\"; expected one of error, warn, info, debug, trace",
        "f.toml:20: \"exports\": there is no such table; [[export]] is one",
        "f.toml:22: \"quota\": there is no such table; the tables are admin, export, log, protocol, server",
    ];
    let told = told(text);
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.len(), expected.len());
}

/// What a flag would accept as text may mean something else in TOML: 0o660 is 432, which is the mode 0432.
#[test]
fn a_value_is_written_as_its_kind() {
    let told = told(
        "[server]\nstop_time = \"8\"\nmemory = \"2M\"\nmax_io = \"65536\"\nstate_dir = true\n\
         server_addresses = [2020-01-01]\nrecord = 7\n\
         [protocol]\nlease_time = \"30\"\ndelegations = \"true\"\n\
         [admin]\nsocket_mode = 0o660\ntoken_file = 1.5\n",
    );
    let expected = [
        "f.toml:2: server.stop_time is \"8\"; expected a number without quotes",
        "f.toml:5: server.state_dir is true; expected a text in quotes",
        "f.toml:6: server.server_addresses is 2020-01-01; expected a text in quotes",
        "f.toml:7: server.record is 7; expected a text in quotes",
        "f.toml:9: protocol.lease_time is \"30\"; expected a number without quotes",
        "f.toml:10: protocol.delegations is \"true\"; expected true or false without quotes",
        "f.toml:12: admin.socket_mode is 0o660; expected the mode of a file in octal digits and in quotes, as in \
         \"0600\" or \"0660\"",
        "f.toml:13: admin.token_file is 1.5; expected a text in quotes",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_no_toml_is_told_with_its_line_and_the_rest_is_looked_at() {
    let faults = told("[server]\nstop_time = \n\n[protocol]\nlease_time = 0\n");
    assert!(faults[0].starts_with("f.toml:2: "), "{faults:?}");
    assert!(
        faults
            .iter()
            .any(|line| line.starts_with("f.toml:5: protocol.lease_time is 0")),
        "{faults:?}"
    );
    let twice = told("[protocol]\nlease_time = 5\nlease_time = 6\n");
    assert_eq!(twice[0], "f.toml:3: \"lease_time\" is given twice");
}

/// No message has a blank in the place of the value, and none repeats what another has said.
#[test]
fn a_value_that_is_no_toml_is_told_once_and_as_it_is_written() {
    for (text, expected) in [
        (
            "[admin]\nsocket_mode = 0600\n",
            "2: unexpected leading zero in \"socket_mode = 0600\"; a number has none, and what is no number has \
             quotes, as in socket_mode = \"0600\"",
        ),
        (
            "[admin]\nsocket_mode = 0o600\n",
            "2: admin.socket_mode is 0o600; expected the mode of a file in octal digits and in quotes, as in \
             \"0600\" or \"0660\"",
        ),
        (
            "[admin]\nsocket_mode = 600\n",
            "2: admin.socket_mode is 600; expected the mode of a file in octal digits and in quotes, as in \
             \"0600\" or \"0660\"",
        ),
        (
            "[server]\nlisten = 127.0.0.1:1\n",
            "2: invalid float in \"listen = 127.0.0.1:1\"",
        ),
        (
            "[server]\nstate_dir = \"\"\n",
            "2: server.state_dir is \"\"; expected a text that is not empty",
        ),
        (
            "[protocol]\nlease_time = 0x0\n",
            "2: protocol.lease_time is 0x0; expected a whole number of seconds from 1 to 3600 without a unit, as in \
             90",
        ),
        (
            "[Server]\nstop_time = 5\n",
            "1: \"Server\": there is no such table; [server] is one",
        ),
        (
            "[server]\nSTOP_TIME = 5\n",
            "2: server.\"STOP_TIME\": there is no such key; stop_time is one",
        ),
        (
            "[server]\nexport = \"/srv\"\n",
            "2: server.\"export\": there is no such key; tables [[export]] say what is served",
        ),
    ] {
        assert_eq!(told(text), [format!("f.toml:{expected}")]);
    }
    // The unit is the fault, and not the quotes.
    let told = told("[protocol]\nlease_time = 30s\n");
    let lines: Vec<bool> = told
        .iter()
        .map(|line| line.starts_with("f.toml:2: "))
        .collect();
    assert_eq!(lines, [true, true], "{told:?}");
    assert!(told[0].contains("without a unit"), "{told:?}");
    assert!(told.iter().all(|line| !line.contains(" is ;")), "{told:?}");
}

#[test]
fn keys_that_contradict_each_other_are_told_with_their_lines() {
    for (text, expected) in [
        (
            "[protocol]\nv4_min_minor_version = 2\nv4_max_minor_version = 1\n",
            "f.toml:3: protocol.v4_max_minor_version is 1, but must be from 2 to 2, since \
             v4_min_minor_version is 2",
        ),
        (
            "[server]\n\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:1\"]\n",
            "f.toml:3: server.listen 127.0.0.1:1 is given twice",
        ),
        (
            "[server]\nlisten = []\n",
            "f.toml:2: server.listen: expected one value at least",
        ),
        (
            "lease_time = 5\n",
            "f.toml:1: \"lease_time\": there is no such key outside of tables; it belongs to the table [protocol]",
        ),
        (
            "server = 5\n",
            "f.toml:1: server: expected a table [server]",
        ),
    ] {
        assert_eq!(told(text), [expected]);
    }
}

#[test]
fn the_command_line_goes_before_the_file() {
    let text = "[server]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nstop_time = 8\n\
                [protocol]\nlease_time = 20\ngrace_time = 7\nblocked_operations = []\n";
    let file = ConfigFile::parse(Path::new("f.toml"), text).unwrap();
    let line = ["nfs4d", "--listen=127.0.0.1:3", "--lease-time", "30"];
    let merged = Line::parse(line).unwrap().merge(Some(&file)).unwrap();
    let settings = merged.cli.settings(merged.protocol, merged.exports);
    assert_eq!(settings.listen, "127.0.0.1:3".parse().unwrap());
    assert!(settings.also_listen.is_empty());
    assert_eq!(settings.stop, Duration::from_secs(8));
    let Given { file, line } = settings.protocol;
    assert_eq!(
        (file.lease_time, file.grace_time, line.lease_time),
        (Some(20), Some(7), Some(30))
    );
    assert_eq!(
        file.blocked_operations,
        Some(Vec::new()),
        "an empty list is a value"
    );
    assert_eq!(line.names(), ["lease_time"]);
}

/// The example, with each of its keys as if it were not commented out.
fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/nfs4d.toml");
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|first: char| first.is_ascii_lowercase()) => key.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/nfs4d.toml");
    let commented = ConfigFile::read(&path).unwrap();
    assert!(
        commented.flags.is_empty(),
        "as it is, it says nothing: {:?}",
        commented.flags
    );
    let example = example();
    let file = ConfigFile::parse(&path, &example).unwrap_or_else(|faults| panic!("{faults:?}"));
    let missing = keys()
        .into_iter()
        .filter(|key| !file.flags.contains_key(&key.id));
    let missing: Vec<String> = missing
        .map(|key| format!("{}.{}", key.table, key.name))
        .collect();
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "keys that are not in the example"
    );
    let command = <Cli as clap::CommandFactory>::command();
    for flag in command.get_arguments() {
        let default: Vec<&str> = flag
            .get_default_values()
            .iter()
            .filter_map(|text| text.to_str())
            .collect();
        // A key without a default has an example of a value.
        if let Some(given) = file.flags.get(flag.get_id().as_str())
            && !default.is_empty()
        {
            assert_eq!(*given, default, "{}", flag.get_id());
        }
    }
    let defaults = crate::settings::defaults();
    let protocol = file.cli.protocol.0;
    assert_eq!(protocol.applied_to(Default::default()), defaults);
}

#[test]
fn flags_that_contradict_each_other_are_told_beside_other_faults() {
    let text = "[server]\nlisten = [\"127.0.0.1:7\", \"127.0.0.1:7\"]\nmetrics = \"127.0.0.1:7\"\nstop_time = -1\n";
    let faults = told(text);
    let lines: Vec<&str> = faults.iter().map(|fault| &fault[..8]).collect();
    assert_eq!(lines, ["f.toml:2", "f.toml:3", "f.toml:4"], "{faults:?}");
}

#[test]
fn a_token_that_must_come_from_the_environment_is_told() {
    let needs = |admin: &str| {
        let text = format!("[admin]\n{admin}\n");
        ConfigFile::parse(Path::new("f.toml"), &text)
            .map(|file| check::note(&file))
            .unwrap()
    };
    let needed = needs("listen = \"192.0.2.1:20491\"").unwrap();
    assert!(needed.contains("192.0.2.1:20491") && needed.contains("NFS4D_ADMIN_TOKEN"));
    assert_eq!(needs("listen = \"[::1]:20491\""), None);
    assert_eq!(needs("listen = \"192.0.2.1:1\"\ntoken_file = \"/t\""), None);
}

#[test]
fn very_many_faults_are_cut_short() {
    let text: String = (0..10_000).map(|number| format!("a{number}=1\n")).collect();
    let told = told(&format!("[protocol]\n{text}"));
    assert_eq!(told.len(), 101);
    assert!(told[0].starts_with("f.toml:2: "), "{}", told[0]);
    assert!(told[99].starts_with("f.toml:101: "), "{}", told[99]);
    assert_eq!(
        told[100],
        "f.toml:101: 9900 more faults come after this one"
    );
    let long = format!("{} = 1\n", "x".repeat(1 << 19));
    for text in [format!("[log]\n{long}"), long] {
        let faults = self::told(&text);
        assert!(faults.iter().all(|fault| fault.len() < 300));
        assert_eq!(faults.len(), 1);
    }
    let list = "\"127.0.0.1:1\",".repeat(60_000);
    assert_eq!(
        self::told(&format!("[server]\nlisten = [{list}]\n")),
        ["f.toml:2: server.listen: expected 256 values at most"]
    );
}
