//! The locations of a file system. [RFC 8881 §11.16, RFC 7530 §8.8]

use alloc::boxed::Box;
use alloc::vec::Vec;

use nfs4_proto::nfs4::attr::{FsLocation, FsLocations};
use nfs4_proto::xdr::{Encode, List, Writer};

use crate::server_address::ServerAddress;

/// The fs_locations4 of the file system at `path`: it has the same path on each address of the
/// server.
pub(crate) fn fs_locations(path: &str, addresses: &[ServerAddress]) -> Box<[u8]> {
    // The root is a path without components. [RFC 8881 §5.8.2.12, RFC 7530 §5.8.2.10]
    let names = path.split('/').filter(|name| !name.is_empty());
    let path: Vec<&[u8]> = names.map(str::as_bytes).collect();
    let servers: Vec<_> = addresses.iter().map(ServerAddress::on_the_wire).collect();
    let servers: Vec<&[u8]> = servers.iter().map(|server| server.as_bytes()).collect();
    let here = [FsLocation {
        server: List::from(&*servers),
        rootpath: List::from(&*path),
    }];
    let mut w = Writer::new();
    FsLocations {
        fs_root: List::from(&*path),
        locations: List::from(&here[..]),
    }
    .encode(&mut w);
    w.into_vec().into_boxed_slice()
}
