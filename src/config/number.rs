//! `[[number]]`: one business phone number with its tokens, users, keys and providers.

use std::collections::BTreeMap;

use super::check::{Check, any_secret, header_secret};
use super::pacing::{self, MessageRate};
use super::raw;
use super::secret::Secret;
use super::values;

/// One business phone number, which behaves like one on-prem deployment.
#[derive(Clone, Debug)]
pub struct Number {
    /// What logs and metrics call it, and nothing else; the phone number id unless the file says more.
    pub name: String,
    /// Its id in the Cloud API.
    pub phone_number_id: String,
    /// The id of its Meta app, which photos are uploaded under; Graph is asked for it when there is none.
    pub app_id: Option<String>,
    /// The id of its WhatsApp Business Account, which templates belong to.
    pub waba_id: Option<String>,
    /// The Cloud API's bearer token; visible ASCII.
    pub access_token: Secret,
    /// Signs the webhooks of its app.
    pub app_secret: Option<Secret>,
    /// Secrets that sign, too, while the app's secret is being replaced.
    pub previous_app_secrets: Vec<Secret>,
    /// What Cloud presents when the webhook is subscribed.
    pub verify_token: Option<Secret>,
    /// The Host names that select it, in the form of [`host_key`](super::host_key); may be empty
    /// only when it is the only number.
    pub hosts: Vec<String>,
    /// The template namespace that clients have to send, if they send one.
    pub namespace: Option<String>,
    /// How many messages it sends in a second, where that is not as for all.
    pub messages_per_second: Option<MessageRate>,
    /// Where callbacks go; hidden because such URLs may carry a token.
    pub callback_url: Option<Secret>,
    /// Users beside those that clients make.
    pub users: Vec<User>,
    /// Static keys.
    pub api_keys: Vec<ApiKey>,
    /// Media providers beside those that clients make.
    pub providers: Vec<Provider>,
}

impl Number {
    /// What only Graph and we know.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let tokens = [&self.access_token].into_iter().chain(&self.verify_token);
        tokens.chain(&self.app_secret).chain(&self.previous_app_secrets).map(Secret::expose)
    }
}

/// `[[number.user]]`
#[derive(Clone, Debug)]
pub struct User {
    /// Its name, never `admin`.
    pub name: String,
    /// Its password.
    pub password: Secret,
    /// What it may do.
    pub role: Role,
}

/// `[[number.api_key]]`
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// 12 to 128 characters of visible ASCII.
    pub key: Secret,
    /// What its holder may do.
    pub role: Role,
}

/// What a login is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Messages, contacts and media.
    #[default]
    User,
    /// Settings and users too.
    Admin,
}

impl Role {
    /// The value of `ROLES` in `GET /v1/users/{username}`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "ROLE_USER",
            Self::Admin => "ROLE_ADMIN",
        }
    }
}

/// `[[number.provider]]`
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name that messages refer to.
    pub name: String,
    /// How it is asked.
    pub credentials: Credentials,
    /// Where the credentials may go, in the form of [`host_key`](super::host_key); empty for
    /// wherever a link leads.
    pub allowed_hosts: Vec<String>,
}

/// How a provider is asked.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Without credentials.
    None,
    /// `Authorization: Bearer …`
    Bearer(Secret),
    /// `Authorization: Basic …`
    Basic {
        /// Without colon, as RFC 7617 section 2 demands.
        username: String,
        /// Its password.
        password: Secret,
    },
}

/// Reads all numbers and what has to hold between them.
pub(super) fn numbers(raw: Vec<raw::Number>, check: &mut Check<'_>) -> Vec<Number> {
    let several = raw.len() > 1;
    if raw.is_empty() {
        check
            .report
            .problem("number", "there is none; add a [[number]] with phone_number_id and access_token");
    }
    let numbers: Vec<_> =
        raw.into_iter().enumerate().map(|(i, raw)| number(raw, &format!("number[{i}]"), check)).collect();
    let (mut names, mut ids, mut hosts) = (Unique::default(), Unique::default(), Unique::default());
    for (i, number) in numbers.iter().enumerate() {
        let path = format!("number[{i}]");
        names.claim(&number.name, format!("{path}.name"), check);
        ids.claim(&number.phone_number_id, format!("{path}.phone_number_id"), check);
        for (j, host) in number.hosts.iter().enumerate() {
            hosts.claim(host, format!("{path}.hosts[{j}]"), check);
        }
        if several && number.hosts.is_empty() {
            let message = "is missing; with several numbers each needs the Host names that select it";
            check.report.problem(&format!("{path}.hosts"), message);
        }
    }
    numbers
}

