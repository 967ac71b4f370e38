//! Text that came from elsewhere, made fit for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// `text` with control characters escaped, and what changes the direction of writing.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    escape(text, is_unprintable)
}

/// The same, with line feeds as they are.
pub(crate) fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_unprintable(c))
}

/// JSON with the characters escaped that JSON would let through; outside of strings there are none.
pub(crate) fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(|c| c != '\n' && is_unprintable(c)) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            // All of them are of the first 65 536.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Columns that a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// As much of a text as fits into `width` columns; an ellipsis shows that something is missing.
pub(crate) fn fit(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let (mut used, mut end) = (0, 0);
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        end = at + c.len_utf8();
    }
    match width {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("plain ä 漢"), "plain ä 漢");
        let evil = "a\u{1b}[2J\u{9b}1m\r\nb\u{7f}\u{202e}\t\u{200b}";
        assert_eq!(
            printable(evil),
            r"a\u{1b}[2J\u{9b}1m\r\nb\u{7f}\u{202e}\t\u{200b}"
        );
        assert_eq!(printable_lines("a\nb\r"), "a\nb\\r");
    }

    #[test]
    fn json_stays_the_same_value() {
        let evil: String = (0..0x3000).filter_map(char::from_u32).collect();
        let json = serde_json::to_string_pretty(&[&evil]).unwrap();
        let safe = printable_json(&json);
        assert!(!safe.contains(|c| c != '\n' && is_unprintable(c)));
        assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [evil]);
    }

    #[test]
    fn a_text_is_cut_where_it_does_not_fit() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("漢字漢字", 4), "漢…");
        assert_eq!(fit("漢字", 3), "漢…");
        assert_eq!(fit("abc", 1), "…");
        assert_eq!(fit("abc", 0), "");
        for wide in ["漢字漢字", "abcdef", "a漢b字"] {
            for columns in 0..8 {
                assert!(width(&fit(wide, columns)) <= columns, "{wide} {columns}");
            }
        }
    }
}
