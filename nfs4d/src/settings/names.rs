//! Names as people write them.

use nfs4_engine::proto::nfs4::Op;

/// The operation of this name, whatever its case.
///
/// # Errors
/// There is none; perhaps another was meant.
pub(super) fn operation(name: &str) -> Result<Op, String> {
    let found = Op::ALL
        .iter()
        .find(|op| op.name().eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| {
        let shown = shown(name);
        let advice = match like(
            &name.to_ascii_uppercase(),
            Op::ALL.iter().map(|op| op.name()),
        ) {
            Some(meant) => format!("; {meant} is one"),
            None => ", as in OPENATTR".to_owned(),
        };
        format!("expected names of operations of NFSv4, and {shown:?} is none{advice}")
    })
}

/// As much of a wrong name as is repeated.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

/// That of the names which is most like this one, if one is.
pub(crate) fn like<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A longer name is none of ours, and comparing takes time.
    if name.len() > SHOWN {
        return None;
    }
    let name = name.to_lowercase();
    let by_likeness =
        names.map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), known));
    by_likeness
        .filter(|(likeness, _)| *likeness > LEAST_LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

/// Maximum number of characters of a wrong name that are repeated.
const SHOWN: usize = 64;
/// Of 1, as clap has it for flags.
const LEAST_LIKENESS: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slip_is_recognised() {
        let names = ["lease_time", "grace_time", "max_clients"];
        for (slip, meant) in [
            ("lease_tim", Some("lease_time")),
            ("leasetime", Some("lease_time")),
            ("max_client", Some("max_clients")),
            ("colour", None),
            (&"lease_time".repeat(10), None),
        ] {
            assert_eq!(like(slip, names.into_iter()), meant, "{slip}");
        }
    }

    #[test]
    fn operations_have_the_names_of_the_rfc() {
        assert_eq!(operation("openattr"), Ok(Op::OpenAttr));
        for wrong in ["", "OP", "TRUNCATE", &"X".repeat(10_000)] {
            assert!(operation(wrong).unwrap_err().len() < 300, "{wrong}");
        }
    }
}
