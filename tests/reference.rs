//! The reference under `docs/` is generated from the tables that the proxy itself works with.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use prembridge::onprem::ErrorCode;
use prembridge::onprem::error::NO_BEHAVIOUR;
use prembridge::onprem::route::{ENDPOINTS, Endpoint, RESOURCES, Resource};
use prembridge::translate::errors::explain;
use prembridge::translate::errors::table::{CLOUD_TO_ONPREM, UNLISTED};
use prembridge::translate::errors::words::{BY_WORDS, WORDED};
use prembridge::translate::rules::{RULES, RuleInfo, Status};

use crate::generated::{keep_file, keep_part};

const COMPATIBILITY: &str = "docs/compatibility.md";

const NOTICE: &str = "<!-- generated: UPDATE_README=1 ./test reference -->\n\n";

#[test]
fn the_matrix_has_every_endpoint() {
    let mut text = String::new();
    for resource in RESOURCES {
        let Resource { name, summary, .. } = resource;
        write!(text, "### {}\n\n{summary}\n\n", capital(name)).unwrap();
        text.push_str("| endpoint | who | how | it … | note |\n|---|---|---|---|---|\n");
        for Endpoint { verb, path, access, means, summary, note, .. } in of(resource) {
            let (who, how) = (access.name(), means.name());
            writeln!(text, "| `{verb} {path}` | {who} | {how} | {summary} | {note} |").unwrap();
        }
        text.push('\n');
    }
    keep_part(COMPATIBILITY, "endpoints", &format!("{}\n", text.trim_end()));
}

#[test]
fn the_matrix_has_every_rule() {
    let mut text = String::from("| what | how | rule | on-prem | Cloud |\n|---|---|---|---|---|\n");
    for info in RULES {
        let RuleInfo { id, summary, status, onprem_doc, cloud_doc, .. } = info;
        let how = how(*status);
        writeln!(text, "| {summary} | {how} | `{id}` | {onprem_doc} | {cloud_doc} |").unwrap();
    }
    keep_part(COMPATIBILITY, "rules", &text);
}

#[test]
fn the_error_reference_has_every_code() {
    let mut text = format!(
        "# Errors\n\n{NOTICE}\
         Every answer that is not a success has the on-prem error body, `{{\"meta\":…,\"errors\":[{{\"code\",\"title\",\
         \"details\"}}]}}`, but for the empty 404 of a file, a photo or a certificate that is not there. `prembridge explain 131047` tells the same about one code of either side.\n\n\
         ## What Cloud's codes become\n\n{}. Code 100, which Graph uses for \
         everything about parameters, is told apart by its text.\n\n\
         | Cloud | title | on-prem | HTTP | what to do | why | remarks |\n|---|---|---|---|---|---|---|\n",
        capital(UNLISTED)
    );
    for row in CLOUD_TO_ONPREM {
        let (codes, onprem, remarks) = (row.codes(), row.onprem.code(), row.remarks().join("; "));
        let (advice, basis) = (row.class.advice(), row.basis.sentence());
        let (title, http) = (row.title, row.http);
        writeln!(text, "| {codes} | {title} | {onprem} | {http} | {advice} | {basis} | {remarks} |").unwrap();
    }
    text.push_str(
        "\n## On-prem's codes\n\nHTTP is the status when the code answers a request and nothing above says \
         otherwise. *Ours* are those that the proxy raises itself.\n\n\
         | on-prem | title | HTTP | ours | from Cloud | clients |\n|---|---|---|---|---|---|\n",
    );
    let ours = raised_by_the_proxy();
    for code in ErrorCode::ALL {
        let rows = explain(i64::from(code.code())).1;
        let mut from: Vec<_> = rows.into_iter().map(|row| row.codes()).collect();
        if BY_WORDS.iter().any(|(worded, _)| worded == code) {
            let codes: Vec<_> = WORDED.iter().map(ToString::to_string).collect();
            from.push(format!("by its text: {}", codes.join(", ")));
        }
        let (title, http, number) = (code.title(), code.http(), code.code());
        let yes = if ours.contains(&format!("{code:?}")) { "yes" } else { "" };
        let clients = code.client_behaviour().unwrap_or(NO_BEHAVIOUR);
        writeln!(text, "| {number} | {title} | {http} | {yes} | {} | {clients} |", from.join(", ")).unwrap();
    }
    keep_file("docs/errors.md", &text);
}

/// The names of codes that the source raises outside of the table of Cloud's.
fn raised_by_the_proxy() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in rust_files(&src) {
        let inner = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        if inner.starts_with("translate/errors/") || inner.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for rest in code.split("ErrorCode::").skip(1) {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            names.insert(rest[..end].to_owned());
        }
    }
    assert!(names.contains("ParameterMissing") && !names.contains("Experiment"), "{names:?}");
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn of(resource: &Resource) -> impl Iterator<Item = &'static Endpoint> {
    let name = resource.name;
    ENDPOINTS.iter().filter(move |row| row.resource().is_some_and(|found| found.name == name))
}

fn how(status: Status) -> &'static str {
    match status {
        Status::Translated => "translated",
        Status::Emulated => "emulated",
        Status::Dropped => "left out",
        Status::Refused => "refused",
    }
}

fn capital(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}
