//! `/v1/settings/application` and `/v1/certificates/webhooks/ca`

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;
use url::{Host, Url};

use super::Call;
use crate::net::egress::{BadUrl, Denial, Guard, LONGEST, vet_url};
use crate::net::{BadBundle, ConnectError};
use crate::onprem::ErrorCode;
use crate::onprem::settings::Patch;
use crate::relay::Failure;
use crate::server::respond::{self, Reply};
use crate::settings::SettingsError;

/// How long a client waits for us to find out where its callbacks would go.
const LOOKUP: Duration = Duration::from_secs(3);

/// `GET /v1/settings/application`. The URL of the configuration is the operator's and does not show; nor does
/// `wa_id`, which nobody tells us.
pub(super) fn show(call: &Call<'_>) -> Reply {
    let settings = call.number.settings.now();
    let meta = call.meta();
    let application = &settings.application;
    respond::bytes(StatusCode::OK, application.to_reply(application.webhooks_url(), None, meta))
}

/// `PATCH /v1/settings/application`
pub(super) async fn update(call: &Call<'_>) -> Result<Reply, Failure> {
    change(call, Patch::parse(&call.body)?).await?;
    Ok(call.done())
}

/// Changes the application's settings, by whichever endpoint: here is the one place that judges where callbacks
/// may go.
pub(super) async fn change(call: &Call<'_>, patch: Patch) -> Result<(), Failure> {
    if let Some(url) = patch.webhooks_url() {
        let url = vet_url(url).map_err(|bad| refused(bad_url(bad)))?;
        judge(&call.state.callback_guard, &url, LOOKUP).await.map_err(denied)?;
    }
    call.number.settings.patch(patch).await.map_err(failure)
}

/// `DELETE /v1/settings/application`
pub(super) async fn reset(call: &Call<'_>) -> Result<Reply, Failure> {
    call.number.settings.reset().await.map_err(failure)?;
    Ok(call.done())
}

/// `GET /v1/certificates/webhooks/ca`
pub(super) fn show_ca(call: &Call<'_>) -> Reply {
    match &call.number.settings.now().webhooks_ca {
        Some(pem) => respond::text(pem.clone()),
        None => respond::nothing_there(),
    }
}

/// `POST /v1/certificates/webhooks/ca`
pub(super) async fn set_ca(call: &Call<'_>) -> Result<Reply, Failure> {
    let pem = std::str::from_utf8(&call.body).map_err(|_| bad_bundle(BadBundle::Damaged))?.to_owned();
    call.number.settings.set_webhooks_ca(pem).await.map_err(failure)?;
    Ok(call.done())
}

/// `DELETE /v1/certificates/webhooks/ca`
pub(super) async fn delete_ca(call: &Call<'_>) -> Result<Reply, Failure> {
    call.number.settings.delete_webhooks_ca().await.map_err(failure)?;
    Ok(call.done())
}

/// Whether callbacks may go there. A name that does not resolve now may do so when there is something to
/// deliver, and each connection is judged again; without TLS it has to be listed by itself, since nobody knows yet
/// whether its address will be.
async fn judge(guard: &Guard, url: &Url, limit: Duration) -> Result<(), Denial> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        // Without the brackets that it has in the URL.
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(Host::Ipv4(address)) => address.to_string(),
        None => return Ok(()),
    };
    let port = url.port_or_known_default().unwrap_or_default();
    match timeout(limit, guard.addresses(&host, port, url.scheme() == "https")).await {
        Ok(Err(ConnectError::Denied { reason, .. })) => Err(reason),
        Ok(Err(_)) | Err(_) if url.scheme() == "http" && !guard.takes_plain(&host) => Err(Denial::Plain),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn denied(reason: Denial) -> Failure {
    refused(format!("must not be used: {reason}")).log("the place of callbacks is denied")
}

/// About the URL, without quoting it.
fn refused(sentence: String) -> Failure {
    Failure::client(ErrorCode::ParameterInvalid, format!("webhooks.url {sentence}"))
}

fn bad_url(bad: BadUrl) -> String {
    match bad {
        BadUrl::TooLong => format!("is longer than {LONGEST} bytes"),
        BadUrl::Character => "has a space, a line break or another control character".to_owned(),
        BadUrl::Url(error) => format!("is not a URL: {error}"),
        BadUrl::Scheme => "does not begin with https://".to_owned(),
        BadUrl::Host => "has a host that is not a host name or IP address".to_owned(),
        BadUrl::UserInfo => "has a user name or password; put a token into its path or query".to_owned(),
        BadUrl::Unsendable | BadUrl::Encoding | BadUrl::Downgrade => {
            "has characters that cannot be sent; write them percent-encoded".to_owned()
        }
    }
}

fn bad_bundle(bad: BadBundle) -> Failure {
    Failure::client(ErrorCode::ParameterInvalid, bad.to_string())
}

pub(super) fn failure(error: SettingsError) -> Failure {
    match error {
        SettingsError::Invalid(invalid) => invalid.into(),
        SettingsError::Bundle(bad) => bad_bundle(bad),
        SettingsError::NotFound => {
            Failure::client(ErrorCode::ResourceNotFound, "no certificates are set for webhooks")
        }
        SettingsError::Store(error) => Failure::store(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::net::egress::{Allow, Network, Ports, Resolve, Resolving, Rules};

    /// What a lookup comes to; none if it never ends.
    struct Script(Option<Result<SocketAddr, io::ErrorKind>>);

    impl Resolve for Script {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            match self.0 {
                Some(answer) => {
                    Box::pin(async move { answer.map(|address| vec![address]).map_err(Into::into) })
                }
                None => Box::pin(std::future::pending()),
            }
        }
    }

    #[tokio::test]
    async fn only_an_answer_can_be_denied() {
        let at = |address: &str| Some(Ok(address.parse().unwrap()));
        let unknown = Some(Err(io::ErrorKind::NotFound));
        let network = Allow::Network(Network::new("10.0.0.0".parse().unwrap(), 8));
        let hosts = |names: &[&str]| names.iter().map(|name| Allow::Host((*name).to_owned())).collect();
        let (nothing, other, listed): (Vec<_>, Vec<_>, Vec<_>) =
            (vec![], hosts(&["media.internal"]), hosts(&["media.internal", "hook.example"]));
        for (url, answer, allow, is_denied) in [
            ("https://hook.example/", at("8.8.8.8:443"), &nothing, false),
            ("http://hook.example/", at("8.8.8.8:80"), &nothing, true),
            ("https://hook.example/", at("10.0.0.1:443"), &nothing, true),
            ("https://hook.example/", unknown, &nothing, false),
            ("http://hook.example/", None, &nothing, true),
            ("https://hook.example/", None, &nothing, false),
            ("http://hook.example/", unknown, &other, true),
            ("http://hook.example/", None, &other, true),
            ("http://hook.example/", unknown, &vec![network.clone()], true),
            ("http://hook.example/", at("10.0.0.1:80"), &vec![network], false),
            ("https://hook.example/", unknown, &other, false),
            ("http://hook.example/", unknown, &listed, false),
            ("http://HOOK.example./", unknown, &listed, false),
            ("http://hook.example/", None, &listed, false),
        ] {
            let rules = Rules { ports: Ports::Any, encrypted: true, allow: allow.clone() };
            let guard = Guard::new(rules, Vec::new(), Arc::new(Script(answer)));
            let judged = judge(&guard, &vet_url(url).unwrap(), Duration::from_millis(1)).await;
            assert_eq!(judged.is_err(), is_denied, "{url} {answer:?} {allow:?}");
        }
    }
}
