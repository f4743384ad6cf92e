//! 360dialog's `/v1/configs/webhook`: `webhooks.url` of the settings, by another name.

use http::StatusCode;
use serde_json::json;

use super::{Call, settings};
use crate::onprem::settings::Patch;
use crate::relay::Failure;
use crate::server::respond::{self, Reply};

/// `GET /v1/configs/webhook`. The URL of the configuration is the operator's and does not show.
pub(super) fn show(call: &Call<'_>) -> Reply {
    let settings = call.number.settings.now();
    reply(settings.application.webhooks_url().unwrap_or_default())
}

/// `POST /v1/configs/webhook`
pub(super) async fn set(call: &Call<'_>) -> Result<Reply, Failure> {
    let (patch, ignored) = Patch::parse_webhook(&call.body)?;
    if ignored > 0 {
        tracing::warn!(
            request_id = call.context.request_id,
            number = call.number.name,
            members = ignored,
            "headers for callbacks, or unknown keys beside their URL, were ignored"
        );
    }
    let url = patch.webhooks_url().unwrap_or_default().to_owned();
    settings::change(call, patch).await?;
    Ok(reply(&url))
}

fn reply(url: &str) -> Reply {
    respond::json(StatusCode::OK, &json!({"url": url}))
}