/// Values that may occur only once, and where each was seen first.
#[derive(Default)]
struct Unique(BTreeMap<String, String>);

impl Unique {
    fn claim(&mut self, value: &str, path: String, check: &mut Check<'_>) {
        // An empty value was already reported as missing or wrong.
        if value.is_empty() {
            return;
        }
        if let Some(first) = self.0.get(value) {
            check.report.problem(&path, format!("{value:?} is already used by {first}; choose another one"));
        } else {
            self.0.insert(value.to_owned(), path);
        }
    }
}

fn number(raw: raw::Number, path: &str, check: &mut Check<'_>) -> Number {
    let key = |key: &str| format!("{path}.{key}");
    if raw.app_secret.is_none() && (raw.verify_token.is_some() || raw.callback_url.is_some()) {
        check.report.warn(
            &key("app_secret"),
            "is missing, so webhooks for this number are refused: nobody could tell whether they are Cloud's",
        );
    }
    let phone_number_id = check.required(&key("phone_number_id"), raw.phone_number_id, phone_number_id);
    Number {
        name: check.parsed(&key("name"), raw.name, phone_number_id.clone(), number_name),
        phone_number_id,
        app_id: check.parsed(&key("app_id"), raw.app_id, None, |text| app_id(text).map(Some)),
        waba_id: check.parsed(&key("waba_id"), raw.waba_id, None, |text| waba_id(&text).map(|()| Some(text))),
        access_token: check.required_secret(&key("access_token"), raw.access_token, header_secret),
        app_secret: check.secret(&key("app_secret"), raw.app_secret, any_secret),
        previous_app_secrets: raw
            .previous_app_secrets
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .map(|(i, raw)| {
                check.required_secret(&format!("{path}.previous_app_secrets[{i}]"), Some(raw), any_secret)
            })
            .collect(),
        verify_token: check.secret(&key("verify_token"), raw.verify_token, any_secret),
        hosts: check.hosts(&key("hosts"), raw.hosts),
        namespace: check.parsed(&key("namespace"), raw.namespace, None, |text| match text.as_str() {
            "" => Err("is empty; remove it to accept any namespace".to_owned()),
            _ => Ok(Some(text)),
        }),
        messages_per_second: check.parsed(
            &key("messages_per_second"),
            raw.messages_per_second,
            None,
            |rate| pacing::message_rate(rate).map(Some),
        ),
        callback_url: check.parsed(&key("callback_url"), raw.callback_url, None, |url| {
            let uri = values::http_url(&url)?;
            if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                return Err("has a user name or password; put a token into the path or the query".to_owned());
            }
            Ok(Some(Secret::new(url)))
        }),
        users: users(raw.user.unwrap_or_default(), &key("user"), check),
        api_keys: api_keys(raw.api_key.unwrap_or_default(), &key("api_key"), check),
        providers: providers(raw.provider.unwrap_or_default(), &key("provider"), check),
    }
}

fn waba_id(text: &str) -> Result<(), String> {
    if is_graph_id(text) {
        return Ok(());
    }
    let place = "as WhatsApp Manager shows them in its address and settings";
    Err(format!("is not the id of a WhatsApp Business Account; write its 1 to 32 digits, {place}"))
}

fn is_graph_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit())
}

fn phone_number_id(text: &str) -> Result<(), String> {
    if is_graph_id(text) {
        return Ok(());
    }
    // Not quoted: an access token may have been pasted here.
    Err("is not a phone number id; write its 1 to 32 digits, as Meta's API set-up page shows them".to_owned())
}

fn app_id(text: String) -> Result<String, String> {
    if (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit()) {
        return Ok(text);
    }
    // Not quoted: a secret of the app may have been pasted here.
    Err("is not an app id; write its 1 to 32 digits, as Meta's app dashboard shows them".to_owned())
}

fn number_name(text: String) -> Result<String, String> {
    if values::is_plain_name(&text, 64) {
        return Ok(text);
    }
    Err(format!("{text:?} is not a name; use 1 to 64 letters, digits, _ and -"))
}

