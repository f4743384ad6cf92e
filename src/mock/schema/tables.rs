//! What a Cloud message may hold, as data by the Messages reference and its guides.

use super::rules::Rule;
use super::{Key, Kind, Need, Shape, Tagged};
use Kind::{Anything, Choice, Flag, Index, Link, Loose, Number, Object, Text};

const ANY: usize = usize::MAX;

const fn may(name: &'static str, kind: Kind) -> Key {
    Key { name, need: Need::Optional, kind }
}

const fn must(name: &'static str, kind: Kind) -> Key {
    Key { name, need: Need::Required, kind }
}

const fn mandatory(name: &'static str, kind: Kind) -> Key {
    Key { name, need: Need::Mandatory, kind }
}

const fn text(max: usize) -> Kind {
    Text { max }
}

const fn string() -> Kind {
    Text { max: ANY }
}

/// A list of `$min` to `$max` items of one kind.
macro_rules! list {
    ($min:expr, $max:expr, $item:expr $(,)?) => {
        Kind::List { min: $min, max: $max, item: const { &$item } }
    };
}

/// A shape of these keys, with the rules after the semicolon.
macro_rules! shape {
    ($($key:expr),* $(,)?) => { shape![$($key),*; &[]] };
    ($($key:expr),* ; $rules:expr) => {
        Shape { keys: const { &[$($key),*] }, rules: const { $rules }, open: false }
    };
}

/// The kind of an object of these keys.
macro_rules! object {
    ($($key:expr),* $(,)?) => { Object(const { &shape![$($key),*] }) };
}

// 1.1 Envelope ---------------------------------------------------------------------------------------------

/// A message; the object named like its type is checked with [`TYPES`].
pub(in super::super) static ENVELOPE: Shape = Shape {
    open: true,
    rules: &[],
    keys: &[
        must("messaging_product", Choice(&["whatsapp"])),
        may("recipient_type", Choice(&["individual", "group"])),
        may("to", Anything),
        may("recipient", text(150)),
        may("type", string()),
        may("context", object![must("message_id", text(128))]),
        may("biz_opaque_callback_data", Loose { max: 512 }),
        may("recipient_identity_key_hash", string()),
        may("audio", Anything),
        may("contacts", Anything),
        may("document", Anything),
        may("image", Anything),
        may("interactive", Anything),
        may("location", Anything),
        may("reaction", Anything),
        may("sticker", Anything),
        may("template", Anything),
        may("text", Anything),
        may("video", Anything),
    ],
};

/// A read receipt, with or without a typing indicator.
pub(in super::super) static READ: Shape = Shape {
    open: true,
    rules: &[],
    keys: &[
        must("messaging_product", Choice(&["whatsapp"])),
        must("status", Choice(&["read"])),
        must("message_id", text(128)),
        may("typing_indicator", object![must("type", Choice(&["text"]))]),
    ],
};

/// Message types and the object each is made of.
pub(in super::super) static TYPES: &[(&str, Kind)] = &[
    ("audio", Object(&AUDIO)),
    ("contacts", list!(1, ANY, Object(&CONTACT))),
    ("document", Object(&DOCUMENT)),
    ("image", Object(&CAPTIONED)),
    ("interactive", Kind::Tagged(&INTERACTIVE)),
    ("location", LOCATION),
    ("reaction", object![must("message_id", text(128)), must("emoji", Loose { max: ANY })]),
    ("sticker", Object(&MEDIA)),
    ("template", Object(&TEMPLATE)),
    ("text", object![must("body", text(4096)), may("preview_url", Flag)]),
    ("video", Object(&CAPTIONED)),
];

// 1.2 Simple types -----------------------------------------------------------------------------------------

const ONE_SOURCE: &[Rule] = &[Rule::Either("id", "link")];
static MEDIA: Shape = shape![may("id", string()), may("link", Link); ONE_SOURCE];
static AUDIO: Shape = shape![may("id", string()), may("link", Link), may("voice", Flag); ONE_SOURCE];
static CAPTIONED: Shape =
    shape![may("id", string()), may("link", Link), may("caption", Loose { max: 1024 }); ONE_SOURCE];
