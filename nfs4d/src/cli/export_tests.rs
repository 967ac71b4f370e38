//! Exports of configuration files and of the command line.

use std::path::Path;

use nfs4_admin::{ExportBackend, ExportNetwork, ExportSource, Security, Squash};

use super::file::ConfigFile;
use super::line::Line;
use super::*;
use crate::size::Size;

fn told(text: &str) -> Vec<String> {
    let faults = ConfigFile::parse(Path::new("f.toml"), text).err();
    let faults = faults.unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn file(text: &str) -> ConfigFile {
    ConfigFile::parse(Path::new("f.toml"), text).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn merged(arguments: &[&str], text: &str) -> Result<GivenExports, String> {
    let line = Line::parse([&["nfs4d"], arguments].concat()).map_err(|why| why.to_string())?;
    let merged = line.merge(Some(&file(text)));
    merged
        .map(|merged| merged.exports)
        .map_err(|wrong| wrong.join("\n"))
}

#[test]
fn a_table_gives_all_options_of_an_export() {
    let text = "[[export]]\npath = \"/srv/data/\"\npseudo = \"/data\"\nbackend = \"local\"\nread_only = true\n\
                squash = \"all\"\nanonymous_uid = 99\nanonymous_gid = 100\nminor_versions = [2, 1]\n\
                networks = [\"192.0.2.0/24\", { network = \"2001:db8::/32\", read_only = false, squash = \"none\" }]\n\
                sec = [\"sys\", \"none\"]\ncross_mounts = true\nlocal_locks = true\n\
                [[export]]\npseudo = \"/scratch\"\nbackend = \"memory\"\nmemory = \"64M\"\n";
    let exports = file(text).exports;
    let [data, scratch] = &exports[..] else {
        panic!("{exports:?}")
    };
    let mut other = ExportNetwork::new("2001:db8::/32");
    other.read_only = Some(false);
    other.squash = Some(Squash::None);
    let expected = ExportOptions {
        path: Some("/srv/data".to_owned()),
        pseudo: Some("/data".to_owned()),
        backend: Some(ExportBackend::Local),
        read_only: Some(true),
        squash: Some(Squash::All),
        anonymous_uid: Some(99),
        anonymous_gid: Some(100),
        minor_versions: Some(vec![1, 2]),
        networks: Some(vec![ExportNetwork::new("192.0.2.0/24"), other]),
        sec: Some(vec![Security::Sys, Security::None]),
        cross_mounts: Some(true),
        local_locks: Some(true),
        memory: None,
    };
    assert_eq!(data.options, expected);
    assert_eq!((data.line, scratch.line), (2, 14));
    let given = GivenExports {
        file: vec![scratch.options.clone()],
        line: Vec::new(),
    };
    let entries = given.entries(Size(1 << 30)).unwrap();
    assert_eq!(entries[0].pseudo, "/scratch");
    assert_eq!(entries[0].rules.squash, Squash::None, "memory has no root");
}

#[test]
fn all_faults_of_exports_are_told_with_their_lines() {
    let text = "[[export]]\npath = \"srv\"\nsquash = \"rot\"\nread_only = 1\nanonymous_uid = -1\n\
                anonymous_gid = 4294967295\nnetworks = []\nminor_versions = [0, 2]\nsec = [\"krb5\"]\n\
                cross_mount = true\nbackend = \"s3\"\npseudo = \"/a/../b\"\nmemory = \"1K\"\n\
                [[export]]\npath = 5\nnetworks = [\"192.0.2.7/24\",\n\"192.0.2.0/24\", \"host\"]\n\
                minor_versions = [3]\nsec = [\"sys\", \"sys\"]\n\
                [[export]]\nnetworks = [{ read_only = true }]\n\
                [[export]]\nnetworks = [{ network = \"::/0\", squah = \"all\" }]\n\
                [[export]]\nnetworks = [\"::1\", { network = \"::1/128\" }]\n";
    let expected = [
        "2: export.path is \"srv\"; expected an absolute path, as in \"/srv/data\"",
        "3: export.squash is \"rot\"; expected none, root or all",
        "4: export.read_only is 1; expected true or false",
        "5: export.anonymous_uid is -1; expected the number of a user or a group, from 0 to 4294967294",
        "6: export.anonymous_gid is 4294967295; expected the number of a user or a group, from 0 to 4294967294",
        "7: export.networks expected one value at least; without it there is no restriction",
        "8: export.minor_versions leaves one out; expected versions that follow each other, as in [1, 2]",
        "9: export.sec is \"krb5\"; expected sys or none; Kerberos is not implemented",
        "10: export.\"cross_mount\": there is no such option; cross_mounts is one",
        "11: export.backend is \"s3\"; expected local or memory",
        "12: export.pseudo is \"/a/../b\"; expected an absolute path without .., as in \"/srv/data\"",
        "13: export.memory is \"1K\"; expected a size from 1M to 16777215T, as in \"512M\" or \"2G\"",
        "15: export.path is 5; expected an absolute path, as in \"/srv/data\"",
        "16: export.networks is \"192.0.2.7/24\", which has bits after its prefix: the network is \
         192.0.2.0/24",
        "17: export.networks is \"host\"; expected a network, as in \"192.0.2.0/24\" or \"2001:db8::/32\"; host \
         names are not accepted",
        "18: export.minor_versions is 3; expected 0, 1 or 2",
        "19: export.sec \"sys\" is given twice",
        "21: export.networks.network is missing: expected { network = \"192.0.2.0/24\", … }",
        "23: export.networks.\"squah\": there is no such option; squash is one",
        "25: export.networks ::1/128 is given twice",
    ];
    let told = told(text);
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(told, &format!("f.toml:{expected}"));
    }
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (text, expected) in [
        (
            "export = 5\n",
            "f.toml:1: export: expected tables [[export]], with two brackets",
        ),
        (
            "[export]\npath = \"/\"\n",
            "f.toml:1: export: expected tables [[export]], with two brackets",
        ),
        ("export = [1]\n", "f.toml:1: export: expected a table"),
    ] {
        assert_eq!(self::told(text), [expected]);
    }
}

/// The first fault of a list, or of an option, hides no other one.
#[test]
fn every_wrong_value_of_a_list_is_told() {
    let text = "[[export]]\npath = \"/a\"\nnetworks = [\"x\", { network = \"y\", squash = \"z\" }, \"10.0.0.1/8\",\n\
                \"10.0.0.0/33\", \"::1\", \"::1\", \"::1\"]\nsec = [\"krb5\", \"sys\", \"sys\", \"krb5p\"]\n\
                minor_versions = [3, 1, 4, 1]\n\
                [[export]]\nbackend = \"memory\"\ncross_mounts = true\nlocal_locks = true\nmemory = 5\n\
                [[export]]\npath = \"/b\"\nnetworks = \"::/0\"\nsec = \"sys\"\nminor_versions = 1\n";
    let told = told(text);
    let starts = [
        "3: export.networks is \"x\"",
        "3: export.networks is \"10.0.0.1/8\"",
        "3: export.networks.network is \"y\"",
        "3: export.networks.squash is \"z\"",
        "4: export.networks is \"10.0.0.0/33\"",
        "4: export.networks ::1/128 is given twice",
        "4: export.networks ::1/128 is given twice",
        "5: export.sec \"sys\" is given twice",
        "5: export.sec is \"krb5\"",
        "5: export.sec is \"krb5p\"",
        "6: export.minor_versions 1 is given twice",
        "6: export.minor_versions is 3",
        "6: export.minor_versions is 4",
        "11: export.memory is 5; expected a size",
        "14: export.networks is \"::/0\"; expected a list, as in [\"192.0.2.0/24\"]",
        "15: export.sec is \"sys\"; expected a list, as in [\"sys\"]",
        "16: export.minor_versions is 1; expected a list, as in [1, 2]",
    ];
    for start in starts {
        let start = format!("f.toml:{start}");
        assert!(
            told.iter().any(|one| one.starts_with(&start)),
            "{start}: {told:#?}"
        );
    }
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    let memory =
        file("[[export]]\nbackend = \"memory\"\npseudo = \"/m\"\nmemory = 16777216\n").exports;
    assert_eq!(
        memory[0].options.memory.as_deref(),
        Some("16777216"),
        "a number of bytes"
    );
}

#[test]
fn exports_that_stand_against_each_other_are_told_with_their_lines() {
    for (text, expected) in [
        (
            "[[export]]\n",
            "1: export.path is missing: which directory is served?",
        ),
        (
            "[[export]]\npath = \"/a\"\nmemory = \"1M\"\n",
            "3: export.memory is for the backend memory: a directory has the size of its disk",
        ),
        (
            "[[export]]\nbackend = \"memory\"\n",
            "1: export.pseudo is missing: at which path do clients find the files in memory?",
        ),
        (
            "[[export]]\nbackend = \"memory\"\npseudo = \"/m\"\npath = \"/a\"\n",
            "4: export.path is for the backend local: memory has no directory",
        ),
        (
            "[[export]]\npath = \"/a\"\n[[export]]\npseudo = \"/b\"\npath = \"/a\"\n",
            "5: export.path is \"/a\", which is that of another export: a file would have two names, and opens \
             and locks of the one would not conflict with those of the other",
        ),
        (
            "[[export]]\npath = \"/a\"\n[[export]]\npath = \"/a/b\"\n",
            "4: export.path is \"/a/b\", which lies within \"/a\" of another export: a file would have two names, \
             and opens and locks of the one would not conflict with those of the other",
        ),
        (
            "[[export]]\npath = \"/a\"\npseudo = \"/x/y\"\n[[export]]\npath = \"/b\"\npseudo = \"/x\"\n",
            "6: export.pseudo is \"/x\", within which is \"/x/y\" of another export, and no export lies within \
             another: give one of the two another pseudo",
        ),
        (
            "[[export]]\npath = \"/a\"\n[[export]]\npath = \"/b\"\npseudo = \"/\"\n",
            "5: export.pseudo is \"/\", within which is \"/a\" of another export, and no export lies within \
             another: give one of the two another pseudo",
        ),
    ] {
        assert_eq!(told(text), [format!("f.toml:{expected}")]);
    }
    let many: String = (0..1_030)
        .map(|number| format!("[[export]]\npath = \"/{number}\"\n"))
        .collect();
    assert_eq!(
        told(&many),
        ["f.toml:2050: export.path is one export too many; there are 1024 at most"]
    );
}

#[test]
fn directories_of_the_command_line_are_served_beside_those_of_the_file() {
    let single = merged(&["--export", "/srv/data"], "").unwrap();
    let entries = single.entries(Size(1 << 30)).unwrap();
    assert_eq!(entries[0].pseudo, "/", "there is no other");
    assert_eq!(entries[0].source, ExportSource::CommandLine);
    assert_eq!(entries[0].rules.squash, Squash::Root);
    let text = "[[export]]\npath = \"/srv/b\"\n";
    let both = merged(&["--export", "/srv/a/"], text).unwrap();
    let entries = both.entries(Size(1 << 30)).unwrap();
    let paths: Vec<&str> = entries.iter().map(|entry| entry.pseudo.as_str()).collect();
    assert_eq!(paths, ["/srv/b", "/srv/a"]);
    let here = merged(&["--export", "."], "").unwrap();
    let here = here.line[0].path.clone().unwrap();
    assert_eq!(Path::new(&here), std::env::current_dir().unwrap());
    for (arguments, part) in [
        (
            &["--export", "/srv/b/c"][..],
            "--export is \"/srv/b/c\", which lies within \"/srv/b\"",
        ),
        (&["--export", "/srv/b"], "which is that of another export"),
        (
            &["--export", "/x", "--export", "/x"],
            "which is that of another export",
        ),
        (&["--export", "/srv/../x"], "without .."),
        (&["--export", ""], "expected a directory"),
        (
            &["--export", "/srv/b", "--export", "/x", "--export", "/x/y"],
            "--export is \"/x/y\", which lies within \"/x\"",
        ),
    ] {
        let why = merged(arguments, text).unwrap_err();
        assert!(why.contains(part), "{part}: {why}");
    }
}

#[test]
fn a_directory_that_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = std::ffi::OsString::from_vec(b"/srv/\xff".to_vec());
    let why = Line::parse(["nfs4d".into(), "--export".into(), path]).unwrap_err();
    assert!(why.to_string().contains("UTF-8"), "{why}");
}
