//! What the calls about a number and its business profile may hold, by the reference of the business management API.

use super::Kind::{Choice, Link, Loose, Text};
use super::{Key, Kind, Need, Shape};

const fn may(name: &'static str, kind: Kind) -> Key {
    Key { name, need: Need::Optional, kind }
}

const fn must(name: &'static str, kind: Kind) -> Key {
    Key { name, need: Need::Required, kind }
}

const fn open(keys: &'static [Key]) -> Shape {
    Shape { keys, rules: &[], open: true }
}

/// Six digits and nothing else are checked where it is used.
const PIN: Kind = Text { max: 6 };

/// `POST /{phone-number-id}/whatsapp_business_profile`
pub(in super::super) static PROFILE: Shape = open(&[
    must("messaging_product", Choice(&["whatsapp"])),
    may("about", Text { max: 139 }),
    may("address", Loose { max: 256 }),
    may("description", Loose { max: 512 }),
    may("email", Loose { max: 128 }),
    may("profile_picture_handle", Text { max: 4096 }),
    may("vertical", Choice(VERTICALS)),
    may("websites", Kind::List { min: 0, max: 2, item: &Link }),
]);

const VERTICALS: &[&str] = &[
    "OTHER",
    "AUTO",
    "BEAUTY",
    "APPAREL",
    "EDU",
    "ENTERTAIN",
    "EVENT_PLAN",
    "FINANCE",
    "GROCERY",
    "GOVT",
    "HOTEL",
    "HEALTH",
    "NONPROFIT",
    "PROF_SERVICES",
    "RETAIL",
    "TRAVEL",
    "RESTAURANT",
    "NOT_A_BIZ",
    "ALCOHOL",
    "ONLINE_GAMBLING",
    "PHYSICAL_GAMBLING",
    "OTC_DRUGS",
];

/// `POST /{phone-number-id}/request_code`
pub(in super::super) static CODE_REQUEST: Shape =
    open(&[must("code_method", Choice(&["SMS", "VOICE"])), must("language", Text { max: 5 })]);

/// `POST /{phone-number-id}/verify_code`
pub(in super::super) static CODE_CHECK: Shape = open(&[must("code", Text { max: 8 })]);

/// `POST /{phone-number-id}/register`
pub(in super::super) static REGISTRATION: Shape =
    open(&[must("messaging_product", Choice(&["whatsapp"])), must("pin", PIN)]);

/// `POST /{phone-number-id}`
pub(in super::super) static PIN_CHANGE: Shape = open(&[must("pin", PIN)]);
