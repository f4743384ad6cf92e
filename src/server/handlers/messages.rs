//! `/v1/messages`

use super::Call;
use crate::cloud::message::Receipt;
use crate::onprem::message::{Body, Request, parse_status_update};
use crate::relay::Failure;
use crate::server::respond::{self, Reply};

/// `POST /v1/messages`
pub(super) async fn send(call: &Call<'_>, media: &mut Option<String>) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    match Request::parse(&body)? {
        Request::Message(message) => {
            let reply = call.state.relay.send(call.number, &message, &body, media).await?;
            Ok(respond::bytes(call.number.compat.created_status, reply))
        }
        Request::Receipt(receipt) => {
            call.state.relay.post_receipt(call.number, &Receipt::from(&receipt)).await?;
            Ok(call.done())
        }
    }
}

/// `PUT /v1/messages/{message-id}` with `{"status":"read"}`
pub(super) async fn mark_read(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    parse_status_update(&Body::read(&call.body)?)?;
    call.state.relay.mark_read(call.number, id).await?;
    Ok(call.done())
}
