//! Values of TOML or JSON, of which options are read.

use std::fmt;

use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(super) value: Value,
    /// Its first byte in a file; 0 in a request.
    pub(super) at: usize,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(i128),
    Switch(bool),
    List(Vec<Item>),
    Table(Table),
    /// Of another kind, as it is written.
    Other(String),
}

/// Names with their places, and the values that they have.
pub(crate) type Table = Vec<(Name, Item)>;

/// The name of a value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(super) text: String,
    pub(super) at: usize,
}

/// As a fault shows it: a long one is cut.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{:?}", cut(text)),
            Value::Number(number) => write!(f, "{number}"),
            Value::Switch(switch) => write!(f, "{switch}"),
            Value::List(_) => f.write_str("a list"),
            Value::Table(_) => f.write_str("a table"),
            Value::Other(text) => f.write_str(&cut(text)),
        }
    }
}

/// A table of a file.
pub(crate) fn of_toml(table: &DeTable<'_>) -> Table {
    let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let text: &std::borrow::Cow<'_, str> = name.get_ref();
        let name = Name {
            text: text.to_string(),
            at: name.span().start,
        };
        (name, item(value))
    };
    table.iter().map(entry).collect()
}

fn item(value: &Spanned<DeValue<'_>>) -> Item {
    let at = value.span().start;
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other(number.as_str().to_owned()),
        },
        DeValue::Float(number) => Value::Other(number.as_str().to_owned()),
        DeValue::Boolean(switch) => Value::Switch(*switch),
        DeValue::Datetime(time) => Value::Other(time.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(item).collect()),
        DeValue::Table(table) => Value::Table(of_toml(table)),
    };
    Item { value, at }
}

/// An object of a request.
pub(crate) fn of_json(object: &Map<String, Json>) -> Table {
    let entry = |(name, value): (&String, &Json)| {
        let name = Name {
            text: name.clone(),
            at: 0,
        };
        (name, json(value))
    };
    object.iter().map(entry).collect()
}

fn json(value: &Json) -> Item {
    let value = match value {
        Json::String(text) => Value::Text(text.clone()),
        Json::Bool(switch) => Value::Switch(*switch),
        Json::Number(number) => match number.as_i128() {
            Some(number) => Value::Number(number),
            None => Value::Other(number.to_string()),
        },
        Json::Array(items) => Value::List(items.iter().map(json).collect()),
        Json::Object(object) => Value::Table(of_json(object)),
        Json::Null => Value::Other("null".to_owned()),
    };
    Item { value, at: 0 }
}

/// As much of a wrong text as is repeated.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

const SHOWN: usize = 64;