static DOCUMENT: Shape = shape![
        may("id", string()),
        may("link", Link),
        may("caption", Loose { max: 1024 }),
        may("filename", Loose { max: ANY }); ONE_SOURCE];
/// A document inside a template or a header has no caption.
static NAMED_DOCUMENT: Shape =
    shape![may("id", string()), may("link", Link), may("filename", Loose { max: ANY }); ONE_SOURCE];

const WORD: Kind = Loose { max: ANY };
const LOCATION: Kind =
    object![must("latitude", Number), must("longitude", Number), may("name", WORD), may("address", WORD)];

static CONTACT: Shape = shape![
    must("name", Object(&CONTACT_NAME)),
    may("phones", list!(0, ANY, object![may("phone", WORD), may("type", WORD), may("wa_id", WORD)])),
    may("emails", list!(0, ANY, object![may("email", WORD), may("type", WORD)])),
    may("urls", list!(0, ANY, object![may("url", WORD), may("type", WORD)])),
    may(
        "addresses",
        list!(
            0,
            ANY,
            object![
                may("street", WORD),
                may("city", WORD),
                may("state", WORD),
                may("zip", WORD),
                may("country", WORD),
                may("country_code", WORD),
                may("type", WORD),
            ],
        ),
    ),
    may("org", object![may("company", WORD), may("department", WORD), may("title", WORD)]),
    may("birthday", WORD)
];
static CONTACT_NAME: Shape = shape![
        must("formatted_name", string()),
        may("first_name", WORD),
        may("last_name", WORD),
        may("middle_name", WORD),
        may("suffix", WORD),
        may("prefix", WORD); &[Rule::Some(&["first_name", "last_name", "middle_name", "suffix", "prefix"])]];

// 1.3 Interactive ------------------------------------------------------------------------------------------

const KIND: Key = must("type", string());
const BODY: Kind = object![must("text", text(1024))];
const LONG_BODY: Kind = object![must("text", text(4096))];
const FOOTER: Key = may("footer", object![must("text", text(60))]);
const HEADER: Key = may("header", Kind::Tagged(&ANY_HEADER));
const TEXT_HEADER: Kind = Kind::Tagged(&ONLY_TEXT_HEADER);

static ANY_HEADER: Tagged = Tagged {
    tag: "type",
    // Meta's call-to-action sample has a text header without a type.
    default: Some("text"),
    lenient: false,
    variants: &[
        ("text", HEADER_TEXT),
        ("image", object![may("type", WORD), must("image", Object(&MEDIA))]),
        ("video", object![may("type", WORD), must("video", Object(&MEDIA))]),
        ("document", object![may("type", WORD), must("document", Object(&NAMED_DOCUMENT))]),
    ],
};
static ONLY_TEXT_HEADER: Tagged =
    Tagged { tag: "type", default: Some("text"), lenient: false, variants: &[("text", HEADER_TEXT)] };
const HEADER_TEXT: Kind =
    object![may("type", WORD), must("text", text(60)), may("sub_text", Loose { max: 60 })];

/// An interactive message with the usual parts around its own `action`.
macro_rules! interactive {
    ($action:expr) => {
        object![KIND, HEADER, must("body", BODY), FOOTER, must("action", $action)]
    };
}

/// An `action` that is a name and parameters.
macro_rules! named {
    ($name:literal, $parameters:expr) => {
        object![must("name", Choice(&[$name])), must("parameters", $parameters)]
    };
}

