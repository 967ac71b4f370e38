//! How a value is written to a log, and read back.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use core::time::Duration;

use bytes::Bytes;
use nfs4_proto::xdr::{Reader, Writer, XdrError};

/// A value in a log, in XDR. [RFC 4506]
pub(super) trait Value: Sized {
    fn put(&self, w: &mut Writer);
    fn take(r: &mut Reader<'_>) -> Result<Self, XdrError>;
}

/// A struct whose fields are all named: one that is forgotten does not compile.
macro_rules! structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Value for $name {
            fn put(&self, w: &mut Writer) {
                let $name { $($field),* } = self;
                $($field.put(w);)*
            }

            fn take(r: &mut Reader<'_>) -> Result<Self, XdrError> {
                Ok($name { $($field: Value::take(r)?),* })
            }
        }
    )*};
}

/// An enum with a number for each variant, all of which are named, with all their fields.
macro_rules! enums {
    ($($name:ident {
        $($tag:literal = $variant:ident $(($($item:ident),*))? $({$($field:ident),*})?),* $(,)?
    })*) => {$(
        impl Value for $name {
            fn put(&self, w: &mut Writer) {
                match self {
                    $($name::$variant $(($($item),*))? $({$($field),*})? => {
                        w.u32($tag);
                        $($($item.put(w);)*)?
                        $($($field.put(w);)*)?
                    })*
                }
            }

            fn take(r: &mut Reader<'_>) -> Result<Self, XdrError> {
                Ok(match r.u32()? {
                    $($tag => $name::$variant
                        $(($({ let $item = Value::take(r)?; $item }),*))?
                        $({$($field: Value::take(r)?),*})?,)*
                    _ => return Err(XdrError::BadDiscriminant),
                })
            }
        }
    )*};
}

/// Wire types, which have a codec of their own.
macro_rules! wire_types {
    ($($name:ty),* $(,)?) => {$(
        impl Value for $name {
            fn put(&self, w: &mut Writer) {
                nfs4_proto::xdr::Encode::encode(self, w);
            }

            fn take(r: &mut Reader<'_>) -> Result<Self, XdrError> {
                nfs4_proto::xdr::Decode::decode(r)
            }
        }
    )*};
}

pub(super) use {enums, structs, wire_types};

/// The element of a list of variants that a number stands for.
pub(super) fn variant<T: Copy>(all: &[T], r: &mut Reader<'_>) -> Result<T, XdrError> {
    let number = usize::try_from(r.u32()?).unwrap_or(usize::MAX);
    all.get(number).copied().ok_or(XdrError::BadDiscriminant)
}

macro_rules! primitives {
    ($($name:ty: $method:ident),*) => {$(
        impl Value for $name {
            fn put(&self, w: &mut Writer) {
                w.$method(*self);
            }

            fn take(r: &mut Reader<'_>) -> Result<Self, XdrError> {
                r.$method()
            }
        }
    )*};
}

/// The answer to what has none but that it is done.
impl Value for () {
    fn put(&self, _: &mut Writer) {}

    fn take(_: &mut Reader<'_>) -> Result<(), XdrError> {
        Ok(())
    }
}

primitives!(u32: u32, u64: u64, i64: i64, bool: bool);

impl Value for u16 {
    fn put(&self, w: &mut Writer) {
        w.u32(u32::from(*self));
    }

    fn take(r: &mut Reader<'_>) -> Result<u16, XdrError> {
        u16::try_from(r.u32()?).map_err(|_| XdrError::TooLong)
    }
}

impl<const N: usize> Value for [u8; N] {
    fn put(&self, w: &mut Writer) {
        w.fixed(self);
    }

    fn take(r: &mut Reader<'_>) -> Result<[u8; N], XdrError> {
        r.array()
    }
}

impl Value for Vec<u8> {
    fn put(&self, w: &mut Writer) {
        w.opaque(self);
    }

    fn take(r: &mut Reader<'_>) -> Result<Vec<u8>, XdrError> {
        r.opaque(usize::MAX).map(<[u8]>::to_vec)
    }
}

impl Value for Bytes {
    fn put(&self, w: &mut Writer) {
        w.opaque(self);
    }

