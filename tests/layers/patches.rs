//! The patches in the repository: each must fit the files that it changes.

/// The faults of a patch; `read` returns the text of a file that the patch names.
pub(crate) fn misfits(
    name: &str,
    patch: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut file = None;
    let mut before = String::new();
    let mut hunks = 0;
    for line in patch.lines().chain(["@@"]) {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = read(path);
            if file.is_none() {
                faults.push(format!("{name}: there is no {path}"));
            }
        } else if line.starts_with("@@") || line.starts_with("diff ") {
            let fits = file.as_ref().is_none_or(|text| text.contains(&before));
            if !fits {
                faults.push(format!("{name}: hunk {hunks} does not fit any more"));
            }
            before.clear();
            hunks += usize::from(line.starts_with("@@ "));
        } else if let Some(old) = line.strip_prefix([' ', '-'])
            && hunks > 0
            && !line.starts_with("--- ")
        {
            before.push_str(old);
            before.push('\n');
        }
    }
    if hunks == 0 {
        faults.push(format!("{name}: it changes nothing"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::misfits;

    const PATCH: &str = "Why.\n\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n@@ -9 +9 @@\n-nine\n";

    fn of(patch: &str, text: Option<&str>) -> Vec<String> {
        misfits("p", patch, |path| {
            assert_eq!(path, "f");
            text.map(str::to_owned)
        })
    }

    #[test]
    fn each_hunk_must_be_found() {
        assert!(of(PATCH, Some("zero\none\ntwo\nmore\nnine\n")).is_empty());
        assert_eq!(
            of(PATCH, Some("one\n2\nnine\n")),
            ["p: hunk 1 does not fit any more"]
        );
        assert_eq!(
            of(PATCH, Some("one\ntwo\n")),
            ["p: hunk 2 does not fit any more"]
        );
        assert_eq!(of(PATCH, None), ["p: there is no f"]);
        assert_eq!(of("Why.\n", Some("")), ["p: it changes nothing"]);
    }
}
