//! For how long an answer to a GET may be reused: RFC 9111 as a shared cache, or Meta's documented link cache.
//!
//! Pure: the headers and the time go in, a decision comes out.
//!
//! # Profiles
//!
//! | | [`Profile::Rfc`] | [`Profile::Documented`] |
//! |---|---|---|
//! | lifetime | `s-maxage`, else `max-age`, else `Expires` - `Date` | `max-age`; the shorter if `s-maxage` is there too |
//! | none of these | 0; never a guess from `Last-Modified` | never reused, unless `no-cache` |
//! | age on arrival | the greater of `Age` and what `Date` tells | `Age` |
//! | what is stale is revalidated | with an `ETag` or a `Last-Modified` | with `Cache-Control` (`max-age` or `no-cache`) and `Last-Modified` together, then with the `ETag` too |
//! | an `ETag` or a `Last-Modified` alone | stale from the start, so revalidated each time: never staler than a download | never reused |
//!
//! Under either, a number that is junk or is there twice makes the answer stale now, and so does a
//! `Cache-Control` that breaks its grammar; `Vary: *` is never reused. Any other `Vary` matches, since
//! our requests to one provider are all alike.
//!
//! # Directives without a rule of their own
//!
//! | directive | here |
//! |---|---|
//! | `must-revalidate`, `proxy-revalidate` | nothing to add: what is stale is never used unasked |
//! | `immutable` | nothing to add: what is fresh is never asked about; it ends with the lifetime (RFC 8246) |
//! | `public` | nothing to add: it gives no lifetime, and credentials are part of the cache's key |
//! | `no-transform` | nothing to add: the bytes are passed on as they are |
//! | `must-understand` | does not lift `no-store`, which RFC 9111 section 5.2.2.3 would allow |
//! | `stale-while-revalidate`, `stale-if-error` | ignored: what is stale is never used unasked |
//! | `no-cache="…"`, `private="…"` | as without the names of fields |

mod cache_control;
mod lifetime;
mod policy;
mod validators;
mod why;

pub use lifetime::Profile;
pub use policy::{Decision, Keep, NotTheSame, Policy};
pub use validators::Validators;
pub use why::Why;
