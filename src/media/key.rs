//! The keys of the caches.
//!
//! A key is a keyed hash of everything that an entry belongs to: the number, the provider with its credentials and its
//! generation, the URL. Whoever reads the store learns none of it, and two numbers or two credentials never share an
//! entry.

use super::transfer::spool::Digest;
use crate::session::MacKey;

/// A key of the cache.
pub type Key = [u8; 32];

/// Makes keys; equal in every process on one store.
pub struct Keys(MacKey);

/// What a link's entry belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The phone number id.
    pub number: &'a str,
    /// The provider's name, empty for none.
    pub provider: &'a str,
    /// Changes whenever the provider does.
    pub generation: u64,
    pub authorization: &'a [u8],
    pub profile: &'a str,
    /// The URL without fragment.
    pub url: &'a str,
}

impl Keys {
    /// Keys made with `secret`.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(MacKey::new(secret))
    }

    /// Tells the store that these keys are for from any other.
    pub fn owner(&self) -> Key {
        self.0.digest(&["owner"])
    }

    /// The key of a link.
    pub fn link(&self, origin: &Origin<'_>) -> Key {
        self.0.digest(&[
            b"source",
            origin.number.as_bytes(),
            origin.provider.as_bytes(),
            &origin.generation.to_be_bytes(),
            origin.authorization,
            origin.profile.as_bytes(),
            origin.url.as_bytes(),
        ])
    }

    /// The key under which fetches of `link` as one kind of message are collapsed: the kind sets the limits.
    pub fn flight(&self, link: &Key, kind: &str) -> Key {
        self.0.digest(&[b"flight", link.as_slice(), kind.as_bytes()])
    }

    /// The key of bytes that were uploaded under a number; `graph` tells the real Cloud from a mock.
    pub fn upload(&self, graph: &str, number: &str, digest: &Digest, media_type: &str) -> Key {
        self.0.digest(&[b"upload", graph.as_bytes(), number.as_bytes(), digest, media_type.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let keys = Keys::new(&[1; 32]);
        let origin = Origin {
            number: "1",
            provider: "cdn",
            generation: 1,
            authorization: b"Bearer a",
            profile: "rfc",
            url: "https://h/a",
        };
        let others = [
            Origin { number: "2", ..origin },
            Origin { provider: "cd", ..origin },
            Origin { generation: 2, ..origin },
            Origin { authorization: b"Bearer b", ..origin },
            Origin { profile: "documented", ..origin },
            Origin { url: "https://h/a?x", ..origin },
            Origin { number: "1c", provider: "dn", ..origin },
        ];
        for other in &others {
            assert_ne!(keys.link(&origin), keys.link(other), "{other:?}");
        }
        assert_eq!(keys.link(&origin), keys.link(&origin));
        assert_ne!(Keys::new(&[2; 32]).link(&origin), keys.link(&origin));
        let upload =
            |graph, number, digest, media_type| keys.upload(graph, number, &[digest; 32], media_type);
        let first = upload("g", "1", 0, "image/png");
        for other in [
            upload("h", "1", 0, "image/png"),
            upload("g", "2", 0, "image/png"),
            upload("g", "1", 1, "image/png"),
            upload("g", "1", 0, "image/jpeg"),
        ] {
            assert_ne!(first, other);
        }
    }
}
