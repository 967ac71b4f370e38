//! The page, as Chromium shows it and as clients feel it: `tests/page/run` runs what needs Chromium.

mod browser;
#[path = "../command/daemon.rs"]
#[expect(dead_code, reason = "the tests of the command use the rest")]
mod daemon;
mod figures;
mod load;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nfs4_engine::proto::nfs4::Status;
use nfs4_tests::live::{Client, Connection};

use browser::{Browser, keys, text};
use daemon::Server;
use load::{Load, another_connection, mount};

#[test]
fn the_files_of_the_page_are_served_with_their_policy() {
    let server = serve(&[]);
    for (path, kind) in [
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = get(server.admin(), path, "");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert!(!body.is_empty(), "{path}");
        for part in [
            &format!("content-type: {kind}"),
            "content-security-policy: default-src 'none'; script-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-cache",
        ] {
            assert!(head.contains(part), "{part} is not in {path}: {head}");
        }
        let tag = head.split("etag: ").nth(1).expect("a tag");
        let tag = tag.lines().next().expect("a line");
        let known = format!("If-None-Match: {tag}\r\n");
        let again = get(server.admin(), path, &known);
        assert!(again.starts_with("HTTP/1.1 304 "), "{path}: {again}");
    }
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn a_client_is_drawn_drained_and_evicted() {
    let server = serve(&[]);
    let client = mount(server.address, LOCAL, "Linux NFSv4.1 render-01.example.net");
    let peer = client.connection.stream.local_addr().expect("it is bound");
    let mut second = another_connection(&client, server.address, LOCAL);
    let load = Load::start(vec![client], 1, Duration::from_millis(2));
    let browser = look_at(&server);
    browser.wait_for("document.querySelector('.card h3')?.textContent === 'render-01.example.net'");
    browser.wait_for("document.querySelectorAll('.lane').length === 2");
    browser.wait_for("document.querySelector('[data-direction=both]')");
    browser.wait_for("document.querySelector('[data-direction=fore]')");
    browser.wait_for("/ of \\d+ slots/.test(document.querySelector('.slots').textContent)");
    // Two readings later it knows what flows.
    browser.wait_for("/^[1-9]/.test(document.querySelector('.flow dd').textContent)");
    browser.wait_for("/[1-9].* kB|MB/.test(document.querySelector('.flow').textContent)");
    browser
        .wait_for("/[µm]?s$/.test(document.querySelectorAll('.tile')[5].children[1].textContent)");
    for scheme in ["dark", "light"] {
        browser.prefer(scheme, true);
        browser.shoot(&format!("1-client-{scheme}"));
    }
    // What flows moves, unless the user wants it still.
    let moves = "getComputedStyle(document.querySelector('[data-busy] i')).animationName";
    browser.wait_for("document.querySelector('[data-busy] i')");
    assert_eq!(browser.value(moves), "flow");
    browser.prefer("light", false);
    assert_eq!(browser.value(moves), "none");
    browser.resize(390, 1_400);
    browser.shoot("1-client-390");
    assert!(no_sideways(&browser), "it is wider than a phone");
    browser.resize(1280, 900);

    // Cancelled, nothing happens.
    let drain = format!("[data-act=drain][aria-label$='{peer}']");
    browser.click(&drain);
    browser.wait_for("document.activeElement.id === 'ask-no'");
    browser.shoot("question");
    browser.click("#ask-no");
    browser.wait_for("!document.querySelector('dialog[open]')");
    sleep(Duration::from_millis(100));
    assert!(!load.is_over(), "the connection drains without consent");

    browser.click(&drain);
    browser.click("#ask-yes");
    wait_until("the work ends", || load.is_over());
    let (mut client, status) = load.end().remove(0);
    assert!(matches!(status, Some(Status::DELAY) | None), "{status:?}");
    assert!(client.connection.is_closed_within(PATIENCE));
    browser.wait_for("document.querySelectorAll('.lane').length === 1");
    // It was the one for callbacks.
    browser.wait_for(
        "document.querySelector('#warnings').innerText.includes('No connection for callbacks: render-01')",
    );
    browser.shoot("warned");

    browser.click("[data-act=evict]");
    browser.wait_for("document.querySelector('#ask-title').textContent.includes('render-01')");
    browser.click("#ask-yes");
    browser.wait_for("!document.querySelector('.card')");
    browser.wait_for("!document.querySelector('#empty').hidden");
    assert_eq!(second.in_session(|c| c.putrootfh()), Status::BADSESSION);
    browser.wait_for("document.querySelector('#log').textContent.includes('admin evict')");
    content(&browser);
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn two_hundred_clients_are_a_list() {
    let server = serve(&[]);
    let clients = (0..200).map(|n| {
        let name = format!("Linux NFSv4.1 node-{n:03}.example.net");
        mount(server.address, address(n), &name)
    });
    let load = Load::start(clients.collect(), 4, Duration::from_millis(100));
    let browser = look_at(&server);
    browser.wait_for("document.querySelectorAll('#rows tr').length === 50");
    browser.wait_for("document.querySelector('#count').textContent === '200'");
    browser.wait_for("[...document.querySelectorAll('td.operations')].every((cell) => /^[1-9]/.test(cell.textContent))");
    for scheme in ["dark", "light"] {
        browser.prefer(scheme, true);
        browser.shoot(&format!("200-clients-{scheme}"));
    }
    // By name, down and up.
    browser.click("th.name button");
    browser.wait_for("document.querySelector('th.name').getAttribute('aria-sort') === 'ascending'");
    assert_eq!(first_name(&browser), "node-000.example.net");
    browser.click("th.name button");
    assert_eq!(first_name(&browser), "node-199.example.net");
    browser.click("#later");
    assert_eq!(first_name(&browser), "node-149.example.net");
    browser.click("#text");
    browser.press("node-07");
    browser.wait_for("document.querySelectorAll('#rows tr').length === 10");
    // A row by the keyboard: what is below it, and its details.
    browser.value("document.querySelector('.pick').focus()");
    browser.press(keys::DOWN);
    browser.press(keys::ENTER);
    browser
        .wait_for("document.querySelector('#details-name').textContent === 'node-078.example.net'");
    browser.wait_for("document.querySelectorAll('#details .lane').length === 1");
    browser.shoot("200-clients-details");
    browser.press(keys::ESCAPE);
    browser.wait_for("document.querySelector('#details').hidden");
    browser.wait_for("document.activeElement.textContent === 'node-078.example.net'");
    browser.resize(390, 1_200);
    browser.shoot("200-clients-390");
    assert!(no_sideways(&browser), "it is wider than a phone");
    load.end();
    content(&browser);
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn the_keyboard_does_all_and_the_focus_stays() {
    let server = serve(&[]);
    let _clients = [1, 2, 3].map(|n| mount(server.address, address(n), &format!("client {n}")));
    let browser = look_at(&server);
    browser.wait_for("document.querySelectorAll('.card').length === 3");
    browser.press(keys::TAB);
    assert_eq!(browser.value("document.activeElement.className"), "skip");
    // Every control is reached, and has a name.
    let mut named = Vec::new();
    for _ in 0..40 {
        browser.press(keys::TAB);
        let name = browser.value(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText",
        );
        named.push(text(&name));
    }
    for part in [
        "Evict client client 2",
        "Destroy session ",
        "Drain connection ",
        "Name, address or id",
        "List",
    ] {
        assert!(
            named.iter().any(|name| name.starts_with(part)),
            "no {part} in {named:?}"
        );
    }
    let nameless = browser.value(
        "[...document.querySelectorAll('button, input, select')].filter((c) => !(c.getAttribute('aria-label') ?? c.labels?.[0]?.textContent.trim() ?? '') && !c.textContent.trim() && c.id !== 'ask-yes').map((c) => c.outerHTML)",
    );
    assert_eq!(nameless, serde_json::json!([]));
    for landmark in ["header", "main", "aside"] {
        let count = browser.value(&format!("document.querySelectorAll('{landmark}').length"));
        assert_eq!(count, 1, "{landmark}");
    }
    // A question opens with the harmless answer, and Escape is one.
    browser.value("document.querySelector('[aria-label=\"Evict client client 2\"]').focus()");
    browser.press(keys::ENTER);
    browser.wait_for("document.activeElement.id === 'ask-no'");
    browser.press(keys::ESCAPE);
    let there = "document.activeElement.getAttribute('aria-label') === 'Evict client client 2'";
    browser.wait_for(there);
    // It stays while the page is drawn anew, and while a client before this one goes.
    browser.value("window.before = document.querySelector('.card p').textContent");
    let mut other = Client::on(Connection::from(address(4), server.address), None);
    other.mount("client 0", 1);
    browser.wait_for("document.querySelectorAll('.card').length === 4");
    other.unmount();
    browser.wait_for("document.querySelectorAll('.card').length === 3");
    assert_eq!(browser.value(there), true);
    browser.press(keys::ENTER);
    browser.wait_for("document.activeElement.id === 'ask-no'");
    browser.press(keys::TAB);
    browser.press(keys::ENTER);
    browser.wait_for("document.querySelectorAll('.card').length === 2");
    browser.wait_for("document.activeElement !== document.body");
    content(&browser);
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn names_of_clients_stay_text() {
    let server = serve(&[]);
    let name = "<img src=x onerror=\"window.broken=1\"><script>window.broken=1</script>";
    let _client = mount(server.address, LOCAL, name);
    let browser = look_at(&server);
    browser.wait_for("document.querySelector('.card h3')?.textContent.startsWith('<img')");
    browser.wait_for("document.querySelector('#log').textContent !== ''");
    browser.click("#as-list");
    browser.wait_for("document.querySelector('.pick')");
    browser.click(".pick");
    browser.wait_for("document.querySelector('.facts').textContent.includes('<script>')");
    assert_eq!(
        browser.value("document.querySelectorAll('main img, aside img, main script').length"),
        0
    );
    assert_eq!(
        browser.value("window.broken ?? null"),
        serde_json::Value::Null
    );
    content(&browser);
    // Were there any markup, the policy would keep it from running.
    browser.value("(() => { const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s); })()");
    assert_eq!(
        browser.value("window.broken ?? null"),
        serde_json::Value::Null
    );
    let complaints = browser.complaints();
    assert!(
        complaints
            .iter()
            .any(|line| line.contains("Content Security Policy")),
        "{complaints:?}"
    );
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn a_server_that_goes_away_is_said_and_found_again() {
    let mut server = serve(&[]);
    let admin = server.admin().to_string();
    let _client = mount(server.address, LOCAL, "first");
    let browser = look_at(&server);
    browser.wait_for("document.querySelector('.card')");
    server.signal("KILL");
    server.exit_code();
    browser.wait_for("document.querySelector('#state-text').textContent.startsWith('The server does not answer, since ')");
    browser.shoot("away");
    assert_eq!(
        browser.value("document.querySelectorAll('.card').length"),
        1
    );
    let again = Server::start(&["--admin", &admin, "--grace-time", "0"]);
    browser.wait_for("document.querySelector('#state-text').textContent === 'Live'");
    browser.wait_for("!document.querySelector('.card')");
    let _other = mount(again.address, LOCAL, "second");
    browser.wait_for("document.querySelector('.card h3')?.textContent === 'second'");
    browser.wait_for("document.querySelector('#warnings li') === null");
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn a_token_is_asked_for_and_kept_for_the_tab() {
    let token = "correct-horse-battery-staple";
    let file = std::env::temp_dir().join(format!("nfs4d-page-token-{}", std::process::id()));
    std::fs::write(&file, token).expect("it is written");
    let path = file.to_str().expect("it is text");
    let server = serve(&["--admin-token-file", path]);
    std::fs::remove_file(&file).expect("it is there");
    let _client = mount(server.address, LOCAL, "guarded");
    let browser = look_at(&server);
    for (word, said) in [("wrong", "does not know this token"), (token, "")] {
        browser.wait_for("document.activeElement.id === 'token-value'");
        browser.press(word);
        browser.press(keys::ENTER);
        if !said.is_empty() {
            let told =
                format!("document.querySelector('#token-wrong').textContent.includes('{said}')");
            browser.wait_for(&told);
        }
    }
    browser.wait_for("document.querySelector('.card')");
    browser.reload();
    browser.wait_for("document.querySelector('.card')");
    let kept = browser.value(
        "[sessionStorage.length, localStorage.length, document.cookie, location.href.length]",
    );
    let url = format!("http://{}/", server.admin());
    assert_eq!(kept, serde_json::json!([1, 0, "", url.len()]));
}

/// A server with the administration interface on a free port.
fn serve(arguments: &[&str]) -> Server {
    let usual = [
        "--admin",
        "127.0.0.1:0",
        "--grace-time",
        "0",
        "--memory",
        "64M",
    ];
    Server::start(&[&usual[..], arguments].concat())
}

/// A browser that shows the page.
fn look_at(server: &Server) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.admin()));
    browser
}

/// The browser has nothing to complain of.
fn content(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn no_sideways(browser: &Browser) -> bool {
    browser.value("document.documentElement.scrollWidth <= innerWidth") == true
}

fn first_name(browser: &Browser) -> String {
    text(&browser.value("document.querySelector('.pick').textContent"))
}

/// An address of this machine.
fn address(number: u8) -> IpAddr {
    IpAddr::from([127, 0, 9, number + 1])
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// The answer to a request without a body.
fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let timeout = Some(PATIENCE);
    stream
        .set_read_timeout(timeout)
        .expect("a timeout is possible");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Longer than anything here takes on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn exports_are_listed_as_they_come_and_go() {
    let server = serve(&[]);
    let browser = look_at(&server);
    browser.wait_for(
        "document.querySelector('#exports-list').innerText.includes('67.1 MB of memory: read-write, no squash, all hosts')",
    );
    let body = r#"{"backend": "memory", "pseudo": "/<b>", "memory": "2M", "read_only": true, "networks": ["127.0.0.0/8"]}"#;
    let head = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server.admin()).expect("it listens");
    let request = format!(
        "POST /api/v1/exports HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    // What is text stays text.
    browser.wait_for("document.querySelector('#exports-list strong').textContent === '/<b>'");
    browser.wait_for("document.querySelector('#exports-list').innerText.includes('read-only, no squash, 127.0.0.0/8')");
    browser.wait_for("document.querySelector('#log').textContent.includes('Export added: /<b>')");
    browser.shoot("exports");
}
