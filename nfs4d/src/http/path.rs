//! Ids in paths.

use axum::extract::FromRequestParts;
use nfs4_admin::FieldFault;
use nfs4_engine::ConnId;
use nfs4_engine::proto::nfs4::basic::SessionId;

use super::refusal::Refusal;

/// The parts of the path that name something.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Refusal))]
pub(super) struct Path<T>(pub(super) T);

/// A client id: 16 hexadecimal digits.
///
/// # Errors
/// It is something else.
pub(super) fn client(text: &str) -> Result<u64, Refusal> {
    match hexadecimal(text) {
        Some(bytes) => Ok(u64::from_be_bytes(bytes)),
        None => Err(malformed("client_id", "expected 16 hexadecimal digits")),
    }
}

/// A session id: 32 hexadecimal digits.
///
/// # Errors
/// It is something else.
pub(super) fn session(text: &str) -> Result<SessionId, Refusal> {
    match hexadecimal(text) {
        Some(bytes) => Ok(SessionId(bytes)),
        None => Err(malformed("session_id", "expected 32 hexadecimal digits")),
    }
}

/// The number of a connection, which is never zero.
///
/// # Errors
/// It is something else.
pub(super) fn connection(text: &str) -> Result<ConnId, Refusal> {
    // A sign is no digit.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits).and_then(ConnId::new);
    number.ok_or_else(|| {
        let fault = FieldFault::new("connection_id", "expected a decimal number");
        Refusal::malformed(vec![fault.with_range(1, u64::MAX)])
    })
}

fn malformed(field: &str, expected: &str) -> Refusal {
    Refusal::malformed(vec![FieldFault::new(field, expected)])
}

/// `N` bytes of two digits each.
fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        assert_eq!(client("00000000deadBEEF"), Ok(0xdead_beef));
        let id = session("000102030405060708090a0b0c0d0e0f");
        assert_eq!(id, Ok(SessionId(std::array::from_fn(|place| place as u8))));
        assert_eq!(connection("17"), Ok(ConnId::new(17).unwrap()));
    }

    #[test]
    fn nothing_else_is_an_id() {
        for text in [
            "",
            "1",
            "00000000deadbeeg",
            "00000000deadbeef0",
            "ä0000000deadbee",
        ] {
            client(text).unwrap_err();
            session(text).unwrap_err();
        }
        for text in ["", "0", "+1", "-1", "0x1", "1 ", "18446744073709551616"] {
            connection(text).unwrap_err();
        }
    }
}
