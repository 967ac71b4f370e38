//! A cheap fingerprint of a request, to distinguish a retry from another request under the same
//! seqid. [RFC 8881 §2.10.6.1.3.1]

/// The parts of a request that are the same in every retry of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestContent<'a> {
    /// The user that makes it.
    pub(crate) user: u32,
    pub(crate) minor: u32,
    /// Number of its operations.
    pub(crate) count: u32,
    /// The operations after SEQUENCE; in minor version 0, all.
    pub(crate) operations: &'a [u8],
}

/// The fingerprint of a request: of its user, and of the number, length, start and end of its
/// operations.
///
/// A client encodes the rest again when it retries: the tag, the credential with its stamp, and the
/// arguments of SEQUENCE, whose slot and seqid have led here. A hash of a whole megabyte would cost
/// more than the check is worth.
pub(crate) fn of(request: &RequestContent<'_>) -> u64 {
    let RequestContent {
        user,
        minor,
        count,
        operations,
    } = *request;
    let mut hash = mix(SEED, u64::from(user) << 32 | u64::from(minor));
    hash = mix(hash, u64::from(count) << 32 | operations.len() as u64);
    let (head, tail) = operations.split_at(operations.len().min(HEAD));
    hash = bytes(hash, head);
    bytes(hash, &tail[tail.len() - tail.len().min(TAIL)..])
}

/// The fingerprint of these bytes.
pub(crate) fn of_bytes(data: &[u8]) -> u64 {
    bytes(mix(SEED, data.len() as u64), data)
}

/// The fingerprint of these bytes and another fingerprint. Without knowledge of `seed`, a client
/// cannot find another pair with the same result.
pub(crate) fn of_both(seed: u64, data: &[u8], print: u64) -> u64 {
    mix(
        bytes(mix(SEED ^ seed, data.len() as u64), data) ^ seed,
        print,
    )
}

fn bytes(mut hash: u64, data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

/// Folds the 128-bit product, so that every bit of `word` reaches every bit of the result.
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * u128::from(FACTOR);
    product as u64 ^ (product >> 64) as u64
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
const HEAD: usize = 256;
const TAIL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_of_a_word_reaches_all_of_the_result() {
        let none = mix(SEED, 0);
        for bit in 0..64 {
            let changed = (none ^ mix(SEED, 1 << bit)).count_ones();
            assert!(changed >= 16, "bit {bit} changes {changed} bits");
        }
    }

    #[test]
    fn a_changed_seed_always_changes_the_fingerprint() {
        let data = b"192.0.2.1";
        for seed in [0, 1, SEED, u64::MAX] {
            let print = of_both(seed, data, 5);
            assert_ne!(print, of_both(seed, b"192.0.2.2", 5), "seed {seed:x}");
            assert_ne!(print, of_both(seed, data, 6), "seed {seed:x}");
            for bit in 0..64 {
                let other = seed ^ 1 << bit;
                assert_ne!(print, of_both(other, data, 5), "bit {bit} of {seed:x}");
                assert_ne!(
                    print,
                    of_both(other, data, 5 ^ 1 << bit),
                    "bit {bit} of {seed:x} and of the other fingerprint"
                );
            }
        }
    }

    #[test]
    fn user_version_count_length_head_and_tail_matter_and_the_middle_does_not() {
        let operations = [7_u8; 1000];
        let request = RequestContent {
            user: 1,
            minor: 1,
            count: 3,
            operations: &operations,
        };
        let same = of(&request);
        let others = [
            RequestContent { user: 2, ..request },
            RequestContent {
                minor: 2,
                ..request
            },
            RequestContent {
                count: 4,
                ..request
            },
            RequestContent {
                operations: &operations[1..],
                ..request
            },
        ];
        for other in others {
            assert_ne!(same, of(&other), "{other:?}");
        }
        for (at, differs) in [
            (0, true),
            (255, true),
            (500, false),
            (936, true),
            (999, true),
        ] {
            let mut other = operations;
            other[at] = 8;
            let other = of(&RequestContent {
                operations: &other,
                ..request
            });
            assert_eq!(same != other, differs, "byte {at}");
        }
    }
}
