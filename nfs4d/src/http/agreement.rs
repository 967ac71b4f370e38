//! Tests that the routes, their description and the values of the typed client agree.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use nfs4_admin as admin;
use nfs4_admin::client::ROUTES;
use nfs4_driver::{Clock as _, Limits, Node, SystemClock};
use nfs4_engine::snapshot::{BackChannelState, ConnectionType, LeaseStatus};
use nfs4_engine::{Boot, Config, Direction, Engine, Export};
use nfs4_vfs::{MemFs, MemFsConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio::runtime;

use super::guard::Guard;
use super::{App, Exported, administration};
use crate::exports::Exports;
use crate::settings::Live;

fn document() -> Value {
    let (_, document) = administration().split_for_parts();
    serde_json::to_value(&document).unwrap()
}

fn app() -> App {
    let clock = Arc::new(SystemClock::new());
    let files = MemFs::new(MemFsConfig::new(1, 1 << 20));
    let exports = vec![Export::new("/", Arc::new(files))];
    let boot = Boot::new(1, [7; 16], b"tests");
    let engine = Engine::new(boot, Config::default(), exports, clock.now()).unwrap();
    let node = Node::with_clock(engine, Limits::default(), clock).unwrap();
    let live = Arc::new(Live::of(node.clone()));
    let exports = Arc::new(Exports::of(node.clone()));
    let exported = Exported::new(node.clone(), Arc::clone(&exports), Vec::new());
    App::new(node, (live, exports), exported.unwrap())
}

fn ask(method: &str, path: &str) -> (Response, String) {
    let router = app().administration(Guard::UnixSocket).unwrap();
    let request = Request::builder().method(method).uri(path);
    let request = match (method, path) {
        ("PATCH", _) | ("POST", "/api/v1/exports") => request
            .header("Content-Type", "application/json")
            .body(Body::from("{}")),
        _ => request.body(Body::empty()),
    };
    let request = request.unwrap();
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let answer = TowerToHyperService::new(router).call(request).await;
        let (head, body) = answer.unwrap().into_parts();
        let streams = head.headers["content-type"]
            .as_bytes()
            .starts_with(b"text/event-stream");
        let text = match streams {
            true => Vec::new(),
            false => body.collect().await.unwrap().to_bytes().to_vec(),
        };
        (
            Response::from_parts(head, Body::empty()),
            String::from_utf8(text).unwrap(),
        )
    })
}

#[test]
fn each_route_is_described_and_each_description_has_its_route() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    let described: BTreeSet<_> = described.collect();
    // Dashboards and scripts depend on these.
    let routes = ROUTES.iter();
    let routes = routes.map(|route| (route.method().to_owned(), route.path().to_owned()));
    assert_eq!(described, routes.collect());

    for route in ROUTES {
        let (method, path) = (route.method(), route.path());
        let filled = path
            .replace("{client_id}", "00000000000000aa")
            .replace("{session_id}", &"bb".repeat(16))
            .replace("{connection_id}", "4711")
            .replace("{pseudo}", "%2Fsrv%2Fmy%20data");
        let (head, text) = ask(method, &filled);
        match (path.contains('{'), head.status()) {
            // Without options there is nothing to add.
            (false, StatusCode::UNPROCESSABLE_ENTITY) if path == "/api/v1/exports" => {}
            (true, StatusCode::NOT_FOUND) => assert!(!text.contains("nothing at"), "{text}"),
            (false, status) => assert!(status.is_success(), "{method} {path}: {status}"),
            (true, status) => panic!("{method} {path}: {status}"),
        }
    }
}

#[test]
fn the_description_is_complete() {
    let document = document();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(name), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                let text = response["description"].as_str().unwrap_or("");
                assert!(!text.is_empty(), "{method} {path} {status}");
            }
            let parameters = operation["parameters"].as_array();
            let in_path = parameters.into_iter().flatten();
            let in_path = in_path.filter(|parameter| parameter["in"] == "path");
            assert_eq!(in_path.count(), path.matches('{').count(), "{path}");
        }
    }
    // Every type that is named is there.
    let text = document.to_string();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name}");
    }
    let (head, text) = ask("GET", "/api/v1/openapi.json");
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
}

/// What the engine calls a value is what the typed client does.
fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    engine: impl Serialize,
    client: &T,
) {
    let value = serde_json::to_value(engine).unwrap();
    assert_eq!(&serde_json::from_value::<T>(value).unwrap(), client);
}

#[test]
fn words_of_the_engine_are_those_of_the_typed_client() {
    same(LeaseStatus::Active, &admin::LeaseStatus::Active);
    same(LeaseStatus::Expired, &admin::LeaseStatus::Expired);
    same(LeaseStatus::Courtesy, &admin::LeaseStatus::Courtesy);
    same(ConnectionType::Tcp, &admin::Transport::Tcp);
    for (engine, client) in [
        (BackChannelState::None, admin::BackChannel::None),
        (BackChannelState::Ok, admin::BackChannel::Ok),
        (BackChannelState::Down, admin::BackChannel::Down),
        (BackChannelState::Fault, admin::BackChannel::Fault),
    ] {
        same(engine, &client);
    }
    for (engine, client) in [
        (Direction::Fore, admin::Direction::Fore),
        (Direction::Back, admin::Direction::Back),
        (Direction::Both, admin::Direction::Both),
    ] {
        same(engine, &client);
    }
}
