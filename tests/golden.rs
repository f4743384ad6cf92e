//! Golden pairs: `tests/golden/<resource>/<type>/<case>/`.
//!
//! Adding a case is adding a folder with a `case.toml` and the input; `UPDATE_GOLDEN=1` writes the
//! expected output and the rules, to be read before they are committed. JSON is compared as values.
//!
//! | resource | input | expected |
//! |---|---|---|
//! | messages | `onprem.json` | `cloud.json`, or `onprem_error.json` |
//! | receipts | `onprem.json`, `id` in `case.toml` | `cloud.json`, or `onprem_error.json` |
//! | replies | `cloud.json`, `to` and `known_as` in `case.toml` | `onprem.json` |
//! | webhooks | `cloud.json`, what is known in `case.toml` | `onprem.json`: the callbacks in an array; the rest of what it tells in `case.toml` |
//! | errors | `cloud.json` or `cloud.txt`, `http` in `case.toml` | `onprem_error.json` |

mod callbacks;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use prembridge::onprem::error::ErrorBody;
use prembridge::onprem::message::{Body, Request, parse_status_update};
use prembridge::onprem::{ErrorCode, Invalid};
use prembridge::translate::errors::{CloudFailure, Endpoint};
use prembridge::translate::rules::{RULES, Rule, RuleSet};
use prembridge::translate::{
    Answered, MessageError, MessageIds, Notes, Options, Resolved, Sent, UndeliverableAs, error_to_onprem,
    message_to_cloud, receipt_message_to_cloud, receipt_to_cloud,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const VERSION: &str = "v2.45.1";

/// `case.toml`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The document, seed page or client that the case comes from.
    doc: String,
    /// The section or sample in it.
    section: String,
    /// `sample` (to the letter), `rebuilt` (a sample that had lost its braces), `client` (seen in a
    /// real client) or `inferred`.
    origin: String,
    /// Ids of the rules that apply, in the order of `RULES`.
    #[serde(default)]
    rules: Vec<String>,
    /// The namespace that the number expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// What the files of the message were resolved to: an id, or "link" for one that stays as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resolved: Vec<String>,
    /// The message id of a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// `to` as the client wrote it (replies).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// HTTP status of Cloud's answer (errors).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<u16>,
    /// `media` when the call was about media (errors).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// The id under which the client knows the recipient (replies).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known_as: Option<String>,
    /// `onprem`: which form of message ids the client sees (replies, webhooks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_ids: Option<String>,
    /// 1013 (errors, webhooks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undeliverable_as: Option<u16>,
    /// What else goes in and comes out (webhooks).
    #[serde(default, skip_serializing_if = "is_default")]
    webhooks: callbacks::Webhooks,
}

fn is_default(webhooks: &callbacks::Webhooks) -> bool {
    *webhooks == callbacks::Webhooks::default()
}

impl Case {
    fn options(&self) -> Options {
        Options {
            message_ids: match self.message_ids.as_deref() {
                Some("onprem") => MessageIds::Onprem,
                _ => MessageIds::Cloud,
            },
            undeliverable_as: match self.undeliverable_as {
                Some(1013) => UndeliverableAs::UserNotValid,
                _ => UndeliverableAs::ReceiverIncapable,
            },
            expose_cloud_code: true,
            ..Options::default()
        }
    }
}

/// What a translation gave: the name of the file that holds it, its value, and the rules.
struct Outcome {
    file: &'static str,
    value: Value,
    rules: RuleSet,
}

