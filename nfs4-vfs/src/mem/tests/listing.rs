use super::*;

#[test]
fn a_replaced_name_keeps_its_cookie() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    for name in ["a", "b", "c"] {
        user.touch(dir, name).unwrap();
    }
    let before = user.page(dir, 0, 9).unwrap().0;
    let place = |page: &Page, name: &str| {
        let found = page.iter().find(|(_, found, ..)| found == name).unwrap();
        (found.0, found.2)
    };
    // Within the directory, and from another one.
    user.rename((dir, "c"), (dir, "a")).unwrap();
    let after = user.page(dir, 0, 9).unwrap().0;
    assert_eq!(after.len(), 2);
    assert_eq!(
        place(&after, "a"),
        (place(&before, "a").0, place(&before, "c").1)
    );
    let other = user.touch(user.top(), "other").unwrap();
    user.rename((user.top(), "other"), (dir, "a")).unwrap();
    let after = user.page(dir, 0, 9).unwrap().0;
    assert_eq!(place(&after, "a"), (place(&before, "a").0, other));
}
