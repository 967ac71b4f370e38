//! Log lines as JSON: one object a line.

use std::fmt;

use serde_json::{Map, Number, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes `time` (UTC, as RFC 3339 has it), `level`, `target`, `message`, and the object `fields`, in which
/// numbers and truth values are such. Control characters are escaped, as JSON demands.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Line::default();
        event.record(&mut line);
        let (metadata, fields) = (event.metadata(), Value::Object(line.fields));
        let (level, target) = (metadata.level().as_str(), metadata.target());
        let message = Value::String(line.message);
        writeln!(
            writer,
            r#"{{"time":"{time}","level":"{level}","target":"{target}","message":{message},"fields":{fields}}}"#
        )
    }
}

/// What an event says.
#[derive(Default)]
struct Line {
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    fn set(&mut self, field: &Field, value: Value) {
        match value {
            Value::String(text) if field.name() == "message" => self.message = text,
            value => drop(self.fields.insert(field.name().to_owned(), value)),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::String(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::Number(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Number(value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has neither infinities nor what is no number.
        let value = Number::from_f64(value).map_or(Value::Null, Value::Number);
        self.set(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(Json)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let written = lines.0.lock().unwrap();
        let text = std::str::from_utf8(&written).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let objects = text.lines().map(serde_json::from_str);
        objects.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_line_is_an_object_with_typed_fields() {
        let told = lines(|| {
            let why = io::Error::other("no room");
            tracing::warn!(%why, lines = 3_u64, below = -1_i64, yes = true, part = 0.5, none = f64::NAN, "it is so");
        });
        let [line] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "it is so");
        assert_eq!(line["target"], module_path!());
        let time = line["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        let expected = serde_json::json!({
            "why": "no room", "lines": 3, "below": -1, "yes": true, "part": 0.5, "none": null,
        });
        assert_eq!(line["fields"], expected);
    }

    #[test]
    fn what_a_peer_chooses_breaks_no_line() {
        let evil = "a\n{\"level\":\"ERROR\"}\u{1b}[2J\"\\\u{0}\u{2028}";
        let told = lines(|| tracing::info!(peer = evil, shown = %evil, "{evil}"));
        let [line] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(line["message"], evil);
        assert_eq!(line["fields"]["peer"], evil);
        assert_eq!(line["fields"]["shown"], evil);
    }
}
