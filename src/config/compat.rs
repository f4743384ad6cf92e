//! `[compat]`: what clients see.

use http::StatusCode;

use crate::cloud::Hidden;
use crate::onprem::error::DEFAULT_VERSION;
use crate::translate::{MessageIds, Options, UndeliverableAs, WaId};

use super::check::Check;
use super::raw;
use super::values;

/// `[compat]`
#[derive(Clone, Debug)]
pub struct Compat {
    /// The status of a successful `POST /v1/messages` or `/v1/media`: 201 or 200.
    pub created_status: StatusCode,
    /// What `meta.version` says.
    pub api_version: String,
    /// `compat.errors`: whether errors that on-prem told by a failed status are told so.
    pub defers_errors: bool,
    /// Whether administrators see the secrets of media providers that were set over the API.
    pub show_provider_secrets: bool,
    /// `compat.health`: whether health is told in the form of several nodes.
    pub health_by_node: bool,
    /// `compat.wa_id`: which of a user's ids clients see.
    pub wa_id: WaId,
    /// The choices that belong to the translation.
    pub options: Options,
}

pub(super) fn compat(raw: raw::Compat, check: &mut Check<'_>) -> Compat {
    let statuses = [(201, StatusCode::CREATED), (200, StatusCode::OK)];
    let undeliverable = [(1026, UndeliverableAs::ReceiverIncapable), (1013, UndeliverableAs::UserNotValid)];
    let message_ids = [("cloud", MessageIds::Cloud), ("onprem", MessageIds::Onprem)];
    let wa_ids = [WaId::AsCloud, WaId::AsSent].map(|wa_id| (wa_id.name(), wa_id));
    Compat {
        created_status: check.parsed(
            "compat.created_status",
            raw.created_status,
            StatusCode::CREATED,
            |status| one_of(status, &statuses),
        ),
        api_version: check.parsed(
            "compat.api_version",
            raw.api_version,
            DEFAULT_VERSION.to_owned(),
            api_version,
        ),
        defers_errors: check.word(
            "compat.errors",
            raw.errors,
            false,
            &[("inline", false), ("deferred", true)],
        ),
        show_provider_secrets: raw.show_provider_secrets.unwrap_or(false),
        health_by_node: check.word("compat.health", raw.health, false, &[("single", false), ("multi", true)]),
        wa_id: check.word("compat.wa_id", raw.wa_id, WaId::default(), &wa_ids),
        options: Options {
            message_ids: check.word("compat.message_ids", raw.message_ids, MessageIds::Cloud, &message_ids),
            undeliverable_as: check.parsed(
                "compat.undeliverable_as",
                raw.undeliverable_as,
                UndeliverableAs::ReceiverIncapable,
                |code| one_of(code, &undeliverable),
            ),
            expose_cloud_code: raw.expose_cloud_code.unwrap_or(true),
            // The secrets are not known yet.
            hidden: Hidden::default(),
        },
    }
}

fn one_of<T: Copy>(found: i64, known: &[(i64, T)]) -> Result<T, String> {
    known.iter().find(|(number, _)| *number == found).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|(number, _)| number.to_string()).collect();
        format!("{found} is not known; use {}", known.join(" or "))
    })
}

/// The oldest version that clients are told; below it they may switch to formats we do not speak.
const OLDEST_API_VERSION: [u32; 3] = [2, 35, 2];

fn api_version(text: String) -> Result<String, String> {
    match values::version::<3>(&text) {
        Some(version) if version >= OLDEST_API_VERSION => Ok(text),
        Some(_) => Err(format!("{text:?} is too old; the oldest is \"v2.35.2\"")),
        None => Err(format!("{text:?} is not an on-prem version; write one such as \"v2.45.1\"")),
    }
}
