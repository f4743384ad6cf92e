//! Webhooks: what becomes of a body as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use prembridge::cloud::webhook::Webhook;
use prembridge::translate::webhook::{Converted, Learnt, Lookup, asks};
use prembridge::translate::{Notes, WebhookOptions, webhook_to_onprem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Case, Outcome};

/// The time of events that have none.
const RECEIVED_AT: u64 = 1_700_000_000;

/// What is known before the webhook comes, and what is expected beside the callbacks.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// What it tells about users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learnt: Vec<String>,
    /// Each event without a callback.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Phone numbers by business-scoped id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, String>,
    /// The ids under which the client knows users, by Cloud's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub known_as: BTreeMap<String, String>,
}

/// What is known, which may only be asked what was announced.
struct Known<'k> {
    known: &'k Webhooks,
    asks: Vec<String>,
}

impl Lookup for Known<'_> {
    fn wa_id(&self, user_id: &str) -> Option<String> {
        assert!(self.asks.iter().any(|known| known == user_id), "{user_id} was not announced");
        self.known.users.get(user_id).cloned()
    }

    fn shown(&self, id: &str) -> Option<String> {
        self.known.known_as.get(id).cloned()
    }
}

pub fn webhook(folder: &Path, case: &Case) -> (Outcome, Webhooks) {
    let bytes = fs::read(folder.join("cloud.json")).unwrap();
    let webhook = Webhook::read(&bytes).unwrap_or_else(|error| panic!("{folder:?}: {}", error.reason()));
    let options = WebhookOptions { compat: case.options(), received_at: RECEIVED_AT };
    let lookup = Known { known: &case.webhooks, asks: webhook.values().flat_map(asks).collect() };
    let mut notes = Notes::full();
    let converted = webhook_to_onprem(&webhook, &options, &lookup, &mut notes);
    let bodies = converted.callbacks.iter().map(|callback| -> Value {
        serde_json::from_slice(&callback.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&callback.body)))
    });
    let outcome = Outcome { file: "onprem.json", value: bodies.collect(), rules: notes.applied() };
    let unreadable = webhook.unreadable.iter().map(|lost| format!("{} {}", lost.path, lost.reason)).collect();
    let Converted { learnt, dropped, .. } = converted;
    let told = Webhooks {
        unreadable,
        learnt: learnt.iter().map(sentence).collect(),
        dropped: dropped.iter().map(|rule| rule.id().to_owned()).collect(),
        users: case.webhooks.users.clone(),
        known_as: case.webhooks.known_as.clone(),
    };
    (outcome, told)
}

fn sentence(learnt: &Learnt) -> String {
    match learnt {
        Learnt::Pair { user_id, wa_id } => format!("{user_id} is {wa_id}"),
        Learnt::Changed { previous, user_id } => {
            format!("{} became {user_id}", previous.as_deref().unwrap_or("somebody"))
        }
    }
}
