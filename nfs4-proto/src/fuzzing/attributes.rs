//! Attributes: a value alone, sets of numbers, and both together.

use super::print;
use super::walk::inverse;
use crate::nfs4::FattrRaw;
use crate::nfs4::attr::{AttrError, AttrValue, Bitmap, SettableAttrs, num, write_fattr};
use crate::xdr::{Decode, Encode, Reader, Writer};

/// What is read of a `fattr4` is what was written, whether by numbers or as attributes to be set. Its
/// first byte is also taken for the number of an attribute whose value follows.
pub fn attributes(data: &[u8]) {
    if let Some((number, value)) = data.split_first() {
        alone(u32::from(*number), value);
    }
    inverse!(Bitmap, data);
    if let Ok(set) = Bitmap::decode(&mut Reader::new(data)) {
        bitmap(set);
    }
    inverse!(FattrRaw<'_>, data);
    if let Ok(raw) = FattrRaw::decode(&mut Reader::new(data)) {
        fattr(&raw);
        settable(&raw, &(num::READABLE | num::WRITABLE));
        settable(&raw, &num::WRITABLE);
        settable(&raw, &Bitmap::of(&[num::SIZE, num::MODE]));
    }
    decode(data);
}

/// Reads and prints without writing anything.
pub(super) fn decode(data: &[u8]) {
    let mut r = Reader::new(data);
    let Ok(raw) = FattrRaw::decode(&mut r) else {
        return;
    };
    print::value(&raw, data.len());
    print::value(&raw.mask, data.len());
    let _ = SettableAttrs::decode(&raw, &num::WRITABLE);
    assert!(raw.values().count() <= 32 * Bitmap::WORDS + 1);
}

fn alone(number: u32, bytes: &[u8]) {
    let mut r = Reader::new(bytes);
    let value = AttrValue::decode_value(number, &mut r);
    assert!(
        value.is_err() || num::info(number).is_some(),
        "of no attribute"
    );
    let Ok(value) = value else { return };
    assert_eq!(value.number(), number);
    print::value(&value, r.position());
    let mut w = Writer::new();
    value.encode_value(&mut w);
    assert!(w.len() <= r.position(), "it grows");
    let mut again = Reader::new(w.as_slice());
    assert_eq!(AttrValue::decode_value(number, &mut again), Ok(value));
    assert!(again.is_empty(), "something is left");
}

fn bitmap(set: Bitmap) {
    let mut w = Writer::new();
    set.encode(&mut w);
    assert_eq!(w.len(), set.encoded_len());
    let numbers = || (0..96).filter(|n| set.contains(*n));
    assert!(set.iter().eq(numbers()));
    assert_eq!(set.len(), numbers().count());
    let mut built: Bitmap = numbers().collect();
    assert_eq!(built.words(), set.words());
    assert!(set.contains_all(&built) && !built.beyond());
    assert_eq!(set.is_empty(), numbers().next().is_none() && !set.beyond());
    assert_eq!((!set).len() + set.len(), 96);
    assert!(!set.intersects(&!set));
    assert_eq!((set | !set).words(), [u32::MAX; Bitmap::WORDS]);
    for n in set {
        built.remove(n);
        assert!(!built.contains(n) && !built.contains_all(&set));
    }
    assert!(built.is_empty());
}

/// Values that are written with what was read are read the same.
fn fattr(raw: &FattrRaw<'_>) {
    if raw.values().any(|value| value.is_err()) {
        return;
    }
    assert!(
        !raw.mask.beyond(),
        "values of attributes that are not known"
    );
    let mut values = raw.values().flatten();
    let mut w = Writer::new();
    write_fattr(&mut w, raw.mask, |number, w| {
        let value = values.next();
        assert_eq!(value.map(|value| value.number()), Some(number));
        assert_eq!(value, raw.get(number));
        if let Some(value) = value {
            value.encode_value(w);
        }
    });
    assert!(values.next().is_none(), "a value of no number");
    let again = FattrRaw::decode(&mut Reader::new(w.as_slice()));
    assert_eq!(again.map(|again| again.mask), Ok(raw.mask));
    assert!(again.is_ok_and(|again| again.values().eq(raw.values())));
}

fn settable(raw: &FattrRaw<'_>, supported: &Bitmap) {
    match SettableAttrs::decode(raw, supported) {
        Ok(attrs) => {
            assert_eq!(attrs.mask(), raw.mask);
            assert!(supported.contains_all(&raw.mask) && num::WRITABLE.contains_all(&raw.mask));
            let mut w = Writer::new();
            attrs.encode_fattr(&mut w);
            let mut r = Reader::new(w.as_slice());
            let again = FattrRaw::decode(&mut r);
            assert!(r.is_empty(), "something is left");
            let again = again.map(|again| SettableAttrs::decode(&again, supported));
            assert_eq!(again, Ok(Ok(attrs)));
        }
        Err(AttrError::Unsupported(number)) => {
            assert!(raw.mask.contains(number) || raw.mask.beyond());
            assert!(!supported.contains(number));
        }
        Err(AttrError::ReadOnly(number)) => {
            assert!(raw.mask.contains(number) && !num::WRITABLE.contains(number));
        }
        Err(AttrError::Xdr(_)) => {}
    }
}
