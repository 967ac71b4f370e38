//! What is written to standard output, in the form that was asked for.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use crate::cli::Form;
use crate::fault::Fault;
use crate::table::{Canvas, Cell, Table, details};
use crate::text::{printable, printable_json};

/// Standard output.
pub(crate) struct Output {
    form: Form,
    canvas: Canvas,
    to: Box<dyn Write>,
}

impl Output {
    /// Standard output, in a form.
    pub(crate) fn to_stdout(form: Form) -> Output {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = || crossterm::terminal::size().ok().map(|size| size.0.into());
        Output {
            form,
            canvas: Canvas {
                width: terminal.then(width).flatten().filter(|width| *width > 0),
                colour: terminal && !no_colour,
            },
            to: Box::new(stdout),
        }
    }

    /// The form that was asked for.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// What tables are drawn on.
    pub(crate) fn canvas(&self) -> Canvas {
        self.canvas
    }

    /// Writes a value as it is, or the table that it is for people.
    pub(crate) fn show<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        table: impl FnOnce(&T) -> Table,
    ) -> Result<(), Fault> {
        match self.form {
            Form::Table => {
                let lines = table(value).lines(self.canvas);
                self.lines(&lines)
            }
            Form::Json | Form::Yaml => self.value(value),
        }
    }

    /// Writes a value as JSON or YAML.
    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let fault = |why: &dyn ToString| Fault::Form(why.to_string());
        let text = if self.form == Form::Yaml {
            yaml(value)?
        } else {
            serde_json::to_string_pretty(value).map_err(|why| fault(&why))?
        };
        self.line(&printable_json(&text))
    }

    /// Writes a value that others follow: a line of JSON, or a document of YAML.
    pub(crate) fn next<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let text = if self.form == Form::Yaml {
            format!("---\n{}", yaml(value)?)
        } else {
            serde_json::to_string(value).map_err(|why| Fault::Form(why.to_string()))?
        };
        self.line(&printable_json(&text))
    }

    /// Writes lines of a name and a value each.
    pub(crate) fn details(&mut self, lines: &[(&str, Cell)]) -> Result<(), Fault> {
        let lines = details(lines, self.canvas.colour);
        self.lines(&lines)
    }

    /// Tells a person that something was done; a program has the exit code.
    pub(crate) fn done(&mut self, text: &str) -> Result<(), Fault> {
        match self.form {
            Form::Table => self.line(&printable(text)),
            Form::Json | Form::Yaml => Ok(()),
        }
    }

    /// Writes a table.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Fault> {
        let lines = table.lines(self.canvas);
        self.lines(&lines)
    }

    /// Writes lines whose texts are fit for a terminal.
    pub(crate) fn lines(&mut self, lines: &[String]) -> Result<(), Fault> {
        let mut text = lines.join("\n");
        text.push('\n');
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }

    /// Writes a line that is fit for a terminal.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Fault> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        self.lines(&[text.to_owned()])
    }
}

/// A value as YAML that readers of version 1.1 understand as well: all texts are quoted, as a time or
/// an id could be taken for something else.
fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    let options = serde_saphyr::ser_options! { quote_all: true };
    serde_saphyr::to_string_with_options(&value, options)
        .map_err(|why| Fault::Form(why.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_stay_texts_in_yaml() {
        let value = json!({
            "id": "1234567812345678", "exponent": "692e0001", "time": "2026-01-01T00:00:00Z",
            "answer": "yes", "minutes": "1:30", "evil": "\u{1b}[31m\u{9b}\u{7f}'\n", "none": null,
            "number": u64::MAX, "list": [], "object": {},
        });
        let text = yaml(&value).unwrap();
        for line in [
            "id: '1234567812345678'",
            "exponent: '692e0001'",
            "time: '2026-01-01T00:00:00Z'",
            "answer: 'yes'",
            "minutes: '1:30'",
            r#"evil: "\e[31m\x9B\x7F'\n""#,
            "none: null",
            "number: 18446744073709551615",
            "list: []",
            "object: {}",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line}: {text}"
            );
        }
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    }
}
