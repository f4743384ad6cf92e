//! Files that use each other, directly or through others.
//!
//! A folder is one room: its files may use what its `mod.rs` defines, and `mod.rs` may use its files. What counts is
//! where a name is defined: a path that leads through a re-export leads to the file behind it. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::{paths, without_comment};

/// Modules by their path (`media::links::cache`).
type Modules<'f> = BTreeMap<String, Module<'f>>;

struct Module<'f> {
    file: &'f str,
    /// Paths that its code names, re-exports apart.
    used: Vec<String>,
    /// Full paths by the names that it re-exports.
    reexported: BTreeMap<String, String>,
}

/// Each circle, as its files.
pub fn circles(files: &[(String, String)]) -> Vec<BTreeSet<&str>> {
    let modules: Modules<'_> = files.iter().filter_map(|(file, text)| module(file, text)).collect();
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        modules.keys().map(|name| (name.as_str(), used_by(name, &modules))).collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for name in uses.keys().filter(|name| reached(&uses[**name], &uses).contains(*name)) {
        let from_here = reached(&uses[*name], &uses);
        let circle = from_here.into_iter().filter(|other| reached(&uses[other], &uses).contains(name));
        let circle = circle.map(|name| modules[name].file).collect();
        if !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn module<'f>(file: &'f str, text: &str) -> Option<(String, Module<'f>)> {
    let is_test = ["tests.rs", "test.rs"].iter().any(|end| file.ends_with(end)) || file.contains("/tests/");
    if is_test || matches!(file, "main.rs" | "lib.rs") {
        return None;
    }
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    let code: String = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    // Unit tests come last in a file.
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let (mut used, mut reexported) = (String::new(), BTreeMap::new());
    for statement in code.split_inclusive(';') {
        match statement.trim_start().strip_prefix("pub use ") {
            Some(names) => reexported.extend(paths(names).filter_map(|path| {
                let (_, last) = path.rsplit_once("::")?;
                Some((last.to_owned(), path.clone()))
            })),
            None => used.push_str(statement),
        }
    }
    Some((name, Module { file, used: paths(&used).collect(), reexported }))
}

/// The modules that `name` uses, itself and those that it is in apart.
fn used_by<'m>(name: &str, modules: &'m Modules<'_>) -> BTreeSet<&'m str> {
    let found = modules[name].used.iter().filter_map(|path| resolve(name, path, modules, 0));
    found.filter(|other| *other != name && !name.starts_with(&format!("{other}::"))).collect()
}

/// The module in which what `path` names from within `name` is defined.
fn resolve<'m>(name: &str, path: &str, modules: &'m Modules<'_>, depth: usize) -> Option<&'m str> {
    let mut base: Vec<&str> = name.split("::").collect();
    let mut segments = path.split("::").peekable();
    if segments.next_if_eq(&"crate").is_some() {
        base.clear();
    } else if segments.next_if_eq(&"self").is_none() {
        let climbs = std::iter::from_fn(|| segments.next_if_eq(&"super")).count();
        base.truncate(base.len().saturating_sub(climbs));
        let first = segments.peek()?;
        if climbs == 0 && !modules.contains_key(&format!("{name}::{first}")) {
            return None;
        }
    }
    let child = |base: &[&str], segment: &str| [base, &[segment]].concat().join("::");
    while let Some(segment) = segments.next_if(|segment| modules.contains_key(&child(&base, segment))) {
        base.push(segment);
    }
    let (found, module) = modules.get_key_value(&base.join("::"))?;
    let behind = segments.peek().and_then(|item| module.reexported.get(*item));
    match behind.filter(|_| depth < 6) {
        Some(path) => resolve(found, path, modules, depth + 1).or(Some(found)),
        None => Some(found),
    }
}

/// Everything that is reached from `starts`.
fn reached<'m>(starts: &BTreeSet<&'m str>, uses: &BTreeMap<&'m str, BTreeSet<&'m str>>) -> BTreeSet<&'m str> {
    let (mut seen, mut next): (BTreeSet<&str>, Vec<&str>) =
        (BTreeSet::new(), starts.iter().copied().collect());
    while let Some(name) = next.pop() {
        if seen.insert(name) {
            next.extend(uses.get(name).into_iter().flatten());
        }
    }
    seen
}

#[test]
fn a_circle_is_found_and_a_room_is_none() {
    let files = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
    };
    let round = files(&[
        ("net/mod.rs", "pub use error::Error;"),
        ("net/error.rs", "use super::guard::Denial;"),
        ("net/guard.rs", "use crate::net::Error;"),
    ]);
    let expected = BTreeSet::from(["net/error.rs", "net/guard.rs"]);
    assert_eq!(circles(&round), [expected], "through a re-export");
    let room = files(&[
        ("net/mod.rs", "mod guard;\nstruct Net(guard::Guard);"),
        ("net/guard.rs", "use super::Net;\n#[cfg(test)]\nmod tests {\n    use super::super::other::X;\n}"),
        ("net/other.rs", "use super::guard::Guard;"),
    ]);
    assert!(circles(&room).is_empty());
}
