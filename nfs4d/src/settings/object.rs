//! Settings in a JSON object.

use std::fmt;

use nfs4_admin::{SETTINGS, SettingsPatch};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::names::{like, shown};
use super::table;
use super::wrong::Wrong;

/// An object that has each field once: of two, programs take the first or the last as they like.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object, D::Error> {
        from.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = fields.next_entry::<String, Value>()? {
            if object.contains_key(&name) {
                let shown = shown(&name);
                return Err(A::Error::custom(format_args!("{shown} is given twice")));
            }
            object.insert(name, value);
        }
        Ok(Object(object))
    }
}

/// The settings of a flat object, and every field that is no setting, or whose value is of another kind; a range is
/// not looked at.
pub(crate) fn settings_of(object: &Map<String, Value>) -> (SettingsPatch, Vec<Wrong>) {
    let mut patch = SettingsPatch::default();
    let mut wrong = Vec::new();
    for (name, value) in object {
        match one(name, value) {
            Ok(one) => patch = patch.overlaid(&one),
            Err(fault) => wrong.push(fault),
        }
    }
    (patch, wrong)
}

fn one(name: &str, value: &Value) -> Result<SettingsPatch, Wrong> {
    let known = SETTINGS.iter().map(|setting| setting.name);
    if !known.clone().any(|known| known == name) {
        let advice = like(name, known).map(|meant| format!("; {meant} is one"));
        let detail = format!("there is no such setting{}", advice.unwrap_or_default());
        return Err(Wrong::unknown(&shown(name), detail));
    }
    let object = Map::from_iter([(name.to_owned(), value.clone())]);
    let patch = serde_json::from_value::<SettingsPatch>(Value::Object(object));
    // A null would be taken for a field that is not there.
    let patch = patch.ok().filter(|_| !value.is_null());
    let mut patch = patch.ok_or_else(|| Wrong::value(name))?;
    let read = table::canonical(&mut patch);
    read.map_err(|detail| Wrong::unknown(name, detail))?;
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let object = json!({
            "lease_tim": 5,
            "grace_time": -1,
            "max_clients": "many",
            "delegations": 1,
            "v4_binding_policy": "open",
            "blocked_operations": ["OPENATR"],
            "max_sessions": null,
            "drain_time": 1.5,
            "max_states": 1e30,
            "callback_pause_ms": 5,
        });
        let (patch, wrong) = settings_of(object.as_object().unwrap());
        assert_eq!(patch.names(), ["callback_pause_ms"]);
        let told: Vec<String> = wrong
            .iter()
            .map(|one| format!("{}: {}", one.name, one.detail))
            .collect();
        let expected = [
            "blocked_operations: expected names of operations of NFSv4, and \"OPENATR\" is none; OPENATTR is one",
            "delegations: expected true or false",
            "drain_time: expected a whole number of seconds from 0 to 3600 without a unit, as in 30",
            "grace_time: expected a whole number of seconds from 0 to 3600 without a unit, as in 0",
            "lease_tim: there is no such setting; lease_time is one",
            "max_clients: expected a whole number from 1 to 65536, as in 16384",
            "max_sessions: expected a whole number from 1 to 1048576, as in 16384",
            "max_states: expected a whole number from 16 to 67108864, as in 1048576",
            "v4_binding_policy: expected exclusive or shared",
        ];
        assert_eq!(told, expected);
        assert_eq!(wrong[3].range, Some((0, 3_600)));
    }

    #[test]
    fn a_field_is_given_once() {
        let read = serde_json::from_str::<Object>;
        let twice = read(r#"{"lease_time": 5, "grace_time": 1, "lease_time": 6}"#);
        let told = twice.unwrap_err();
        assert!(told.is_data());
        assert!(
            told.to_string().starts_with("lease_time is given twice"),
            "{told}"
        );
        assert_eq!(
            read("{\"lease_time\": 5}").unwrap().0,
            *json!({"lease_time": 5}).as_object().unwrap()
        );
    }

    #[test]
    fn a_long_name_is_not_repeated_as_a_whole() {
        let object = Map::from_iter([("x".repeat(60_000), json!(1))]);
        let (_, wrong) = settings_of(&object);
        assert_eq!(wrong[0].name, "x".repeat(64));
    }

    #[test]
    fn what_is_right_is_taken() {
        let object =
            json!({"lease_time": 5, "blocked_operations": ["openattr"], "delegations": false});
        let (patch, wrong) = settings_of(object.as_object().unwrap());
        assert!(wrong.is_empty());
        assert_eq!(
            patch.names(),
            ["lease_time", "blocked_operations", "delegations"]
        );
        assert_eq!(patch.blocked_operations.unwrap(), ["OPENATTR"]);
    }
}
