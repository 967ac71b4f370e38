//! Wire types written nearly as the RFCs' `.x` files write them.

/// Declares structs, unions and enums with both codecs.
///
/// * `struct Name<'a> { field: Type, bounded: &'a [u8] [max LIMIT] }`
/// * `union Name<'a> { 0 => Unit, 1 => One(value: u32), 2 => Many { a: u32, b: bool } }`, and
///   `; default Other` for discriminants with an empty body that are not listed.
/// * `enum Name { Variant = 1 "RFC_NAME" }`: closed, since a value outside the list is not XDR of
///   that type.
///
/// Docs of fields and variants are generated where none is written.
macro_rules! xdr {
    () => {};

    ($(#[$m:meta])* struct $name:ident <$lt:lifetime> { $($body:tt)* } $($rest:tt)*) => {
        xdr!(@struct [$(#[$m])*] $name [<$lt>] $lt { $($body)* });
        xdr!($($rest)*);
    };
    ($(#[$m:meta])* struct $name:ident { $($body:tt)* } $($rest:tt)*) => {
        xdr!(@struct [$(#[$m])*] $name [] 'xdr { $($body)* });
        xdr!($($rest)*);
    };
    ($(#[$m:meta])* union $name:ident <$lt:lifetime> { $($body:tt)* } $($rest:tt)*) => {
        xdr!(@union [$(#[$m])*] $name [<$lt>] $lt { $($body)* });
        xdr!($($rest)*);
    };
    ($(#[$m:meta])* union $name:ident { $($body:tt)* } $($rest:tt)*) => {
        xdr!(@union [$(#[$m])*] $name [] 'xdr { $($body)* });
        xdr!($($rest)*);
    };

    ($(#[$m:meta])* enum $name:ident {
        $( $v:ident = $n:literal $rfc:literal ),* $(,)?
    } $($rest:tt)*) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name {
            $( #[doc = concat!("`", $rfc, "`, ", stringify!($n), ".")] $v = $n, )*
        }

        impl $name {
            /// Every value of the type.
            pub const ALL: &'static [Self] = &[$( Self::$v ),*];

            /// The value on the wire.
            #[inline]
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// The name in the RFC.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$v => $rfc, )*
                }
            }

            /// The value that has this number on the wire.
            #[inline]
            pub const fn from_number(n: u32) -> Option<Self> {
                match n {
                    $( $n => Some(Self::$v), )*
                    _ => None,
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }

        $crate::xdr::as_debug!($name);

        impl $crate::xdr::Encode for $name {
            #[inline]
            fn encode(&self, w: &mut $crate::xdr::Writer) {
                w.u32(self.number());
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl $crate::xdr::sample::Sample for $name {
            fn sample(
                tape: &mut $crate::xdr::sample::Tape<'_>,
                w: &mut $crate::xdr::Writer,
            ) {
                let numbers = [$($n),*];
                w.u32(numbers.get(tape.below(numbers.len())).copied().unwrap_or_default());
            }
        }

        impl<'xdr> $crate::xdr::Decode<'xdr> for $name {
            const MIN: usize = 4;

            #[inline]
            fn decode(
                r: &mut $crate::xdr::Reader<'xdr>,
            ) -> Result<Self, $crate::xdr::XdrError> {
                Self::from_number(r.u32()?).ok_or($crate::xdr::XdrError::BadDiscriminant)
            }
        }

        xdr!($($rest)*);
    };

    (@struct [$($m:tt)*] $name:ident [$($g:tt)*] $lt:lifetime {
        $( $(#[$fm:meta])* $f:ident : $t:ty $([max $max:expr])? ),* $(,)?
    }) => {
        $($m)*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name $($g)* {
            $(
                #[doc = concat!("`", stringify!($f), "`.")]
                $(#[$fm])*
                pub $f: $t,
            )*
        }

        impl $($g)* core::fmt::Debug for $name $($g)* {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::xdr::Show::show(self, f)
            }
        }

        impl $($g)* $crate::xdr::Show for $name $($g)* {
            fn show(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut between = "";
                f.write_str("{")?;
                $(
                    f.write_str(between)?;
                    f.write_str(concat!(stringify!($f), "="))?;
                    $crate::xdr::Show::show(&self.$f, f)?;
                    between = " ";
                )*
                let _ = between;
                f.write_str("}")
            }
        }

        impl $($g)* $crate::xdr::Encode for $name $($g)* {
            #[inline]
            fn encode(&self, w: &mut $crate::xdr::Writer) {
                $( $crate::xdr::Encode::encode(&self.$f, w); )*
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl $($g)* $crate::xdr::sample::Sample for $name $($g)* {
            fn sample(
                tape: &mut $crate::xdr::sample::Tape<'_>,
                w: &mut $crate::xdr::Writer,
            ) {
                $( xdr!(@sample tape, w, $t $(, $max)?); )*
            }
        }

        impl<$lt> $crate::xdr::Decode<$lt> for $name $($g)* {
            const MIN: usize = 0 $( + <$t as $crate::xdr::Decode<$lt>>::MIN )*;

            #[inline]
            fn decode(
                r: &mut $crate::xdr::Reader<$lt>,
            ) -> Result<Self, $crate::xdr::XdrError> {
                Ok(Self { $( $f: xdr!(@decode r, $lt, $t $(, $max)?), )* })
            }
        }
    };

    (@union [$($m:tt)*] $name:ident [$($g:tt)*] $lt:lifetime {
        $(
            $d:expr => $v:ident
            $( ( $b:ident : $bt:ty $([max $bmax:expr])? ) )?
            $( { $( $f:ident : $t:ty $([max $max:expr])? ),* $(,)? } )?
        ),* $(,)?
        $( ; default $dv:ident )?
    }) => {
        $($m)*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum $name $($g)* {
            $(
                #[doc = concat!("The arm `", stringify!($d), "`.")]
                $v
                $( (#[doc = concat!("`", stringify!($b), "`.")] $bt) )?
                $( { $( #[doc = concat!("`", stringify!($f), "`.")] $f: $t, )* } )?
                ,
            )*
            $(
                /// Any other discriminant; its body is empty.
                $dv(u32),
            )?
        }

        impl $($g)* $name $($g)* {
            /// The discriminant on the wire.
            pub const fn discriminant(&self) -> u32 {
                match self {
                    $( Self::$v { .. } => $d, )*
                    $( Self::$dv(d) => *d, )?
                }
            }
        }

        impl $($g)* core::fmt::Debug for $name $($g)* {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::xdr::Show::show(self, f)
            }
        }

        impl $($g)* $crate::xdr::Show for $name $($g)* {
            fn show(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $(
                        Self::$v $( ($b) )? $( { $( $f ),* } )? => {
                            f.write_str(stringify!($v))?;
                            $(
                                f.write_str("(")?;
                                $crate::xdr::Show::show($b, f)?;
                                f.write_str(")")?;
                            )?
                            $(
                                f.write_str("{")?;
                                $(
                                    f.write_str(concat!(" ", stringify!($f), "="))?;
                                    $crate::xdr::Show::show($f, f)?;
                                )*
                                f.write_str(" }")?;
                            )?
                            Ok(())
                        }
                    )*
                    $( Self::$dv(d) => write!(f, concat!(stringify!($dv), "({})"), d), )?
                }
            }
        }

        impl $($g)* $crate::xdr::Encode for $name $($g)* {
            #[inline]
            fn encode(&self, w: &mut $crate::xdr::Writer) {
                w.u32(self.discriminant());
                match self {
                    $(
                        Self::$v $( ($b) )? $( { $( $f ),* } )? => {
                            $( $crate::xdr::Encode::encode($b, w); )?
                            $( $( $crate::xdr::Encode::encode($f, w); )* )?
                        }
                    )*
                    $( Self::$dv(_) => {} )?
                }
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl $($g)* $crate::xdr::sample::Sample for $name $($g)* {
            fn sample(
                tape: &mut $crate::xdr::sample::Tape<'_>,
                w: &mut $crate::xdr::Writer,
            ) {
                let numbers: &[u32] = &[$($d),* $(, xdr!(@unlisted $dv))?];
                let discriminant = numbers.get(tape.below(numbers.len())).copied();
                let discriminant = discriminant.unwrap_or_default();
                w.u32(discriminant);
                $(
                    if discriminant == $d {
                        $( xdr!(@sample tape, w, $bt $(, $bmax)?); )?
                        $( $( xdr!(@sample tape, w, $t $(, $max)?); )* )?
                    }
                )*
            }
        }

        impl<$lt> $crate::xdr::Decode<$lt> for $name $($g)* {
            const MIN: usize = 4;

            #[inline]
            fn decode(
                r: &mut $crate::xdr::Reader<$lt>,
            ) -> Result<Self, $crate::xdr::XdrError> {
                let discriminant = r.u32()?;
                $(
                    if discriminant == $d {
                        return Ok(Self::$v
                            $( (xdr!(@decode r, $lt, $bt $(, $bmax)?)) )?
                            $( { $( $f: xdr!(@decode r, $lt, $t $(, $max)?), )* } )?
                        );
                    }
                )*
                xdr!(@default discriminant $(, $dv)?)
            }
        }
    };

    (@sample $tape:ident, $w:ident, $t:ty) => {
        <$t as $crate::xdr::sample::Sample>::sample($tape, $w)
    };
    (@sample $tape:ident, $w:ident, $t:ty, $max:expr) => {
        <$t as $crate::xdr::sample::Sample>::sample_max($tape, $w, $max)
    };

    // A discriminant that no union lists.
    (@unlisted $dv:ident) => { 0x7fff_fff0 };

    (@default $d:ident) => { Err($crate::xdr::XdrError::BadDiscriminant) };
    (@default $d:ident, $dv:ident) => { Ok(Self::$dv($d)) };

    (@decode $r:ident, $lt:lifetime, $t:ty) => {
        <$t as $crate::xdr::Decode<$lt>>::decode($r)?
    };
    (@decode $r:ident, $lt:lifetime, $t:ty, $max:expr) => {
        <$t as $crate::xdr::DecodeMax<$lt>>::decode_max($r, $max)?
    };
}

pub(crate) use xdr;