fn users(raw: Vec<raw::User>, path: &str, check: &mut Check<'_>) -> Vec<User> {
    let mut names = Unique::default();
    let users = raw.into_iter().enumerate().map(|(i, raw)| {
        let path = format!("{path}[{i}]");
        let name = check.required(&format!("{path}.name"), raw.name, user_name);
        names.claim(&name, format!("{path}.name"), check);
        warn_of_short_name(&name, &format!("{path}.name"), check);
        User {
            name,
            password: check.required_secret(&format!("{path}.password"), raw.password, any_secret),
            role: role(raw.role, &path, check),
        }
    });
    users.collect()
}

fn user_name(text: &str) -> Result<(), String> {
    if text == "admin" {
        return Err("\"admin\" exists already; set its password with auth.admin_password".to_owned());
    }
    // A colon would end the name in Basic credentials (RFC 7617 section 2).
    if !(1..=32).contains(&text.chars().count()) || text.chars().any(|c| c == ':' || c.is_control()) {
        return Err(format!("{text:?} is not a user name; use 4 to 32 characters without colon"));
    }
    Ok(())
}

/// On-prem names have at least 4 characters. Shorter ones work here, and only here.
fn warn_of_short_name(name: &str, path: &str, check: &mut Check<'_>) {
    if (1..4).contains(&name.chars().count()) {
        check
            .report
            .warn(path, format!("{name:?} works, but POST /v1/users takes only names of 4 to 32 characters"));
    }
}

fn api_keys(raw: Vec<raw::ApiKey>, path: &str, check: &mut Check<'_>) -> Vec<ApiKey> {
    let mut keys: Vec<ApiKey> = Vec::new();
    for (i, raw) in raw.into_iter().enumerate() {
        let path = format!("{path}[{i}]");
        let key_path = format!("{path}.key");
        let key = check.required_secret(&key_path, raw.key, api_key);
        let twice = keys.iter().position(|other| other.key.expose() == key.expose());
        if let (Some(first), false) = (twice, key.expose().is_empty()) {
            check
                .report
                .problem(&key_path, format!("is the same key as that of api_key[{first}]; remove one"));
        }
        keys.push(ApiKey { key, role: role(raw.role, &path, check) });
    }
    keys
}

fn api_key(text: &str) -> Result<(), String> {
    header_secret(text)?;
    // The lengths that the on-prem client accepted.
    if (12..=128).contains(&text.len()) {
        return Ok(());
    }
    Err(format!("has {} characters; use 12 to 128", text.len()))
}

fn role(raw: Option<String>, path: &str, check: &mut Check<'_>) -> Role {
    check.word(&format!("{path}.role"), raw, Role::User, &[("user", Role::User), ("admin", Role::Admin)])
}

fn providers(raw: Vec<raw::Provider>, path: &str, check: &mut Check<'_>) -> Vec<Provider> {
    let mut names = Unique::default();
    let providers = raw.into_iter().enumerate().map(|(i, raw)| {
        let path = format!("{path}[{i}]");
        let name = check.required(&format!("{path}.name"), raw.name, |text| {
            if values::is_plain_name(text, 200) {
                return Ok(());
            }
            Err(format!("{text:?} is not a provider name; use 1 to 200 letters, digits, _ and -"))
        });
        names.claim(&name, format!("{path}.name"), check);
        Provider {
            name,
            credentials: credentials(raw.bearer, raw.basic, &path, check),
            allowed_hosts: check.hosts(&format!("{path}.allowed_hosts"), raw.allowed_hosts),
        }
    });
    providers.collect()
}

fn credentials(
    bearer: Option<raw::Secret>,
    basic: Option<raw::Basic>,
    path: &str,
    check: &mut Check<'_>,
) -> Credentials {
    if bearer.is_some() && basic.is_some() {
        check.report.problem(path, "has both `bearer` and `basic`; keep one of them");
    }
    let bearer = check.secret(&format!("{path}.bearer"), bearer, header_secret);
    let basic = basic.map(|raw| Credentials::Basic {
        username: check.required(&format!("{path}.basic.username"), raw.username, |text| {
            let fits = !text.is_empty() && !text.chars().any(|c| c == ':' || c.is_control());
            if fits { Ok(()) } else { Err("must have at least one character and no colon".to_owned()) }
        }),
        password: check.required_secret(&format!("{path}.basic.password"), raw.password, any_secret),
    });
    basic.or(bearer.map(Credentials::Bearer)).unwrap_or(Credentials::None)
}
