//! `/v1/settings/application/media/providers`

use http::StatusCode;

use super::Call;
use crate::config::Secret;
use crate::media::providers::{Credentials, NewProvider, Provider, ProviderError};
use crate::onprem::ErrorCode;
use crate::onprem::message::Body;
use crate::onprem::providers::{
    self as onprem, Auth, Basic, MASK, MOST_PROVIDERS, NewProviders, ProvidersReply,
};
use crate::relay::Failure;
use crate::server::respond::{self, Reply};
use crate::wire::Str;

/// `GET /v1/settings/application/media/providers`
pub(super) fn list(call: &Call<'_>) -> Reply {
    let providers = call.number.account.providers.list();
    let shown = providers.iter().map(|provider| shown(provider, call.number.compat.show_provider_secrets));
    respond::json(StatusCode::OK, &ProvidersReply::new(shown, call.meta()))
}

/// `POST /v1/settings/application/media/providers`
pub(super) async fn set(call: &Call<'_>) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let NewProviders { providers, ignored } = NewProviders::parse(&body)?;
    if ignored > 0 {
        tracing::warn!(
            request_id = call.context.request_id,
            number = call.number.name,
            keys = ignored,
            "unknown keys of media providers were ignored"
        );
    }
    let new = providers.into_iter().map(new_provider).collect();
    call.number.account.providers.replace(new).await.map_err(failure)?;
    Ok(call.done())
}

/// `DELETE /v1/settings/application/media/providers/{name}`
pub(super) async fn delete(call: &Call<'_>, name: &str) -> Result<Reply, Failure> {
    call.number.account.providers.delete(name).await.map_err(failure)?;
    Ok(call.done())
}

/// Secrets are masked unless the operator wants on-prem's way. Those of the configuration always are: they
/// are the operator's, not the client's.
fn shown(provider: &Provider, show_secrets: bool) -> onprem::Provider<'_> {
    let is_shown = show_secrets && !provider.is_configured;
    let auth = match &provider.credentials {
        Credentials::None => Auth::None {},
        Credentials::Bearer(token) => Auth::Bearer { bearer: secret(token, is_shown) },
        Credentials::Basic { username, password } => Auth::Basic {
            basic: Basic { username: username.as_str().into(), password: secret(password, is_shown) },
        },
    };
    onprem::Provider { name: provider.name.as_str().into(), auth }
}

fn secret(secret: &Secret, is_shown: bool) -> Str<'_> {
    Str::from(if is_shown { secret.expose() } else { MASK })
}

fn new_provider(provider: onprem::Provider<'_>) -> NewProvider {
    let credentials = match provider.auth {
        Auth::None {} => Credentials::None,
        Auth::Bearer { bearer } => Credentials::Bearer(Secret::new(bearer.0)),
        Auth::Basic { basic } => Credentials::Basic {
            username: basic.username.0.into_owned(),
            password: Secret::new(basic.password.0),
        },
    };
    NewProvider { name: provider.name.0.into_owned(), credentials }
}

fn failure(error: ProviderError) -> Failure {
    match error {
        ProviderError::NotFound => {
            Failure::client(ErrorCode::ResourceNotFound, "no media provider has this name")
        }
        ProviderError::Configured => Failure::client(
            ErrorCode::ParameterInvalid,
            "this media provider is defined by a [[number.provider]] of the proxy's configuration: \
             remove it there",
        ),
        ProviderError::TooMany => Failure::client(
            ErrorCode::ParameterInvalid,
            format!("there would be more than {MOST_PROVIDERS} media providers; delete some first"),
        ),
        ProviderError::Store(error) => Failure::store(&error),
        ProviderError::Internal(reason) => Failure::internal(reason),
    }
}