    fn take(r: &mut Reader<'_>) -> Result<Bytes, XdrError> {
        r.opaque(usize::MAX).map(Bytes::copy_from_slice)
    }
}

impl Value for String {
    fn put(&self, w: &mut Writer) {
        w.opaque(self.as_bytes());
    }

    fn take(r: &mut Reader<'_>) -> Result<String, XdrError> {
        String::from_utf8(Value::take(r)?).map_err(|_| XdrError::BadDiscriminant)
    }
}

impl<T: Value> Value for Option<T> {
    fn put(&self, w: &mut Writer) {
        w.bool(self.is_some());
        if let Some(value) = self {
            value.put(w);
        }
    }

    fn take(r: &mut Reader<'_>) -> Result<Option<T>, XdrError> {
        // The last field of an action of an older log may lack.
        Ok(if !r.is_empty() && r.bool()? {
            Some(T::take(r)?)
        } else {
            None
        })
    }
}

impl<T: Value, E: Value> Value for Result<T, E> {
    fn put(&self, w: &mut Writer) {
        w.bool(self.is_ok());
        match self {
            Ok(value) => value.put(w),
            Err(error) => error.put(w),
        }
    }

    fn take(r: &mut Reader<'_>) -> Result<Result<T, E>, XdrError> {
        Ok(if r.bool()? {
            Ok(T::take(r)?)
        } else {
            Err(E::take(r)?)
        })
    }
}

/// A list grows with what was read of it: a large number before few bytes takes no memory.
impl<T: Value> Value for Vec<T> {
    fn put(&self, w: &mut Writer) {
        w.u32(u32::try_from(self.len()).unwrap_or(u32::MAX));
        self.iter().for_each(|value| value.put(w));
    }

    fn take(r: &mut Reader<'_>) -> Result<Vec<T>, XdrError> {
        let mut values = Vec::new();
        for _ in 0..r.u32()? {
            values.push(T::take(r)?);
        }
        Ok(values)
    }
}

impl<T: Value> Value for Arc<T> {
    fn put(&self, w: &mut Writer) {
        (**self).put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<Arc<T>, XdrError> {
        T::take(r).map(Arc::new)
    }
}

impl<T: Value> Value for Box<T> {
    fn put(&self, w: &mut Writer) {
        (**self).put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<Box<T>, XdrError> {
        T::take(r).map(Box::new)
    }
}

impl Value for Duration {
    fn put(&self, w: &mut Writer) {
        w.u64(self.as_secs());
        w.u32(self.subsec_nanos());
    }

    fn take(r: &mut Reader<'_>) -> Result<Duration, XdrError> {
        let (seconds, nanos) = (r.u64()?, r.u32()?);
        // More would be carried over to the seconds, which may overflow.
        if nanos >= 1_000_000_000 {
            return Err(XdrError::TooLong);
        }
        Ok(Duration::new(seconds, nanos))
    }
}

impl Value for IpAddr {
    fn put(&self, w: &mut Writer) {
        match self {
            IpAddr::V4(ip) => {
                w.u32(4);
                w.fixed(&ip.octets());
            }
            IpAddr::V6(ip) => {
                w.u32(6);
                w.fixed(&ip.octets());
            }
        }
    }

    fn take(r: &mut Reader<'_>) -> Result<IpAddr, XdrError> {
        match r.u32()? {
            4 => Ok(IpAddr::V4(Ipv4Addr::from(r.array::<4>()?))),
            6 => Ok(IpAddr::V6(Ipv6Addr::from(r.array::<16>()?))),
            _ => Err(XdrError::BadDiscriminant),
        }
    }
}

impl Value for SocketAddr {
    fn put(&self, w: &mut Writer) {
        self.ip().put(w);
        self.port().put(w);
        let (flow, scope) = match self {
            SocketAddr::V4(_) => (0, 0),
            SocketAddr::V6(address) => (address.flowinfo(), address.scope_id()),
        };
        w.u32(flow);
        w.u32(scope);
    }

    fn take(r: &mut Reader<'_>) -> Result<SocketAddr, XdrError> {
        let (ip, port) = (IpAddr::take(r)?, u16::take(r)?);
        let (flow, scope) = (r.u32()?, r.u32()?);
        Ok(match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, flow, scope).into(),
        })
    }
}
