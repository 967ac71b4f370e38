//! Figures for people.

/// A rate or a number: `0`, `7.5`, `1234`, `12.3k`, `4.5M`.
pub(crate) fn count(value: f64) -> String {
    scaled(value, &["", "k", "M", "G", "T"], 10_000.0)
}

/// Bytes a second: `0 B/s`, `12.3 MB/s`.
pub(crate) fn bytes_per_second(value: f64) -> String {
    scaled(
        value,
        &[" B/s", " kB/s", " MB/s", " GB/s", " TB/s"],
        1_000.0,
    )
}

/// A number of bytes: `12.3 MB`.
pub(crate) fn bytes(value: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = value as f64;
    scaled(value, &[" B", " kB", " MB", " GB", " TB", " PB"], 1_000.0)
}

/// A time in microseconds: `85 us`, `1.2 ms`, `3.4 s`.
pub(crate) fn micros(value: f64) -> String {
    scaled(value, &[" us", " ms", " s"], 1_000.0)
}

/// `value` in the first unit in which it is less than `until`, or the last.
fn scaled(mut value: f64, units: &[&str], until: f64) -> String {
    let mut at = 0;
    while value.round() >= until && at + 1 < units.len() {
        value /= 1_000.0;
        at += 1;
    }
    let unit = units.get(at).copied().unwrap_or_default();
    // Small whole numbers are exact; others have a digit more.
    if value >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}{unit}")
    } else {
        format!("{value:.1}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_few_digits() {
        let counts = [
            0.0, 0.04, 7.5, 99.96, 1_234.4, 9_999.4, 9_999.6, 12_345.0, 4.5e6, 7e20,
        ];
        let written = [
            "0",
            "0.0",
            "7.5",
            "100.0",
            "1234",
            "9999",
            "10.0k",
            "12.3k",
            "4500k",
            "700000000T",
        ];
        assert_eq!(counts.map(count), written);
        assert_eq!(bytes_per_second(12_345_678.0), "12.3 MB/s");
        assert_eq!(bytes_per_second(999.6), "1.0 kB/s");
        assert_eq!(bytes(1_000), "1 kB");
        assert_eq!(micros(85.0), "85 us");
        assert_eq!(micros(3_400_000.0), "3.4 s");
        assert_eq!(micros(7.2e9), "7200 s");
    }
}
