//! Values of flags.

use std::net::SocketAddr;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::exports;
use crate::reach::Reach;
use crate::size::{Size, SizeFault};

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port up to 65535, as in 127.0.0.1:20490 or [::1]:20490; host \
         names are not accepted"
            .to_owned()
    })
}

/// An absolute path of a directory.
pub(super) fn directory() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|argument| exports::from_line(&argument))
}

pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    let fits = |seconds: &u64| *seconds <= MOST_SECONDS;
    number.filter(fits).ok_or_else(|| {
        format!(
            "expected a whole number of seconds from 0 to {MOST_SECONDS} without a unit, as in 10"
        )
    })
}

/// An address that clients can be sent; the port that the server listens at is not known yet.
pub(super) fn reach(text: &str) -> Result<Reach, String> {
    let expected = |fault: &dyn std::fmt::Display| {
        format!(
            "{fault}; expected an IP address, with or without a port, or a host name, as in 192.0.2.7, \
             [2001:db8::7]:2049 or files.example"
        )
    };
    let reach = text.parse::<Reach>().map_err(|fault| expected(&fault))?;
    match reach.of_server_at(1).validate() {
        Ok(()) => Ok(reach),
        Err(fault) => Err(expected(&fault)),
    }
}

pub(super) fn memory(text: &str) -> Result<Size, String> {
    match text.parse::<Size>() {
        Ok(size) if size >= LEAST_MEMORY => Ok(size),
        Err(SizeFault::Malformed) => Err(SizeFault::Malformed.to_string()),
        Ok(_) | Err(SizeFault::TooLarge) => {
            Err("expected a size from 1M to 16777215T, as in 512M or 2G".to_owned())
        }
    }
}

/// The size of a READ or WRITE, which the engine holds against its range.
pub(super) fn max_io(text: &str) -> Result<u32, String> {
    let size = text.parse::<Size>().ok();
    let bytes = size.and_then(|size| u32::try_from(size.0).ok());
    let fits = |bytes: &u32| (LEAST_IO..=MOST_IO).contains(bytes);
    bytes
        .filter(fits)
        .ok_or_else(|| "expected a size from 4K to 16M, as in 1M or 1048576".to_owned())
}

/// The longest time that the driver waits for anything when it stops.
const MOST_SECONDS: u64 = 3_600;
const LEAST_MEMORY: Size = Size(1 << 20);
/// The range of the engine's [`max_io`](nfs4_engine::Config::max_io).
const LEAST_IO: u32 = 4 << 10;
const MOST_IO: u32 = 16 << 20;

#[cfg(test)]
mod tests {
    use nfs4_engine::Config;

    use super::*;

    #[test]
    fn the_range_of_max_io_is_that_of_the_engine() {
        for (bytes, fits) in [
            (LEAST_IO - 1, false),
            (LEAST_IO, true),
            (MOST_IO, true),
            (MOST_IO + 1, false),
        ] {
            let config = Config::default().with(|config| config.max_io = bytes);
            assert_eq!(config.validate().is_ok(), fits, "{bytes}");
            assert_eq!(max_io(&bytes.to_string()).is_ok(), fits, "{bytes}");
        }
        assert_eq!(max_io("64K"), Ok(65_536));
    }
}
