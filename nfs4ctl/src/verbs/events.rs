//! `nfs4ctl events`.

use std::io::Write as _;
use std::time::Duration;

use nfs4_admin::client::{EventFilter, Events as Stream, Server, ServerFault, Told};
use serde_json::{Map, Value, json};

use crate::cli::{Events, Form};
use crate::fault::Fault;
use crate::output::Output;
use crate::text::{printable, printable_lines};

/// Time before the server is connected to again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum of that time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Writes what happens, until `which` has its number of events. A server that goes away is connected to
/// again.
pub(crate) async fn follow(
    server: &Server,
    output: &mut Output,
    which: &Events,
) -> Result<(), Fault> {
    let mut left = which.count;
    let mut filter = EventFilter {
        after: which.after,
        kinds: which.kind.clone(),
    };
    let mut stream = server.events(&filter).await?;
    while left != Some(0) {
        match stream.next().await {
            Ok(Some(told)) => {
                write(output, &told)?;
                left = left.map(|left| left - 1);
            }
            ended => {
                filter.after = stream.last();
                let why = match ended {
                    Err(why) => why.to_string(),
                    Ok(_) => "the server has closed the stream".to_owned(),
                };
                stream = again(server, &filter, why).await?;
            }
        }
    }
    Ok(())
}

/// Connects to the server again, until it is there.
async fn again(server: &Server, filter: &EventFilter, mut why: String) -> Result<Stream, Fault> {
    let mut pause = FIRST_PAUSE;
    loop {
        let told = format!("nfs4ctl: {why}; connecting again");
        // Standard error may have no reader.
        let _ = writeln!(std::io::stderr(), "{}", printable_lines(&told));
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
        match server.events(filter).await {
            Ok(stream) => return Ok(stream),
            // It has too many readers, or is not ready.
            Err(fault) if fault.status().is_none_or(|status| status == 503) => {
                why = fault.to_string();
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}

fn write(output: &mut Output, told: &Told) -> Result<(), Fault> {
    let value = value(told)?;
    match output.form() {
        Form::Table => output.line(&line(&value)),
        Form::Json | Form::Yaml => output.next(&value),
    }
}

/// What was told, as JSON.
fn value(told: &Told) -> Result<Value, Fault> {
    let garbled = |why: serde_json::Error| ServerFault::Garbled(why.to_string());
    let value = match told {
        Told::Event(event) => serde_json::to_value(event).map_err(garbled)?,
        Told::Lost(number) => json!({"kind": "lost", "lost": number}),
        Told::Other { kind, data } => {
            let mut value: Value = serde_json::from_str(data).map_err(garbled)?;
            if let Value::Object(fields) = &mut value {
                fields.entry("kind").or_insert_with(|| json!(kind));
            }
            value
        }
        other => json!({"kind": format!("{other:?}")}),
    };
    Ok(value)
}

/// An event for people: when, what, and its fields.
fn line(value: &Value) -> String {
    let none = Map::new();
    let fields = value.as_object().unwrap_or(&none);
    let text = |value: &Value| match value {
        Value::String(text) => printable(text).into_owned(),
        other => printable(&other.to_string()).into_owned(),
    };
    let at = fields.get("at").map_or_else(|| "-".to_owned(), text);
    let kind = fields.get("kind").map_or_else(|| "-".to_owned(), text);
    let mut line = format!("{at}  {kind}");
    for (name, value) in fields {
        if !matches!(name.as_str(), "at" | "kind" | "number") {
            line.push_str(&format!("  {}={}", printable(name), text(value)));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = json!({
            "number": 7, "at": "2026-01-01T00:00:00Z", "kind": "client_gone",
            "client_id": "ab", "reason": "admin_evict\u{1b}[2J\n",
        });
        let expected =
            r"2026-01-01T00:00:00Z  client_gone  client_id=ab  reason=admin_evict\u{1b}[2J\n";
        assert_eq!(line(&event), expected);
        let lost = value(&Told::Lost(3)).unwrap();
        assert_eq!(line(&lost), "-  lost  lost=3");
    }

    #[test]
    fn an_unknown_event_keeps_its_fields() {
        let told = Told::Other {
            kind: "comet".to_owned(),
            data: r#"{"number":9,"tail":[1]}"#.to_owned(),
        };
        let value = value(&told).unwrap();
        assert_eq!(value, json!({"number": 9, "kind": "comet", "tail": [1]}));
        assert_eq!(line(&value), "-  comet  tail=[1]");
    }
}
