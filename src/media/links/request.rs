//! What a message asks for when it names a link.

use std::sync::Arc;

use url::Url;

use crate::http_cache::Profile;
use crate::media::account::Account;
use crate::media::error::MediaError;
use crate::media::key::{Key, Keys, Origin};
use crate::media::providers::Provider;
use crate::net::egress::vet_url;
use crate::onprem::message::MediaKind;

/// A link as a message names it.
#[derive(Clone, Copy)]
pub struct LinkRef<'a> {
    /// The number that sends the message.
    pub account: &'a Arc<Account>,
    /// As what kind of file.
    pub kind: MediaKind,
    /// The provider whose credentials open the link.
    pub provider: Option<&'a Arc<Provider>>,
    /// As the client wrote it, without the provider's name.
    pub url: &'a str,
    /// The name of a document.
    pub filename: Option<&'a str>,
}

/// A link that was checked, with everything that decides about its file.
pub struct MediaRequest {
    pub account: Arc<Account>,
    pub kind: MediaKind,
    /// As the client wrote it.
    pub written: Box<str>,
    /// In its canonical form.
    pub url: Url,
    pub provider: Option<Arc<Provider>>,
    pub filename: Option<String>,
    /// Its key in the cache of links.
    pub key: Key,
}

impl MediaRequest {
    /// Checks a link before anything is fetched.
    pub fn new(link: &LinkRef<'_>, keys: &Keys, profile: Profile) -> Result<Self, MediaError> {
        let LinkRef { account, kind, provider, url: written, filename } = *link;
        let url = vet_url(written).map_err(|bad| MediaError::Link(bad.to_string()))?;
        if let Some(provider) = provider {
            check_host(provider, &url)?;
        }
        let authorization = provider.and_then(|provider| provider.authorization.as_ref());
        let key = keys.link(&Origin {
            number: &account.number,
            provider: provider.map_or("", |provider| &provider.name),
            generation: provider.map_or(0, |provider| provider.generation),
            authorization: authorization.map_or(&[], |authorization| authorization.as_bytes()),
            profile: profile.name(),
            url: url.as_str(),
        });
        Ok(Self {
            account: Arc::clone(account),
            kind,
            written: written.into(),
            url,
            provider: provider.cloned(),
            filename: filename.map(str::to_owned),
            key,
        })
    }

    /// The link that it was made for.
    pub fn link(&self) -> LinkRef<'_> {
        LinkRef {
            account: &self.account,
            kind: self.kind,
            provider: self.provider.as_ref(),
            url: &self.written,
            filename: self.filename.as_deref(),
        }
    }

    /// Whether it would be made again for this link. A number is always the same account, and a provider that was set
    /// anew is another one.
    pub fn is_for(&self, link: &LinkRef<'_>) -> bool {
        let is_same_provider = match (&self.provider, link.provider) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same_provider
            && Arc::ptr_eq(&self.account, link.account)
            && self.kind == link.kind
            && *self.written == *link.url
            && self.filename.as_deref() == link.filename
    }
}

/// A provider's credentials go only where its operator lets them.
fn check_host(provider: &Provider, url: &Url) -> Result<(), MediaError> {
    let host = url.host_str().unwrap_or_default();
    if provider.allowed_hosts.is_empty() || provider.allowed_hosts.iter().any(|allowed| allowed == host) {
        return Ok(());
    }
    Err(MediaError::Link(format!(
        "{host} is not one of the allowed_hosts of the media provider \"{}\"",
        provider.name
    )))
}
