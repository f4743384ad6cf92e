//! `/v1/services`

use http::StatusCode;

use super::Call;
use crate::onprem::services::{GcReply, gc_callback};
use crate::server::respond::{self, Reply};

/// `PUT /v1/services/message/gc`: sent messages are not kept, so that it ends as it begins.
pub(super) async fn collect_messages(call: &Call<'_>) -> Reply {
    call.call_back(std::iter::once(gc_callback())).await;
    respond::json(StatusCode::OK, &GcReply::begun(call.meta()))
}
