//! Every setting is changed while the server runs, and clients see it.

use nfs4_admin::{SETTINGS, SettingsPatch};
use nfs4_tests::live::settings::{Effect, assert_all_act, effects, stay};
use serde_json::json;

use super::{Directory, patch, seen_of, start};

#[test]
fn every_setting_has_an_effect() {
    let effects: Vec<&str> = effects().iter().map(|effect| effect.setting).collect();
    let settings = SETTINGS.iter().map(|setting| setting.name);
    // It is seen in the log alone: see the tests of the log.
    let settings: Vec<&str> = settings.filter(|name| *name != "slow_request_ms").collect();
    assert_eq!(effects, settings);
}

#[test]
fn a_patch_of_each_setting_is_seen_by_clients() {
    assert_all_act(|effect| {
        let Effect { setting, value, .. } = effect;
        let directory = Directory::new(setting);
        directory.write("settings.json", &effect.stored());
        if effect.has_former {
            stay(start(&["--state-dir", directory.text()]).address);
        }
        let server = start(&["--state-dir", directory.text()]);
        let before = seen_of(&server, effect);
        let mut change = SettingsPatch::default();
        change.set(setting, value).expect("a value of its kind");
        let change = json!(change);
        let answer = patch(&server, &change);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body[setting], change[setting]);
        [before, seen_of(&server, effect)]
    });
}
