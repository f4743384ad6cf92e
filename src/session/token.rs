//! Bearer tokens: a JSON Web Token with one fixed algorithm, minted and checked here.
//!
//! Clients treat tokens as opaque, but on-prem's looked like a JWT and some clients may look for that.
//! A general JWT library would interpret the header, which is where its attacks come from; here the header
//! is a constant.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::mac::MacKey;
use crate::store::Jti;

/// Longer credentials are refused unseen. Ours stay below half of it.
pub(super) const MAX_CREDENTIAL: usize = 1024;

/// `{"alg":"HS256","typ":"JWT"}`, compared byte for byte and never interpreted (RFC 8725 section 3.1).
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Letters at the end of a token that are its signature: 32 bytes in base64url without padding (RFC 4648 section 5).
pub(super) const SIGNATURE: usize = 43;

/// Room for the decoded claims of any token that is not too long.
pub(super) type Buffer = [u8; MAX_CREDENTIAL];

/// Which token a request came with, for its logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenId {
    pub(super) jti: Jti,
    pub(super) expires_at: i64,
}

/// Why a credential was not accepted. For logs and counters only: clients see one and the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// There was none.
    #[error("no credential")]
    Missing,
    /// Not one of our tokens, by its looks, and not an API key.
    #[error("malformed credential")]
    Malformed,
    /// Altered, or made by somebody else.
    #[error("wrong signature")]
    BadSignature,
    /// Past its lifetime.
    #[error("expired token")]
    Expired,
    /// Logged out, or its user was deleted or has another password now.
    #[error("revoked token")]
    Revoked,
    /// Signed with a key that we do not have (any more), or an API key that nobody configured.
    #[error("unknown key")]
    UnknownKey,
    /// Good, but for another number.
    #[error("token of another number")]
    OtherNumber,
}

/// What a token says.
#[derive(Deserialize, Serialize)]
pub(super) struct Claims<'a> {
    /// The id of the key that signed it.
    #[serde(borrow)]
    pub(super) kid: Cow<'a, str>,
    /// The number's name.
    #[serde(borrow)]
    pub(super) num: Cow<'a, str>,
    /// The user's name.
    #[serde(borrow)]
    pub(super) sub: Cow<'a, str>,
    /// The user's epoch when it was issued.
    pub(super) epoch: i64,
    /// The token's own identity, in base64url.
    #[serde(borrow)]
    jti: Cow<'a, str>,
    iat: i64,
    exp: i64,
}

impl Claims<'_> {
    pub(super) fn id(&self) -> Result<TokenId, Denied> {
        let mut jti = Jti::default();
        match URL_SAFE_NO_PAD.decode_slice(self.jti.as_bytes(), &mut jti) {
            Ok(16) => Ok(TokenId { jti, expires_at: self.exp }),
            Ok(_) | Err(_) => Err(Denied::Malformed),
        }
    }
}

/// The keys that are accepted. Tokens are signed with the current one; a previous one lets the tokens of
/// before a rotation live out their days.
pub(super) struct Keys {
    pub(super) current: Key,
    pub(super) previous: Option<Key>,
}

/// One signing key.
pub(super) struct Key {
    id: String,
    mac: MacKey,
}

impl Key {
    /// The id follows from the key, so that replicas agree on it and nothing more need be stored.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let mac = MacKey::new(secret);
        let [a, b, c, d, e, f, ..] = mac.tag(&[b"prembridge key id"]);
        Self { id: URL_SAFE_NO_PAD.encode([a, b, c, d, e, f]), mac }
    }
}

/// Whether it claims to be one of our tokens; anything else may be an API key.
pub(super) fn is_token(bearer: &str) -> bool {
    body(bearer).is_some()
}