static INTERACTIVE: Tagged = Tagged {
    tag: "type",
    default: None,
    // Types that Meta adds later are not ours to refuse.
    lenient: true,
    variants: &[
        ("button", interactive!(Object(&BUTTONS))),
        (
            "list",
            object![
                KIND,
                may("header", TEXT_HEADER),
                must("body", LONG_BODY),
                FOOTER,
                must("action", Object(&ROWS))
            ],
        ),
        (
            "product",
            object![
                KIND,
                may("body", BODY),
                FOOTER,
                must("action", object![must("catalog_id", string()), must("product_retailer_id", string())]),
            ],
        ),
        (
            "product_list",
            object![
                KIND,
                must("header", TEXT_HEADER),
                must("body", BODY),
                FOOTER,
                must("action", Object(&PRODUCTS))
            ],
        ),
        ("catalog_message", interactive!(Object(&CATALOG))),
        ("flow", interactive!(named!("flow", Object(&FLOW)))),
        (
            "cta_url",
            interactive!(named!("cta_url", object![must("display_text", text(20)), must("url", Link)])),
        ),
        ("location_request_message", interactive!(object![must("name", Choice(&["send_location"]))])),
        (
            "address_message",
            interactive!(named!(
                "address_message",
                object![
                    must("country", string()),
                    may("values", Anything),
                    may("saved_addresses", Anything),
                    may("validation_errors", Anything),
                ]
            )),
        ),
        ("order_details", interactive!(named!("review_and_pay", Anything))),
        ("order_status", interactive!(named!("review_order", Anything))),
    ],
};

static BUTTONS: Shape = shape![must(
        "buttons",
        list!(
            1,
            3,
            object![
                must("type", Choice(&["reply"])),
                must("reply", object![must("id", text(256)), must("title", text(20))]),
            ],
        ),
    ); &[Rule::Buttons]];
static ROWS: Shape = shape![must("button", text(20)), must("sections", list!(1, 10, Object(&ROW_SECTION))); &[Rule::Total { list: "sections", of: "rows", max: 10 }, Rule::TitleWhenMany("sections")]];
static ROW_SECTION: Shape = shape![
    may("title", Loose { max: 24 }),
    must(
        "rows",
        list!(
            1,
            10,
            object![must("id", text(200)), must("title", text(24)), may("description", Loose { max: 72 })],
        ),
    )
];
static PRODUCTS: Shape = shape![must("catalog_id", string()), must("sections", list!(1, 10, Object(&PRODUCT_SECTION))); &[Rule::Total { list: "sections", of: "product_items", max: 30 }, Rule::TitleWhenMany("sections")]];
static PRODUCT_SECTION: Shape = shape![
    may("title", Loose { max: 24 }),
    must("product_items", list!(1, 30, object![must("product_retailer_id", string())]))
];
static CATALOG: Shape = shape![
    must("name", Choice(&["catalog_message"])),
    may("parameters", object![may("thumbnail_product_retailer_id", string())])
];
static FLOW: Shape = shape![
        must("flow_message_version", string()),
        // The reference says required, the newer OpenAPI text optional.
        may("flow_token", string()),
        may("flow_id", string()),
        may("flow_name", string()),
        // 20 in the reference, 30 in the OpenAPI file: the wider one, so that nothing real is refused.
        must("flow_cta", text(30)),
        may("mode", Choice(&["draft", "published"])),
        may("flow_action", Choice(&["navigate", "data_exchange"])),
        may("flow_action_payload", object![must("screen", string()), may("data", Anything)]); &[Rule::Either("flow_id", "flow_name")]];

// 1.4 Template ---------------------------------------------------------------------------------------------

static TEMPLATE: Shape = shape![
        must("name", text(512)),
        mandatory("language", object![must("code", string()), may("policy", Choice(&["deterministic"]))]),
        may("components", list!(0, ANY, Kind::Tagged(&COMPONENT))); &[Rule::ShortBody]];

