//! The floors of the building: a module uses only lower ones.
//!
//! Read off the source text, so that a climb fails here with the line that makes it.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/circles.rs"]
mod circles;

/// Rooms by floor. A new room gets its floor here.
const FLOORS: &[(&str, u8)] = &[
    ("wire", 0),
    ("onprem", 0),
    ("cloud", 0),
    ("translate", 1),
    ("http_cache", 1),
    ("config", 2),
    ("net", 2),
    ("http1", 2),
    ("runtime", 2),
    ("upstream", 3),
    ("session", 3),
    ("settings", 3),
    ("store", 3),
    ("media", 4),
    ("callback", 4),
    ("number", 5),
    ("relay", 6),
    ("webhook", 7),
    ("server", 8),
    ("app", 9),
    ("cli", 10),
];

/// Rooms beside the building, which use none of ours.
const SIDE: &[&str] = &["telemetry", "clock", "mock"];

/// Steps on one floor that are allowed.
const NEIGHBOURS: &[(&str, &str)] =
    &[("onprem", "wire"), ("cloud", "wire"), ("session", "store"), ("settings", "store")];

/// What floors 0 and 1 may not touch: I/O, clocks, logs.
const IMPURE: &[&str] = &[
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "getrandom",
    "http",
    "hyper",
    "hyper_util",
    "jiff",
    "rusqlite",
    "rustls",
    "tokio",
    "tracing",
];

/// Exceptions: types without I/O.
const PURE: &[(&str, &str)] = &[("http_cache", "http")];

/// Longer files have more than one subject.
const LONGEST: usize = 500;

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == room).map(|(_, floor)| *floor)
}

fn is_room(name: &str) -> bool {
    floor(name).is_some() || SIDE.contains(&name)
}

/// Whether `from` may use `to`.
fn may_use(from: &str, to: &str) -> bool {
    if from == to || NEIGHBOURS.contains(&(from, to)) {
        return true;
    }
    match (floor(from), floor(to)) {
        (Some(from), Some(to)) => to < from,
        // Only the command line runs the mock; floors 0 and 1 neither count nor look at the clock.
        (Some(from), None) => {
            if to == "mock" {
                from == 10
            } else {
                from >= 2
            }
        }
        (None, _) => false,
    }
}

/// Everything that is wrong with one file of `src/`; `path` is relative to `src/`.
fn problems(path: &str, text: &str) -> Vec<String> {
    let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if matches!(room, "main" | "lib") {
        return Vec::new();
    }
    if !is_room(room) {
        return vec![format!("{path}: {room} has no floor")];
    }
    let code: String = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for used in rooms_used(path, &code) {
        if !may_use(room, &used) {
            found.push(format!("{path}: {room} uses {used}"));
        }
    }
    if floor(room).is_some_and(|floor| floor < 2) {
        let impure = IMPURE.iter().filter(|name| !PURE.contains(&(room, *name)));
        for name in impure.filter(|name| paths(&code).any(|path| touches(&path, name))) {
            found.push(format!("{path}: {room} is pure and uses {name}"));
        }
    }
    found
}

/// Whether `path` is or leads into `name`: a type by its last name, anything else by its whole path. A lone
/// word in lower case may as well be a variable.
fn touches(path: &str, name: &str) -> bool {
    if name.starts_with(char::is_uppercase) {
        return path.split("::").any(|segment| segment == name);
    }
    path.strip_prefix(name)
        .is_some_and(|rest| rest.starts_with("::") || rest.is_empty() && name.contains("::"))
}

/// The line without `// …`; a `//` within a string is as good as a comment here.
fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Every path (`a::b::c`), with groups (`a::{b, c::d}`) written out.
fn paths(code: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => current.push(c),
            ':' if chars.peek() == Some(&':') => {
                chars.next();
                current.push_str("::");
            }
            '{' => {
                let is_group = current.ends_with("::");
                let prefix = if is_group { joined(&prefixes, &current) } else { String::new() };
                prefixes.push(prefix);
                current.clear();
            }
            _ => {
                if !current.is_empty() {
                    found.push(joined(&prefixes, &current));
                    current.clear();
                }
                if c == '}' {
                    prefixes.pop();
                }
            }
        }
    }
    found.push(joined(&prefixes, &current));
    found.into_iter()
}

