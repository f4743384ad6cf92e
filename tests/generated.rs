//! Documents that are written by the code: `UPDATE_README=1` writes them, and without it they must be equal.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

/// Two tests that update at once would lose one update.
static UPDATE: Mutex<()> = Mutex::new(());

/// Holds the file `name` to `expected`.
pub fn keep_file(name: &str, expected: &str) {
    keep(name, |found| (found != expected).then(|| expected.to_owned()));
}

/// Holds the part `part` of the file `name` to `expected`.
pub fn keep_part(name: &str, part: &str, expected: &str) {
    keep(name, |text| {
        let (open, close) = (format!("<!-- generated: {part} -->\n"), format!("<!-- end: {part} -->"));
        let found = between(text, &open, &close).unwrap_or_else(|| panic!("{name} has no part {part}"));
        let (old, new) = (format!("{open}{found}{close}"), format!("{open}{expected}{close}"));
        (found != expected).then(|| text.replace(&old, &new))
    });
}

/// `change` gives the text that the file should have, if it has another.
fn keep(name: &str, change: impl Fn(&str) -> Option<String>) {
    let _alone = UPDATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let found = fs::read_to_string(&path).unwrap_or_default();
    let Some(wanted) = change(&found) else { return };
    assert!(
        std::env::var_os("UPDATE_README").is_some(),
        "{name} is not what the code says; UPDATE_README=1 ./test reference readme writes it"
    );
    fs::write(path, wanted).unwrap();
}

/// What stands between two marks.
pub fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let rest = text.get(text.find(open)? + open.len()..)?;
    rest.get(..rest.find(close)?)
}
