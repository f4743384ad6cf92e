//! The keys that this version accepts and checks, but that change nothing yet.

use toml::Value;

use super::report::Report;
use super::tree::join;

/// Remove an entry here when its feature arrives; nothing else has to change.
const NOT_YET: &[NotYet] = &[
    NotYet { key: "listen.webhook", unless: None, because: "Cloud webhooks are not received" },
    NotYet { key: "number[].app_secret", unless: None, because: "Cloud webhooks are not received" },
    NotYet { key: "number[].verify_token", unless: None, because: "Cloud webhooks are not received" },
    NotYet { key: "number[].callback_url", unless: None, because: "nothing is called back" },
];

struct NotYet {
    /// The key path, with empty brackets for any index.
    key: &'static str,
    /// The value that describes what this version does anyway.
    unless: Option<&'static str>,
    /// What is missing.
    because: &'static str,
}

/// Warns of every key in `value` that has no effect yet.
pub(super) fn warn(value: &Value, report: &mut Report) {
    visit(value, "", "", report);
}

fn visit(value: &Value, path: &str, key: &str, report: &mut Report) {
    for entry in NOT_YET.iter().filter(|entry| entry.key == key) {
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        let is_done = entry.unless.is_some() && value.as_str() == entry.unless;
        if !is_empty && !is_done {
            report.warn(path, format!("accepted; has no effect in this version yet: {}", entry.because));
        }
    }
    if let Some(table) = value.as_table() {
        for (name, value) in table {
            visit(value, &join(path, name), &join(key, name), report);
        }
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        visit(item, &format!("{path}[{i}]"), &format!("{key}[]"), report);
    }
}