impl Keys {
    /// A new token, signed with the current key.
    pub(super) fn mint(&self, number: &str, user: &str, epoch: i64, id: TokenId, now: i64) -> String {
        let claims = Claims {
            kid: Cow::Borrowed(&self.current.id),
            num: Cow::Borrowed(number),
            sub: Cow::Borrowed(user),
            epoch,
            jti: Cow::Owned(URL_SAFE_NO_PAD.encode(id.jti)),
            iat: now,
            exp: id.expires_at,
        };
        // Through `Value`, whose printing cannot fail: logins are rare and a caller could not act on it.
        let payload = URL_SAFE_NO_PAD.encode(serde_json::json!(claims).to_string());
        let tag = self.current.mac.tag(&[HEADER.as_bytes(), b".", payload.as_bytes()]);
        format!("{HEADER}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The claims of a token with a good signature. Nothing is checked against the clock or the users yet.
    ///
    /// The key id is read before the signature is checked; it only chooses between our own keys.
    pub(super) fn read<'a>(&self, token: &str, buffer: &'a mut Buffer) -> Result<Claims<'a>, Denied> {
        let (payload, signature) =
            body(token).and_then(|body| body.split_once('.')).ok_or(Denied::Malformed)?;
        let length = decode(payload, buffer)?;
        let claims: Claims<'a> = buffer
            .get(..length)
            .and_then(|json| serde_json::from_slice(json).ok())
            .ok_or(Denied::Malformed)?;
        let mut tag = [0; 48];
        let tag_length = decode(signature, &mut tag)?;
        let tag = tag.get(..tag_length).ok_or(Denied::Malformed)?;
        let key = self.named(&claims.kid).ok_or(Denied::UnknownKey)?;
        if key.mac.verifies(&[HEADER.as_bytes(), b".", payload.as_bytes()], tag) {
            Ok(claims)
        } else {
            Err(Denied::BadSignature)
        }
    }

    fn named(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == id)
    }
}

fn body(token: &str) -> Option<&str> {
    token.strip_prefix(HEADER)?.strip_prefix('.')
}

fn decode(text: &str, buffer: &mut [u8]) -> Result<usize, Denied> {
    URL_SAFE_NO_PAD.decode_slice(text.as_bytes(), buffer).map_err(|_| Denied::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_was_minted_with() {
        let keys = Keys { current: Key::new(&[1; 32]), previous: None };
        let token = keys.mint("über \"support\"", "alice", i64::MAX, id(), 50);
        let mut buffer = [0; MAX_CREDENTIAL];
        let claims = keys.read(&token, &mut buffer).unwrap();
        assert_eq!((&*claims.num, &*claims.sub, claims.epoch), ("über \"support\"", "alice", i64::MAX));
        assert_eq!(claims.id().unwrap(), id());
        assert_eq!(claims.iat, 50);
    }

    #[test]
    fn claims_borrow_from_the_buffer() {
        let keys = Keys { current: Key::new(&[1; 32]), previous: None };
        let token = keys.mint("support", "alice", 1, id(), 50);
        let mut buffer = [0; MAX_CREDENTIAL];
        let claims = keys.read(&token, &mut buffer).unwrap();
        for text in [&claims.num, &claims.sub, &claims.kid, &claims.jti] {
            assert!(matches!(text, Cow::Borrowed(_)));
        }
    }

    #[test]
    fn the_previous_key_is_read_and_an_older_one_is_not() {
        let old = Keys { current: Key::new(&[1; 32]), previous: None };
        let rotated = Keys { current: Key::new(&[2; 32]), previous: Some(Key::new(&[1; 32])) };
        let twice = Keys { current: Key::new(&[3; 32]), previous: Some(Key::new(&[2; 32])) };
        let token = old.mint("support", "alice", 1, id(), 50);
        assert!(rotated.read(&token, &mut [0; MAX_CREDENTIAL]).is_ok());
        assert_eq!(twice.read(&token, &mut [0; MAX_CREDENTIAL]).err(), Some(Denied::UnknownKey));
        let newer = rotated.mint("support", "alice", 1, id(), 50);
        assert_eq!(old.read(&newer, &mut [0; MAX_CREDENTIAL]).err(), Some(Denied::UnknownKey));
        assert!(twice.read(&newer, &mut [0; MAX_CREDENTIAL]).is_ok());
    }

    #[test]
    fn the_header_is_the_usual_one() {
        assert_eq!(URL_SAFE_NO_PAD.decode(HEADER).unwrap(), br#"{"alg":"HS256","typ":"JWT"}"#);
    }

    fn id() -> TokenId {
        TokenId { jti: [7; 16], expires_at: 100 }
    }
}
