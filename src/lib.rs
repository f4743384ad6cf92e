//! prembridge answers the WhatsApp On-Premises API and speaks the Cloud API.
//!
//! # Bird's eye
//!
//! A program written for the on-prem client posts `/v1/messages`. [`server`] accepts the request, finds its
//! [route](onprem::route) and its [`number`], asks [`session`] who is asking, reads the body under limits and parses it
//! into an [`onprem::message::Message`] that borrows from it. That is where HTTP ends: [`relay`] takes the number and the
//! message. [`media`] finds the files that it names at Cloud, fetching and uploading them where needed; [`translate`]
//! turns message and ids into a [`cloud::message::Message`], which [`upstream`] posts to Graph with the number's own
//! token, when [`upstream::pacing`] lets it. The answer comes back through [`translate::Answered::to_onprem`] or
//! [`translate::error_to_onprem`].
//!
//! What Cloud posts is a [`cloud::webhook::Webhook`]; [`webhook`] checks who has signed it, and
//! [`translate::value_to_onprem()`] turns it into callbacks, which [`callback`] commits to the store before Cloud is told,
//! and delivers to the client as the on-prem client did.
//!
//! # Words
//!
//! *client* is the program that speaks on-prem to us; *onprem* and *cloud* are the two wire formats;
//! *upstream* is the Graph API; *number* is one business phone number, which behaves like one on-prem
//! deployment; *reply* is the answer to a request;
//! *webhook* is what Cloud posts to us, *callback* what we post to the client. Conversions are named by destination.
//!
//! # Floors
//!
//! A module uses only lower floors; `tests/architecture.rs` checks it.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 10 | [`cli`] | one file per subcommand |
//! | 9 | [`app`] | wiring: configuration -> listeners, drain |
//! | 8 | [`server`] | HTTP: accept, TLS, route, parse, call, respond |
//! | 7 | [`webhook`] | what Cloud posts: signature, conversion, commit |
//! | 6 | [`relay`] | what clients ask for, done at Cloud: sends, counts, classifies, translates errors |
//! | 5 | [`number`] | everything of one number; the registry of all of them |
//! | 4 | [`media`], [`callback`] | files: fetched, cached, uploaded, kept; callbacks: queued and delivered |
//! | 3 | [`upstream`], [`session`], [`settings`], [`store`] | Graph client; logins and tokens; what clients set; SQLite |
//! | 2 | [`config`], [`net`], [`http1`], [`runtime`] | validated configuration; connections that we open; HTTP/1.1 as bytes; worker threads |
//! | 1 | [`translate`], [`http_cache`] | pure: onprem <-> cloud; RFC 9111 |
//! | 0 | [`wire`], [`onprem`], [`cloud`] | pure: wire types; onprem and cloud never see each other |
//! | side | [`telemetry`], [`clock`] | used from floor 2 up, use nothing |
//! | side | [`mock`] | the mock Cloud API; uses nothing of ours, so that we never test against ourselves |
//!
//! # Invariants
//!
//! - Floors 0 and 1 do no I/O, read no clock and write no log.
//! - A message that may have reached Cloud is never sent again ([`upstream::Sent`]); one that Cloud refused may be,
//!   for a file that it lost or for the rate.
//! - Every answer that is not a success has the on-prem error body; one function writes it. The exception is
//!   on-prem's own: an empty 404 for a CA that is not there. A 401 is only ever about the client's own login.
//! - The hot path, a text message, touches no store and waits for no lock that others hold across an await, unless it has
//!   to wait for its turn ([`upstream::pacing`]).
//! - What could be read in two ways is not read by us: an unusual request is hyper's, an ambiguous answer of Cloud is
//!   none, and its connection ends.
//! - What cannot be translated is refused or noted ([`translate::rules`]), never silently dropped.
//! - A file is only ever used by the number, and the credentials, that it was fetched with; what is `private` or
//!   `no-store` is used once and not remembered.
//! - A webhook is acknowledged when its callbacks are on disk, and never before; a callback leaves the disk when the
//!   client has answered 200, and never before.
//! - A connection to where a client's link leads goes to an address that was judged ([`net::egress`]).
//! - Log lines and metric labels never hold bodies, tokens or full phone numbers.
//!
//! # Start reading here
//!
//! [`translate::rules::RULES`] lists every difference between the two APIs; each names a private
//! function in `src/translate/` and a folder in `tests/golden/`. Then `relay/send.rs` shows the life of a message, and
//! `app/build.rs` how the parts come together.

pub mod app;
pub mod callback;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod http1;
pub mod http_cache;
pub mod media;
pub mod mock;
pub mod net;
pub mod number;
pub mod onprem;
pub mod relay;
pub mod runtime;
#[cfg(test)]
#[path = "../tests/support/seeded.rs"]
mod seeded;
pub mod server;
pub mod session;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod translate;
pub mod upstream;
pub mod webhook;
pub mod wire;