fn joined(prefixes: &[String], path: &str) -> String {
    format!("{}{path}", prefixes.last().map_or("", String::as_str))
}

/// The rooms that `code` names by a path from the crate's root, or by climbing out with `super`.
fn rooms_used(path: &str, code: &str) -> Vec<String> {
    let depth = path.trim_end_matches("/mod.rs").split('/').count();
    let mut rooms: Vec<_> = paths(code)
        .filter_map(|path| {
            let mut segments = path.split("::").peekable();
            let mut climbs = 0;
            while segments.next_if_eq(&"super").is_some() {
                climbs += 1;
            }
            let is_root = segments.next_if(|name| matches!(*name, "crate" | "prembridge")).is_some();
            let name = segments.next()?;
            (is_room(name) && (is_root || climbs >= depth)).then(|| name.to_owned())
        })
        .collect();
    rooms.sort();
    rooms.dedup();
    rooms
}

/// The Rust files below `folder`, as paths relative to it.
fn rust_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).unwrap() {
            let entry = entry.unwrap();
            let path = inner.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(folder.join(&path)).unwrap();
                files.push((path.to_str().unwrap().replace('\\', "/"), text));
            }
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn nobody_climbs() {
    let files = rust_files(&root().join("src"));
    assert!(files.len() > 50, "the source was not found");
    let found: Vec<_> = files.iter().flat_map(|(path, text)| problems(path, text)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_files_go_round_in_circles() {
    let files = rust_files(&root().join("src"));
    let found: Vec<_> = circles::circles(&files)
        .into_iter()
        .filter(|circle| !circle.iter().all(|file| file.starts_with("mock/")))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_room_is_there() {
    for room in FLOORS.iter().map(|(room, _)| *room).chain(SIDE.iter().copied()) {
        let src = root().join("src");
        assert!(src.join(room).is_dir() || src.join(format!("{room}.rs")).is_file(), "{room}");
    }
}

/// One folder is one room: `foo/mod.rs`, not `foo.rs` beside `foo/`.
#[test]
fn no_file_stands_beside_its_folder() {
    let src = root().join("src");
    for (path, _) in rust_files(&src) {
        assert!(!src.join(path.trim_end_matches(".rs")).is_dir(), "{path}");
    }
}

#[test]
fn no_file_is_too_long_and_no_test_is_skipped() {
    let skipped = concat!("#[", "ignore");
    for folder in ["src", "tests", "benches"] {
        for (path, text) in rust_files(&root().join(folder)) {
            let lines = text.lines().count();
            assert!(lines <= LONGEST, "{folder}/{path} has {lines} lines");
            assert!(!text.contains(skipped), "{folder}/{path} skips a test");
        }
    }
}

/// A property test that draws other cases each time fails by chance, in somebody else's run.
#[test]
fn every_property_test_is_seeded() {
    let marks = [concat!("proptest!", " {"), concat!("proptest!", "("), concat!("Test", "Runner::")];
    let is_seeded = |rest: &str| rest.lines().take(2).any(|line| line.contains("seeded::config("));
    let mut found = 0;
    for folder in ["src", "tests"] {
        for (path, text) in rust_files(&root().join(folder)) {
            for mark in marks {
                for (at, _) in text.match_indices(mark) {
                    found += 1;
                    assert!(is_seeded(&text[at..]), "{folder}/{path}: use seeded::config for {mark}");
                }
            }
        }
    }
    assert!(found > 40, "property tests were not found: {found}");
}

#[test]
fn the_checker_sees_climbs() {
    for (path, line, expected) in [
        ("wire/mod.rs", "use crate::onprem::ErrorCode;", "wire uses onprem"),
        ("onprem/mod.rs", "use crate::cloud::reply;", "onprem uses cloud"),
        ("cloud/mod.rs", "use crate::onprem::{self, Invalid};", "cloud uses onprem"),
        ("cloud/mod.rs", "pub use crate::translate::Notes;", "cloud uses translate"),
        ("translate/mod.rs", "use crate::config::Config;", "translate uses config"),
        ("translate/message/text.rs", "let now = crate::clock::Clock::system();", "translate uses clock"),
        ("onprem/read.rs", "use crate::telemetry::Metrics;", "onprem uses telemetry"),
        ("config/mod.rs", "use crate::net::Connector;", "config uses net"),
        ("net/mod.rs", "use crate::{config::Tls, telemetry};", "net uses config"),
        ("store/mod.rs", "use crate::session::Role;", "store uses session"),
        (
            "upstream/mod.rs",
            "use crate::{\n    net::Connector,\n    store::Store,\n};",
            "upstream uses store",
        ),
        ("session/login.rs", "fn f(state: &crate::server::State) {}", "session uses server"),
        ("server/state.rs", "use crate::app::App;", "server uses app"),
        ("app/mod.rs", "use crate::mock::MockCloud;", "app uses mock"),
        ("app/mod.rs", "use prembridge::cli;", "app uses cli"),
        ("mock/mod.rs", "use crate::wire::Str;", "mock uses wire"),
        ("telemetry/mod.rs", "use crate::onprem::ErrorCode;", "telemetry uses onprem"),
        ("clock.rs", "use crate::telemetry::Metrics;", "clock uses telemetry"),
        ("wire/mod.rs", "use super::onprem::ErrorCode;", "wire uses onprem"),
        ("wire/object.rs", "use super::super::onprem::ErrorCode;", "wire uses onprem"),
        ("attic/mod.rs", "", "attic has no floor"),
        ("wire/mod.rs", "use std::fs;", "wire is pure and uses std::fs"),
        ("onprem/mod.rs", "use std::{fmt, net::IpAddr};", "onprem is pure and uses std::net"),
        ("onprem/mod.rs", "use std::time::SystemTime;", "onprem is pure and uses SystemTime"),
        ("translate/mod.rs", "let at = std::time::Instant::now();", "translate is pure and uses Instant"),
        ("translate/mod.rs", "tokio::task::yield_now().await;", "translate is pure and uses tokio"),
        ("translate/mod.rs", "tracing::info!(\"x\");", "translate is pure and uses tracing"),
        ("cloud/mod.rs", "use hyper::body::Bytes;", "cloud is pure and uses hyper"),
        ("cloud/mod.rs", "use http::HeaderMap;", "cloud is pure and uses http"),
        ("http_cache/policy.rs", "use hyper::HeaderMap;", "http_cache is pure and uses hyper"),
        ("http_cache/policy.rs", "use crate::media::Media;", "http_cache uses media"),
    ] {
        assert_eq!(problems(path, line), [format!("{path}: {expected}")], "{line}");
    }
}

#[test]
fn the_checker_lets_the_rest_be() {
    for (path, text) in [
        ("onprem/mod.rs", "use crate::wire::Str;\nuse super::Invalid;"),
        ("onprem/message/mod.rs", "use crate::onprem::ErrorCode;\nuse super::super::read;"),
        (
            "translate/mod.rs",
            "/// Unlike [`crate::server::State`] this is pure. // tokio::spawn\nuse crate::cloud;",
        ),
        ("translate/errors/mod.rs", "let x = Verdict { http, class };\nlet http = failure.http;"),
        ("session/mod.rs", "use crate::{clock::Clock, store::{self, Store}, telemetry::Metrics};"),
        ("server/state.rs", "let store = 1; let app = store; app.cli();"),
        ("cli/demo/mod.rs", "use crate::app::App;\nuse crate::mock::MockCloud;"),
        ("main.rs", "prembridge::cli::main()"),
        ("http_cache/policy.rs", "use http::{HeaderMap, StatusCode};"),
    ] {
        assert_eq!(problems(path, text), Vec::<String>::new(), "{text}");
    }
}
