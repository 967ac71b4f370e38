//! Ids, and what people write for them.

use crate::fault::Fault;

/// Maximum number of ids that an error lists.
const LISTED: usize = 10;
/// Maximum number of ids that are suggested.
const SUGGESTED: usize = 3;

/// What has an id of hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdKind {
    name: &'static str,
    digits: usize,
}

/// A client.
pub(crate) const CLIENT: IdKind = IdKind {
    name: "client",
    digits: 16,
};
/// A session.
pub(crate) const SESSION: IdKind = IdKind {
    name: "session",
    digits: 32,
};

impl IdKind {
    /// What was given for an id, in lower case.
    ///
    /// # Errors
    /// It cannot be one, or the beginning of one.
    pub(crate) fn read(self, given: &str) -> Result<String, Fault> {
        let IdKind { name, digits } = self;
        let hexadecimal = given.bytes().all(|byte| byte.is_ascii_hexdigit());
        if given.is_empty() || given.len() > digits || !hexadecimal {
            let why = format!(
                "{given:?} is no {name}: a {name} has {digits} hexadecimal digits, and the first of \
                 them are enough if no other {name} has the same"
            );
            return Err(Fault::Usage(why));
        }
        Ok(given.to_ascii_lowercase())
    }

    /// Whether it is a whole id.
    pub(crate) fn is_whole(self, given: &str) -> bool {
        given.len() == self.digits
    }

    /// The entry whose id begins with `given`.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(crate) fn find<T>(
        self,
        given: &str,
        entries: Vec<T>,
        id: impl Fn(&T) -> &str,
    ) -> Result<T, Fault> {
        let (mut matching, others): (Vec<T>, Vec<T>) = entries
            .into_iter()
            .partition(|entry| id(entry).starts_with(given));
        match (matching.pop(), matching.len()) {
            (Some(entry), 0) => Ok(entry),
            (Some(entry), more) => {
                matching.push(entry);
                let mut candidates: Vec<String> =
                    matching.iter().map(|entry| id(entry).to_owned()).collect();
                candidates.sort_unstable();
                candidates.truncate(LISTED);
                Err(Fault::Ambiguous {
                    kind: self.name,
                    given: given.to_owned(),
                    candidates,
                    total: more + 1,
                })
            }
            (None, _) => Err(self.unknown(given, others.iter().map(id))),
        }
    }

    /// The fault that there is no such id, with the known ones that are spelled nearly the same.
    fn unknown<'a>(self, given: &str, known: impl Iterator<Item = &'a str>) -> Fault {
        // A mistyped digit, or two that changed places; of few digits anything would be near.
        let most = if given.len() < 4 { 0 } else { 2 };
        let distance = |id: &str| {
            let beginning = id.get(..given.len()).unwrap_or(id);
            strsim::osa_distance(given, beginning)
        };
        let mut near: Vec<(usize, &str)> = known
            .map(|id| (distance(id), id))
            .filter(|(distance, _)| *distance <= most)
            .collect();
        near.sort_unstable();
        near.truncate(SUGGESTED);
        Fault::Unknown {
            kind: self.name,
            given: given.to_owned(),
            near: near.into_iter().map(|(_, id)| id.to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = [
        "692ad1c700000001",
        "692ad1c700000002",
        "7f00000000000003",
        "692ad1c70000001f",
    ];

    fn find(given: &str) -> Result<String, Fault> {
        let given = CLIENT.read(given)?;
        CLIENT.find(&given, KNOWN.map(str::to_owned).to_vec(), |id| id)
    }

    #[test]
    fn the_beginning_of_one_id_is_enough() {
        assert_eq!(find("7").unwrap(), KNOWN[2]);
        assert_eq!(find("7F").unwrap(), KNOWN[2]);
        assert_eq!(find("692ad1c70000001").unwrap(), KNOWN[3]);
        assert_eq!(find(KNOWN[0]).unwrap(), KNOWN[0]);
    }

    #[test]
    fn the_beginning_of_several_lists_them() {
        let Err(Fault::Ambiguous {
            candidates, total, ..
        }) = find("69")
        else {
            panic!("one was found")
        };
        assert_eq!(candidates, [KNOWN[0], KNOWN[1], KNOWN[3]]);
        assert_eq!(total, 3);
        let many: Vec<String> = (0..100).map(|number| format!("{number:016x}")).collect();
        let Err(Fault::Ambiguous {
            candidates, total, ..
        }) = CLIENT.find("00", many, |id| id)
        else {
            panic!("one was found")
        };
        assert_eq!((candidates.len(), total), (10, 100));
    }

    #[test]
    fn an_id_that_is_not_there_gets_suggestions() {
        for (given, suggested) in [
            ("692ad1c700000003", &[KNOWN[0], KNOWN[1], KNOWN[3]][..]),
            ("7f00000000000030", &[KNOWN[2]]),
            ("f700", &[KNOWN[2]]),
            ("8", &[]),
            ("ffffffff", &[]),
        ] {
            let Err(Fault::Unknown { near, .. }) = find(given) else {
                panic!("{given} was found")
            };
            assert_eq!(near, suggested, "{given}");
        }
    }

    #[test]
    fn what_can_be_no_id_is_wrong_usage() {
        for given in ["", "0x7", "g", "692ad1c7000000011", "ä"] {
            assert_eq!(find(given).unwrap_err().code(), 2, "{given}");
        }
    }
}
