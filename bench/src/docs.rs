//! The figures in the documentation of the repository.

use std::fs;
use std::path::Path;

use crate::artifact::repository;
use crate::fault::{At as _, Fault};
use crate::plot;
use crate::report::{PLOTS, Report};
use crate::table;

/// Writes tables into `docs/performance.md` and `README.md`, and the plots beside the former.
///
/// # Errors
/// A file cannot be read or written, or has no place for figures.
pub(crate) fn write(report: &Report) -> Result<(), Fault> {
    let root = repository();
    let docs = root.join("docs");
    replace(&docs.join("performance.md"), &table::markdown(report))?;
    replace(&root.join("README.md"), &table::summary(report))?;
    let plots = docs.join(PLOTS);
    fs::create_dir_all(&plots).at(plots.display())?;
    for (name, svg) in plot::all(report) {
        let path = plots.join(name);
        fs::write(&path, svg).at(path.display())?;
    }
    Ok(())
}

fn replace(path: &Path, figures: &str) -> Result<(), Fault> {
    let text = fs::read_to_string(path).at(path.display())?;
    let text = splice(&text, figures).at(path.display())?;
    fs::write(path, text).at(path.display())
}

/// Puts figures between the two lines that mark their place.
fn splice(text: &str, figures: &str) -> Result<String, Fault> {
    let place = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n{figures}{END}{after}"))
    });
    place.ok_or_else(|| Fault::new(format!("no {BEGIN} … {END}")))
}

const BEGIN: &str = "<!-- figures: begin -->";
const END: &str = "<!-- figures: end -->";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = splice(&text, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(splice(&new, "new\n").unwrap(), new);
        assert!(splice("a\nb\n", "new\n").is_err());
    }

    #[test]
    fn the_documents_have_a_place_for_figures() {
        for path in ["docs/performance.md", "README.md"] {
            let text = fs::read_to_string(repository().join(path)).unwrap();
            splice(&text, "").unwrap_or_else(|why| panic!("{path}: {why}"));
        }
    }
}
