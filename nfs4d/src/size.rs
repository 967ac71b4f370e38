//! Amounts of memory as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, written `512M` or `2G`; the units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = SizeFault;

    fn from_str(text: &str) -> Result<Self, SizeFault> {
        let digits = text.trim_end_matches(|sign: char| !sign.is_ascii_digit());
        let (_, unit) = text.split_at(digits.len());
        let factor = UNITS
            .iter()
            .find(|(short, long, _)| {
                unit.eq_ignore_ascii_case(short) || unit.eq_ignore_ascii_case(long)
            })
            .map(|(_, _, factor)| *factor)
            .or(unit.is_empty().then_some(1))
            .ok_or(SizeFault::Malformed)?;
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(SizeFault::Malformed);
        }
        let number: u64 = digits.parse().map_err(|_| SizeFault::TooLarge)?;
        number
            .checked_mul(factor)
            .map(Size)
            .ok_or(SizeFault::TooLarge)
    }
}

/// With the greatest unit that leaves no fraction.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |factor: u64| self.0 != 0 && self.0.is_multiple_of(factor);
        match UNITS.iter().rev().find(|(_, _, factor)| whole(*factor)) {
            Some((_, long, factor)) => write!(f, "{} {long}", self.0 / factor),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// Why a text is no amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeFault {
    /// Not digits and a unit.
    #[error("a size is a whole number and a unit, as in 512M or 2G (K, M, G, T; powers of 1024)")]
    Malformed,
    /// More than 64 bits hold.
    #[error("that many bytes do not fit into 64 bits")]
    TooLarge,
}

const UNITS: [(&str, &str, u64); 4] = [
    ("K", "KiB", 1 << 10),
    ("M", "MiB", 1 << 20),
    ("G", "GiB", 1 << 30),
    ("T", "TiB", 1 << 40),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64k", 64 << 10),
            ("512M", 512 << 20),
            ("512MiB", 512 << 20),
            ("2g", 2 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "", "M", "1.5G", "-1", "+1", "1 M", "2GB!", "0x10", "1MM", "M1",
        ] {
            assert_eq!(text.parse::<Size>(), Err(SizeFault::Malformed), "{text}");
        }
        for text in ["99999999999999999999", "99999999T"] {
            assert_eq!(text.parse::<Size>(), Err(SizeFault::TooLarge), "{text}");
        }
    }

    #[test]
    fn people_read_the_greatest_whole_unit() {
        assert_eq!(Size(1 << 30).to_string(), "1 GiB");
        assert_eq!(Size(1536 << 20).to_string(), "1536 MiB");
        assert_eq!(Size(1000).to_string(), "1000 bytes");
        assert_eq!(Size(0).to_string(), "0 bytes");
    }
}
