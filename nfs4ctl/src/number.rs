//! Numbers of the command line.

use std::ops::RangeInclusive;

/// Reads a whole number of a range; the fault says what is accepted.
pub(crate) fn whole<N: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text
            .parse::<u64>()
            .ok()
            .filter(|number| range.contains(number));
        let number = number.and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| {
            let first = range.start();
            match *range.end() {
                u64::MAX => format!("expected a whole number without a unit, from {first} on"),
                last => format!("expected a whole number without a unit, from {first} to {last}"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_whole_and_in_its_range() {
        assert_eq!(whole(1..=9)("9"), Ok(9_u32));
        assert_eq!(whole(0..=u64::MAX)(&u64::MAX.to_string()), Ok(u64::MAX));
        for wrong in ["", "x", "0", "10", "-1", "1.5", "3s"] {
            let why = whole::<u32>(1..=9)(wrong).unwrap_err();
            assert_eq!(
                why, "expected a whole number without a unit, from 1 to 9",
                "{wrong}"
            );
        }
        let why = whole::<u64>(1..=u64::MAX)("18446744073709551616").unwrap_err();
        assert_eq!(why, "expected a whole number without a unit, from 1 on");
    }
}