#[test]
fn every_case_translates_as_written() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut failures = Vec::new();
    let cases = cases();
    assert!(!cases.is_empty(), "no golden cases found");
    for folder in &cases {
        if let Err(failure) = check(folder, update) {
            failures.push(format!("{}: {failure}", name(folder)));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn every_rule_has_a_case() {
    let covered: BTreeSet<String> = cases().iter().flat_map(|folder| read_case(folder).rules).collect();
    let missing: Vec<_> = RULES.iter().map(|info| info.id).filter(|id| !covered.contains(*id)).collect();
    assert!(missing.is_empty(), "rules without a golden case: {missing:?}");
}

/// What Cloud would get for a case, given to the proxy again, must come out unchanged.
#[test]
fn translation_is_idempotent_on_cloud_shaped_input() {
    for folder in cases().iter().filter(|folder| name(folder).starts_with("messages/")) {
        let Ok(cloud) = fs::read(folder.join("cloud.json")) else { continue };
        let body = Body::read(&cloud).unwrap();
        let again = match Request::parse(&body) {
            Ok(Request::Message(message)) => {
                let again = message_to_cloud(&message, &body, &[], None, &mut Notes::brief()).unwrap();
                value(&again.to_json(0))
            }
            Ok(Request::Receipt(receipt)) => {
                value(&prembridge::cloud::message::Receipt::from(&receipt).to_json())
            }
            Err(invalid) => panic!("{}: its own Cloud form is refused: {invalid:?}", name(folder)),
        };
        let expected: Value = serde_json::from_slice(&cloud).unwrap();
        assert_eq!(again, expected, "{}", name(folder));
    }
}

fn check(folder: &Path, update: bool) -> Result<(), String> {
    let mut case = read_case(folder);
    let mut told = callbacks::Webhooks::default();
    let name = name(folder);
    let outcome = match name.split('/').next() {
        Some("messages") => message(folder, &case),
        Some("receipts") => receipt(folder, &case),
        Some("replies") => reply(folder, &case),
        Some("errors") => error(folder, &case),
        Some("webhooks") => {
            let outcome;
            (outcome, told) = callbacks::webhook(folder, &case);
            outcome
        }
        other => return Err(format!("unknown resource {other:?}")),
    };
    let rules: Vec<String> = outcome.rules.iter().map(|info| info.id.to_owned()).collect();
    let file = folder.join(outcome.file);
    if update {
        case.rules = rules;
        case.webhooks = told;
        fs::write(folder.join("case.toml"), toml_of(&case)).unwrap();
        for stale in ["cloud.json", "onprem_error.json"] {
            if outcome.file != stale && name.starts_with("messages/") {
                let _ = fs::remove_file(folder.join(stale));
            }
        }
        fs::write(file, serde_json::to_string_pretty(&outcome.value).unwrap() + "\n").unwrap();
        return Ok(());
    }
    let expected = fs::read(&file).map_err(|_| format!("gave {}: {}", outcome.file, outcome.value))?;
    let expected: Value = serde_json::from_slice(&expected).map_err(|error| error.to_string())?;
    if expected != outcome.value {
        return Err(format!("\n  expected {expected}\n  got      {}", outcome.value));
    }
    if told != case.webhooks {
        return Err(format!("\n  expected {:?}\n  got      {told:?}", case.webhooks));
    }
    if rules != case.rules {
        return Err(format!("rules\n  expected {:?}\n  got      {rules:?}", case.rules));
    }
    Ok(())
}

fn message(folder: &Path, case: &Case) -> Outcome {
    let bytes = fs::read(folder.join("onprem.json")).unwrap();
    let refused =
        |invalid: &Invalid, rules| Outcome { file: "onprem_error.json", value: invalid_body(invalid), rules };
    let body = match Body::read(&bytes) {
        Ok(body) => body,
        Err(invalid) => return refused(&invalid, RuleSet::default()),
    };
    let resolved: Vec<Resolved> = case
        .resolved
        .iter()
        .map(|id| if id == "link" { Resolved::AsWritten } else { Resolved::Id(id.as_str().into()) })
        .collect();
    let mut notes = Notes::full();
    match Request::parse(&body) {
        Ok(Request::Message(message)) => {
            match message_to_cloud(&message, &body, &resolved, case.namespace.as_deref(), &mut notes) {
                Ok(cloud) => {
                    let value = value(&cloud.to_json(0));
                    Outcome { file: "cloud.json", value, rules: notes.applied() }
                }
                Err(MessageError::Invalid(invalid)) => refused(&invalid, RuleSet::default()),
                Err(unresolved @ MessageError::Unresolved { .. }) => panic!("{folder:?}: {unresolved}"),
            }
        }
        Ok(Request::Receipt(receipt)) => {
            let value = value(&receipt_message_to_cloud(&receipt, &mut notes).to_json());
            Outcome { file: "cloud.json", value, rules: notes.applied() }
        }
        Err(invalid) => {
            let mut rules = RuleSet::default();
            if invalid.code == ErrorCode::InvalidRecipientType {
                rules.insert(Rule::RecipientGroup);
            }
            refused(&invalid, rules)
        }
    }
}

fn receipt(folder: &Path, case: &Case) -> Outcome {
    let bytes = fs::read(folder.join("onprem.json")).unwrap();
    let mut notes = Notes::full();
    match Body::read(&bytes).and_then(|body| parse_status_update(&body)) {
        Ok(()) => {
            let id = case.id.clone().expect("a receipt names its message in case.toml");
            let value = value(&receipt_to_cloud(&id, &mut notes).to_json());
            Outcome { file: "cloud.json", value, rules: notes.applied() }
        }
        Err(invalid) => {
            Outcome { file: "onprem_error.json", value: invalid_body(&invalid), rules: RuleSet::default() }
        }
    }
}

fn reply(folder: &Path, case: &Case) -> Outcome {
    let bytes = fs::read(folder.join("cloud.json")).unwrap();
    let to = case.to.as_deref();
    let digits: Option<String> = to.map(|to| to.chars().filter(char::is_ascii_digit).collect());
    let digits = digits.filter(|_| !to.unwrap_or_default().contains(|c: char| c.is_alphabetic()));
    let sent = to.map(|input| Sent { input, digits: digits.as_deref() });
    let mut notes = Notes::full();
    let known_as = case.known_as.as_deref();
    let answered = Answered::read(&bytes).unwrap();
    let reply = answered.to_onprem(sent, known_as, &case.options(), VERSION, &mut notes);
    Outcome { file: "onprem.json", value: serde_json::from_slice(&reply).unwrap(), rules: notes.applied() }
}

fn error(folder: &Path, case: &Case) -> Outcome {
    let body = fs::read(folder.join("cloud.json")).or_else(|_| fs::read(folder.join("cloud.txt"))).unwrap();
    let failure = CloudFailure {
        http: case.http.expect("an error has its HTTP status in case.toml"),
        body: &body,
        retry_after: None,
        endpoint: if case.endpoint.as_deref() == Some("media") {
            Endpoint::Media
        } else {
            Endpoint::Messages
        },
        phone_number_id: "106540352242922",
    };
    let error = error_to_onprem(&failure, &case.options());
    let mut value = serde_json::to_value(ErrorBody::new(error.code, &error.details, VERSION)).unwrap();
    value["http"] = json!(error.http);
    if let Some(seconds) = error.retry_after {
        value["retry_after"] = json!(seconds);
    }
    let mut rules = RuleSet::default();
    rules.insert(Rule::ErrorCode);
    Outcome { file: "onprem_error.json", value, rules }
}

fn value(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

fn invalid_body(invalid: &Invalid) -> Value {
    let mut value = serde_json::to_value(ErrorBody::new(invalid.code, &invalid.details, VERSION)).unwrap();
    value["http"] = json!(invalid.code.http());
    value
}

fn cases() -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.file_name().is_some_and(|name| name == "case.toml") {
            found.push(folder.to_owned());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn name(folder: &Path) -> String {
    folder.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

fn read_case(folder: &Path) -> Case {
    let text = fs::read_to_string(folder.join("case.toml")).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn toml_of(case: &Case) -> String {
    toml::to_string(case).unwrap()
}
