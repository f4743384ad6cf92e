//! Where links may lead: the guard between what a client names and the connections that we open.
//!
//! A link is vetted twice. [`vet_url`] and [`redirect`] look at its text, before anything is resolved.
//! [`Guard`] looks at the addresses that its host resolves to, and the connector dials those and no others,
//! so that a name cannot change its mind between the look and the connection.

mod addresses;
mod denial;
mod guard;
mod network;
mod own;
mod resolve;
mod url;

pub use addresses::{CLASSES, Class, class, is_public};
pub use denial::Denial;
pub use guard::{Allow, Guard, Ports, Rules};
pub use network::Network;
pub use resolve::{Resolve, Resolving, SystemResolver};

pub use self::url::{BadUrl, LONGEST, redirect, same_origin, vet_url};