static COMPONENT: Tagged = Tagged {
    tag: "type",
    default: None,
    lenient: false,
    variants: &[
        ("header", object![KIND, may("parameters", list!(0, 1, Kind::Tagged(&HEADER_PARAMETER)))]),
        ("body", object![KIND, may("parameters", list!(0, ANY, Kind::Tagged(&BODY_PARAMETER)))]),
        ("footer", object![KIND, may("parameters", list!(0, ANY, Anything))]),
        ("button", Kind::Tagged(&BUTTON)),
        (
            "limited_time_offer",
            object![
                KIND,
                must(
                    "parameters",
                    list!(
                        1,
                        1,
                        object![
                            must("type", Choice(&["limited_time_offer"])),
                            must("limited_time_offer", object![must("expiration_time_ms", Number)]),
                        ]
                    )
                ),
            ],
        ),
        ("carousel", object![KIND, must("cards", list!(1, 10, Object(&CARD)))]),
        ("tap_target_configuration", object![KIND, must("parameters", list!(1, ANY, Anything))]),
    ],
};
static CARD: Shape =
    shape![must("card_index", Number), must("components", list!(1, ANY, Kind::Again(|| &COMPONENT)))];

static BUTTON: Tagged = Tagged {
    tag: "sub_type",
    default: None,
    // Calling and payment buttons carry parameters nobody published in full.
    lenient: true,
    variants: &[
        ("quick_reply", button_of(&QUICK_REPLY)),
        ("url", button_of(&URL_SUFFIX)),
        ("copy_code", button_of(&COUPON)),
        ("catalog", button_of(&CATALOG_ACTION)),
        ("mpm", button_of(&CATALOG_ACTION)),
        ("flow", button_of(&FLOW_ACTION)),
    ],
};
const fn button_of(shape: &'static Shape) -> Kind {
    Object(shape)
}

/// A button's own shape around its one kind of parameter.
macro_rules! button {
    ($need:ident, $parameter:expr) => {
        shape![
            KIND,
            must("sub_type", WORD),
            must("index", Index),
            $need("parameters", list!(1, 1, $parameter))
        ]
    };
}
static QUICK_REPLY: Shape =
    button!(must, object![must("type", Choice(&["payload"])), must("payload", string())]);
static URL_SUFFIX: Shape = button!(
    must,
    object![must("type", Choice(&["text"])), must("text", string()), may("parameter_name", string())]
);
static COUPON: Shape =
    button!(must, object![must("type", Choice(&["coupon_code"])), must("coupon_code", string())]);
static CATALOG_ACTION: Shape = button!(
    may,
    object![
        must("type", Choice(&["action"])),
        must(
            "action",
            object![
                may("thumbnail_product_retailer_id", string()),
                may("sections", list!(1, 10, Object(&PRODUCT_SECTION)))
            ]
        ),
    ]
);
static FLOW_ACTION: Shape = button!(
    may,
    object![
        must("type", Choice(&["action"])),
        must("action", object![may("flow_token", string()), may("flow_action_data", Anything)]),
    ]
);

static HEADER_PARAMETER: Tagged = Tagged {
    tag: "type",
    default: None,
    lenient: false,
    variants: &[
        ("text", object![KIND, must("text", text(60)), may("parameter_name", string())]),
        ("image", object![KIND, must("image", Object(&MEDIA))]),
        ("video", object![KIND, must("video", Object(&MEDIA))]),
        ("gif", object![KIND, must("gif", Object(&MEDIA))]),
        ("document", object![KIND, must("document", Object(&NAMED_DOCUMENT))]),
        ("location", object![KIND, must("location", LOCATION)]),
        (
            "product",
            object![
                KIND,
                must("product", object![must("catalog_id", string()), must("product_retailer_id", string())])
            ],
        ),
    ],
};
static BODY_PARAMETER: Tagged = Tagged {
    tag: "type",
    default: None,
    lenient: false,
    variants: &[
        ("text", object![KIND, must("text", text(32768)), may("parameter_name", string())]),
        (
            "currency",
            object![
                KIND,
                must(
                    "currency",
                    object![
                        must("fallback_value", string()),
                        must("code", string()),
                        must("amount_1000", Number)
                    ]
                ),
            ],
        ),
        // Cloud reads nothing but the fallback; the on-prem calendar fields are refused here so that a proxy
        // that forwards them is seen.
        ("date_time", object![KIND, must("date_time", object![must("fallback_value", string())])]),
    ],
};
