//! A headless Chromium that a test drives by the WebDriver protocol. [W3C WebDriver]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A browser with one window; dropping it ends its processes.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

/// Starts chromedriver on a free port, which it chooses for IPv6: it ends when that is in use for IPv4.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("chromedriver starts");
    let mut stdout = BufReader::new(driver.stdout.take().expect("it is piped"));
    let mut said = String::new();
    while stdout.read_line(&mut said).expect("it says text") > 0 {
        let port = said.split("successfully on port ").nth(1);
        if let Some(port) = port.and_then(|rest| rest.split('.').next()?.parse().ok()) {
            return Some((driver, port));
        }
    }
    println!("chromedriver ended early: {said}");
    driver.wait().expect("it has ended");
    None
}

/// Number of ports that are tried.
const TRIES: usize = 20;

impl Browser {
    /// Starts one, 1280 pixels wide.
    pub(crate) fn start() -> Browser {
        let (driver, port) = (0..TRIES)
            .find_map(|_| start_driver())
            .expect("chromedriver has said why not");
        let mut browser = Browser {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--hide-scrollbars",
        ];
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": wanted } });
        let made = browser.ask("POST", "/session", &capabilities);
        browser.session = text(&made["sessionId"]);
        browser.resize(1280, 900);
        browser
    }

    /// Shows a page, and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.command("POST", "url", &json!({ "url": url }));
    }

    /// Shows the page again.
    pub(crate) fn reload(&self) {
        self.command("POST", "refresh", &json!({}));
    }

    /// The size of what the page is drawn on, in pixels.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// What the user prefers: `light` or `dark`, and whether things may move.
    pub(crate) fn prefer(&self, scheme: &str, motion: bool) {
        let motion = if motion { "no-preference" } else { "reduce" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": motion },
        ]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// What an expression is.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.command(
            "POST",
            "execute/sync",
            &json!({ "script": script, "args": [] }),
        )
    }

    /// What a promise gives.
    pub(crate) fn promised(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; ({expression}).then(done, (why) => done(`failed: ${{why}}`));"
        );
        self.command(
            "POST",
            "execute/async",
            &json!({ "script": script, "args": [] }),
        )
    }

    /// Waits until an expression is true, or something else than null, 0 and the empty text.
    pub(crate) fn wait_for(&self, expression: &str) -> Value {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let value = self.value(expression);
            let nothing = [json!(null), json!(false), json!(0), json!("")];
            if !nothing.contains(&value) {
                return value;
            }
            sleep(Duration::from_millis(50));
        }
        self.shoot("failed");
        let shown = text(&self.value("document.body.innerText"));
        panic!("no {expression} in: {shown}");
    }

    /// Clicks in the middle of what a selector finds first.
    pub(crate) fn click(&self, selector: &str) {
        let found = json!({ "using": "css selector", "value": selector });
        let found = self.command("POST", "element", &found);
        let id = found.as_object().and_then(|found| found.values().next());
        let id = text(id.expect("it has an id"));
        self.command("POST", &format!("element/{id}/click"), &json!({}));
    }

    /// Presses and releases keys one after the other; names of others than letters are in [`keys`].
    pub(crate) fn press(&self, keys: &str) {
        let mut actions = Vec::new();
        for key in keys.chars() {
            for kind in ["keyDown", "keyUp"] {
                actions.push(json!({ "type": kind, "value": key.to_string() }));
            }
        }
        let keyboard = json!([{ "type": "key", "id": "keyboard", "actions": actions }]);
        self.command("POST", "actions", &json!({ "actions": keyboard }));
    }

    /// Writes a picture of the page into the target directory.
    pub(crate) fn shoot(&self, name: &str) {
        let shot = self.devtools("Page.captureScreenshot", &json!({ "format": "png" }));
        let picture = decode(&text(&shot["data"]));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&folder).expect("the target directory can be written");
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, picture).expect("the target directory can be written");
        println!("page: {}", path.display());
    }

    /// The warnings and errors on the console since the last call; a breach of the page's policy is one.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let lines = self.command("POST", "se/log", &json!({ "type": "browser" }));
        let lines = lines.as_array().expect("a list").iter();
        let bad = lines.filter(|line| ["SEVERE", "WARNING"].contains(&&*text(&line["level"])));
        bad.map(|line| text(&line["message"])).collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let call = json!({ "cmd": command, "params": parameters });
        self.command("POST", "goog/cdp/execute", &call)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        self.ask(method, &path, body)
    }

    /// A request to the driver; panics if it is refused.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(self.address).expect("the driver listens");
        let timeout = Some(Duration::from_secs(60));
        stream
            .set_read_timeout(timeout)
            .expect("a timeout is possible");
        let (body, host) = (body.to_string(), self.address);
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .expect("the driver reads");
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            let read = stream.read_line(&mut line).expect("the driver answers");
            assert_ne!(read, 0, "the driver answers {path}");
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        stream
            .read_exact(&mut answer)
            .expect("the driver answers in full");
        let answer: Value = serde_json::from_slice(&answer).expect("the driver answers JSON");
        let value = &answer["value"];
        assert!(value.get("error").is_none(), "{path} {body}: {value}");
        value.clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.session.is_empty() {
            self.ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        // It may have ended already.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Keys without a letter. [W3C WebDriver §17.4.2]
pub(crate) mod keys {
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const DOWN: &str = "\u{e015}";
}

/// A JSON string, without its quotation marks.
pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Base64. [RFC 4648 §4]
fn decode(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|&digit| digit != b'=') {
        let found = alphabet.iter().position(|&known| known == digit);
        bits = bits << 6 | u32::try_from(found.expect("base64")).expect("it is below 64");
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

/// Longer than the page takes to read the server twice, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
