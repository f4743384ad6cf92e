//! `/v1/contacts`: answered here, because Cloud has no check.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::Call;
use crate::onprem::contacts::{
    Check, ContactsReply, IdentityReply, no_such_user, parse_acknowledgement, wa_id,
};
use crate::onprem::message::Body;
use crate::relay::Failure;
use crate::server::respond::{self, Reply};

/// Results in one callback at most: the bound of the queue counts callbacks.
const PER_CALLBACK: usize = 1000;
/// Bytes of an identity's hash, as in on-prem's samples.
const HASH: usize = 8;

/// `POST /v1/contacts`. Who does not wait for the results has them at once, too, and once more by callback.
pub(super) async fn check(call: &Call<'_>) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let Check { is_blocking, mut contacts } = Check::parse(&body)?;
    let asked = contacts.iter().filter_map(|contact| contact.wa_id.as_deref());
    let known_as = call.number.aliases.known_as(asked).await;
    for wa_id in contacts.iter_mut().filter_map(|contact| contact.wa_id.as_mut()) {
        if let Some(shown) = known_as.get(wa_id) {
            wa_id.clone_from(shown);
        }
    }
    if !is_blocking {
        let body = |contacts| serde_json::to_vec(&ContactsReply { contacts, meta: None }).unwrap_or_default();
        call.call_back(contacts.chunks(PER_CALLBACK).map(body)).await;
    }
    let meta = Some(call.meta());
    Ok(respond::json(StatusCode::OK, &ContactsReply { contacts: &contacts, meta }))
}

/// `GET /v1/contacts/{wa-id}/identity`
pub(super) async fn show_identity(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let user = user(id)?;
    let known_as = call.number.aliases.known_as([user.as_str()].into_iter()).await;
    let hash = hash(&call.number.phone_number_id, known_as.get(&user).unwrap_or(&user));
    let reply = IdentityReply::new(&hash, call.meta());
    Ok(respond::json(StatusCode::OK, &reply))
}

/// `PUT /v1/contacts/{wa-id}/identity`
pub(super) fn acknowledge(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    user(id)?;
    parse_acknowledgement(&call.body)?;
    Ok(call.done())
}

fn user(id: &str) -> Result<String, Failure> {
    wa_id(id).ok_or_else(|| no_such_user().into())
}

/// Stable, and another one under another number.
fn hash(phone_number_id: &str, wa_id: &str) -> String {
    let digest = Sha256::new().chain_update(phone_number_id).chain_update([0]).chain_update(wa_id).finalize();
    STANDARD.encode(digest.iter().take(HASH).copied().collect::<Vec<_>>())
}
