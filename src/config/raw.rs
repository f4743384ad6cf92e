//! The serde shape of the configuration file: which keys there are and what TOML type each has.
//!
//! The structs here are the one source of truth about key names. [`Shape`] is the same knowledge as
//! data, made by the same macro, so that every unknown key and every wrong type can be reported at
//! once and environment overrides know what their target wants.
//!
//! Nothing here implements `Debug`, because literal secrets pass through.

use serde::Deserialize;

/// What a key may hold.
pub(super) enum Shape {
    Bool,
    Integer,
    Text,
    /// A size in bytes: text such as "16MiB", or an integer, which is read as its digits.
    Size,
    /// So many in a second: an integer, which is read as its digits, or a word.
    Rate,
    Table(Keys),
    /// A word, or a table with these keys.
    TextOr(Keys),
    /// Like `TextOr`; an override sets it to a reference to the overriding variable itself.
    Secret(Keys),
    List(&'static Shape),
}

/// The keys of a table, in the order of the file.
pub(super) type Keys = &'static [(&'static str, Shape)];

/// A type that a key of the file may have.
pub(super) trait Shaped {
    const SHAPE: Shape;
}

impl Shaped for bool {
    const SHAPE: Shape = Shape::Bool;
}

impl Shaped for i64 {
    const SHAPE: Shape = Shape::Integer;
}

impl Shaped for String {
    const SHAPE: Shape = Shape::Text;
}

impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

/// A size in bytes, still text.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Size(pub(super) String);

impl Shaped for Size {
    const SHAPE: Shape = Shape::Size;
}

/// So many in a second or a word, still text.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Rate(pub(super) String);

impl Shaped for Rate {
    const SHAPE: Shape = Shape::Rate;
}

/// `"off"`, `"self-signed"`, or a table of two files.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Tls {
    Word(String),
    Files(CertFiles),
}

impl Shaped for Tls {
    const SHAPE: Shape = Shape::TextOr(CertFiles::KEYS);
}

/// A literal secret, or where to find it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Secret {
    Literal(String),
    Reference(Reference),
}

impl Shaped for Secret {
    const SHAPE: Shape = Shape::Secret(Reference::KEYS);
}

/// Declares a table once: as a serde struct with optional fields, and as its [`Keys`].
macro_rules! table {
    ($name:ident { $($key:ident: $kind:ty),* $(,)? }) => {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name { $(pub(super) $key: Option<$kind>,)* }

        impl $name {
            pub(super) const KEYS: Keys = &[$((stringify!($key), <$kind as Shaped>::SHAPE),)*];
        }

        impl Shaped for $name {
            const SHAPE: Shape = Shape::Table($name::KEYS);
        }
    };
}

table!(File {
    listen: Listen,
    server: Server,
    limits: Limits,
    cloud: Cloud,
    pacing: Pacing,
    store: Store,
    auth: Auth,
    egress: Egress,
    media: Media,
    compat: Compat,
    shutdown: Shutdown,
    log: Log,
    number: Vec<Number>,
});

table!(Listen { api: String, admin: String, webhook: String, tls: Tls });

table!(Server { workers: i64 });

table!(CertFiles { cert: String, key: String });

table!(Limits {
    max_body: Size,
    max_media: Size,
    max_headers: i64,
    max_header_bytes: Size,
    max_connections: i64,
    max_callbacks: i64,
    header_timeout: String,
    body_timeout: String,
    tls_handshake_timeout: String,
});

table!(Cloud {
    base_url: String,
    version: String,
    ca_file: String,
    http: String,
    connect_timeout: String,
    tls_timeout: String,
    first_byte_timeout: String,
    total_timeout: String,
    pool_idle_timeout: String,
});

table!(Pacing { enabled: bool, max_wait: String, messages_per_second: Rate });

table!(Store { url: String });

table!(Auth { admin_password: Secret, hash_concurrency: i64, token_lifetime: String });

table!(Egress { allow: Vec<String>, ports: Vec<i64>, ca_file: String });

table!(Media {
    cache_profile: String,
    links: String,
    max_entries: i64,
    fetch_timeout: String,
    wait_timeout: String,
    upload_timeout: String,
    folder: String,
    keep: Size,
    keep_for: String,
});

table!(Compat {
    created_status: i64,
    message_ids: String,
    errors: String,
    undeliverable_as: i64,
    wa_id: String,
    api_version: String,
    expose_cloud_code: bool,
    show_provider_secrets: bool,
    health: String,
});

table!(Shutdown { lame_duck: String, drain_timeout: String });

table!(Log { level: String, format: String, requests: bool });

table!(Number {
    name: String,
    phone_number_id: String,
    app_id: String,
    waba_id: String,
    access_token: Secret,
    app_secret: Secret,
    previous_app_secrets: Vec<Secret>,
    verify_token: Secret,
    hosts: Vec<String>,
    namespace: String,
    messages_per_second: Rate,
    callback_url: String,
    user: Vec<User>,
    api_key: Vec<ApiKey>,
    provider: Vec<Provider>,
});

table!(User { name: String, password: Secret, role: String });

table!(ApiKey { key: Secret, role: String });

table!(Provider {
    name: String,
    bearer: Secret,
    basic: Basic,
    allowed_hosts: Vec<String>,
});

table!(Basic { username: String, password: Secret });

table!(Reference { env: String, file: String });
