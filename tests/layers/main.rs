//! The layers of the house, checked: which file may import which, and what may be named where.
//!
//! Rules about crates read `cargo metadata`; rules about sources read their tokens, so comments,
//! strings and `cfg(test)` code do not count. Every rule is a function over data that returns
//! faults, and has a test that feeds it a violation.

mod graph;
mod imports;
mod logs;
mod patches;
mod repository;
mod source;
mod storeys;
mod tokens;
mod variants;
mod words;

use imports::Imports;
use nfs4_tests::docs;
use repository::Repository;
use tokens::Scan;

#[test]
fn every_page_is_in_the_summary_and_no_link_is_dead() {
    let pages = docs::pages();
    let summary = pages.iter().find(|page| page.name() == "SUMMARY.md");
    let listed = summary.expect("docs/SUMMARY.md is there").links();
    let unlisted = pages.iter().map(docs::Page::name);
    let unlisted = unlisted
        .filter(|name| !["SUMMARY.md", "README.md"].contains(name) && !listed.contains(name));
    let mut faults: Vec<String> = unlisted
        .map(|name| format!("{name} is not in SUMMARY.md"))
        .collect();
    faults.extend(pages.iter().flat_map(docs::Page::dead_links));
    assert_clean(&faults);
}

#[test]
fn crates_import_only_what_the_layers_allow() {
    assert_clean(&graph::imports(&Repository::open().packages()));
}

#[test]
fn the_fence_depends_on_nothing_that_brings_std() {
    assert_clean(&graph::fence(&Repository::open().packages()));
}

#[test]
fn all_crates_share_version_edition_and_licence() {
    assert_clean(&graph::common_header(&Repository::open().packages()));
}

#[test]
fn the_fence_is_no_std_and_forbids_unsafe_code() {
    let repository = Repository::open();
    for name in graph::FENCED {
        let root = repository.library_root(name);
        assert_clean(&source::fence_header(&root.path, &root.scan()));
    }
}

#[test]
fn the_fence_never_names_std() {
    let repository = Repository::open();
    for name in graph::FENCED {
        let sources = repository.sources_without_tests(name);
        assert!(!sources.is_empty(), "found no source of {name}");
        for (path, scan) in &sources {
            assert_clean(&source::names_std(path, scan));
        }
    }
}

#[test]
fn transports_name_nothing_of_the_protocol() {
    let repository = Repository::open();
    for name in graph::TRANSPORTS {
        for (path, scan) in &repository.sources_without_tests(name) {
            assert_clean(&source::names_protocol(path, scan));
        }
    }
}

#[test]
fn driver_and_file_systems_hold_neither_sockets_nor_a_runtime() {
    let repository = Repository::open();
    for name in ["nfs4-driver", "nfs4-vfs"] {
        for (path, scan) in &repository.sources_without_tests(name) {
            assert_clean(&source::names_sockets(path, scan));
        }
    }
}

#[test]
fn file_systems_hold_no_protocol_state() {
    for (path, scan) in &Repository::open().sources_without_tests("nfs4-vfs") {
        assert_clean(&source::names_protocol_state(path, scan));
    }
}

#[test]
fn the_engine_has_one_kind_of_map() {
    for (path, scan) in &Repository::open().sources_without_tests("nfs4-engine") {
        assert_clean(&source::names_bare_maps(path, scan));
    }
}

#[test]
fn the_engine_imports_only_downwards() {
    let imports = imports_of(&Repository::open(), "nfs4-engine");
    assert!(!imports.edges.is_empty(), "found no import");
    assert_clean(&storeys::upward(&imports, &storeys::ENGINE));
}

#[test]
fn no_crate_has_a_loop_of_imports() {
    let repository = Repository::open();
    let mut faults = Vec::new();
    for package in repository.packages() {
        let imports = imports_of(&repository, &package.name);
        faults.extend(storeys::loops(&package.name, &imports, &storeys::LOOPS));
    }
    assert_clean(&faults);
}

#[test]
fn comments_name_their_subject() {
    let repository = Repository::open();
    let mut found = Vec::new();
    for file in repository.all_sources() {
        found.extend(words::persons(&file.path, &file.text));
    }
    let shown = found
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n  ");
    assert!(
        found.len() <= words::MOST,
        "{} words stand for a party without a name:\n  {shown}",
        found.len()
    );
}

#[test]
fn every_line_that_an_operator_must_know_is_explained() {
    const LOGGING: [&str; 5] = [
        "nfs4d/src/",
        "nfs4-driver/src/",
        "transport-memory/src/",
        "transport-std/src/",
        "transport-tokio/src/",
    ];
    let repository = Repository::open();
    let mut logged = std::collections::BTreeMap::new();
    for file in repository.all_sources() {
        if LOGGING.iter().any(|folder| file.path.starts_with(folder)) {
            logs::logged(&file.path, &file.text, &mut logged);
        }
    }
    assert!(logged.len() > 20, "found {} lines", logged.len());
    let page = repository.text(logs::PAGE).unwrap_or_default();
    assert_clean(&logs::differences(&logged, &logs::explained(&page)));
}

#[test]
fn matches_on_what_may_grow_name_every_variant() {
    let repository = Repository::open();
    let scan = |path: &str| {
        let text = repository.text(path);
        Scan::parse(path, &text.unwrap_or_else(|| panic!("there is no {path}")))
    };
    for known in &variants::MATCHES {
        let (declared, file) = (scan(known.declared), scan(known.file));
        assert_clean(&variants::forgotten(known, &declared, &file));
    }
}

#[test]
fn nothing_is_left_to_do_in_shipped_code() {
    let repository = Repository::open();
    for package in repository.packages() {
        for (path, scan) in &repository.sources_without_tests(&package.name) {
            assert_clean(&source::unfinished(path, scan));
        }
    }
}

#[test]
fn every_fault_that_properties_must_find_can_be_made() {
    let repository = Repository::open();
    let patches = repository.texts("tests/faults", "patch");
    assert!(!patches.is_empty(), "found no patch");
    for patch in patches {
        let read = |path: &str| repository.text(path);
        assert_clean(&patches::misfits(&patch.path, &patch.text, read));
    }
}

fn imports_of(repository: &Repository, package: &str) -> Imports {
    let root = repository.source_root(package);
    Imports::of(&root, &repository.sources_without_tests(package))
}

fn assert_clean(faults: &[String]) {
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}
