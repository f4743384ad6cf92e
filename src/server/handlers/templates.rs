//! 360dialog's `/v1/configs/templates`, over the templates of the number's account.

use http::StatusCode;

use super::Call;
use crate::onprem::message::Body;
use crate::onprem::templates::{NewTemplate, Query};
use crate::relay::Failure;
use crate::server::respond::{self, Reply};

/// `GET /v1/configs/templates`
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Failure> {
    let templates = call.state.relay.templates(call.number, &Query::parse(call.query)?).await?;
    Ok(respond::bytes(StatusCode::OK, templates))
}

/// `POST /v1/configs/templates`
pub(super) async fn create(call: &Call<'_>) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let created = call.state.relay.create_template(call.number, NewTemplate::parse(&body)?).await?;
    Ok(respond::bytes(StatusCode::CREATED, created))
}

/// `DELETE /v1/configs/templates/{template-name}`
pub(super) async fn delete(call: &Call<'_>, name: &str) -> Result<Reply, Failure> {
    call.state.relay.delete_template(call.number, name).await?;
    Ok(call.done())
}
