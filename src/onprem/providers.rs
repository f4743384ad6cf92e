//! Bodies of `/v1/settings/application/media/providers`.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::error::Meta;
use super::message::Body;
use super::read::{array, at_most, missing, object, optional_string, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::{self, Kind, Object, Path, Raw, Str};

/// What stands for a secret in answers.
pub const MASK: &str = "***";

/// As many providers may be sent at once and set at one number. On-prem's documentation speaks of one at a
/// time.
pub const MOST_PROVIDERS: usize = 256;

/// Enough for any token, and little enough to be sent in a header.
const LONGEST_SECRET: usize = 8192;

const LONGEST_NAME: usize = 200;

/// One provider, as clients send it and read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider<'a> {
    /// Letters, digits, `-` and `_`: it stands in front of links.
    pub name: Str<'a>,
    /// How it is asked.
    pub auth: Auth<'a>,
}

/// `config`
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Auth<'a> {
    /// `{}`: without credentials.
    None {},
    /// `{"bearer":…}`
    Bearer {
        /// The token.
        bearer: Str<'a>,
    },
    /// `{"basic":{…}}`
    Basic {
        /// User and password.
        basic: Basic<'a>,
    },
}

/// `config.basic`
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Basic<'a> {
    /// Without colon and control characters (RFC 7617 section 2).
    pub username: Str<'a>,
    /// Without control characters (same section); may be empty.
    pub password: Str<'a>,
}

/// What `POST` brings.
#[derive(Debug, PartialEq, Eq)]
pub struct NewProviders<'a> {
    /// At least one, each name once.
    pub providers: Vec<Provider<'a>>,
    /// How many keys nobody here knows; they change nothing.
    pub ignored: usize,
}

impl<'a> NewProviders<'a> {
    /// Reads an array of providers, or a single one, as some clients send it.
    pub fn parse(body: &'a Body<'_>) -> Result<Self, Invalid> {
        let whole: Raw<'a> = serde_json::from_str(body.json()).map_err(|error| {
            Invalid::new(ErrorCode::InvalidRequest, format!("the body is not JSON: {error}"))
        })?;
        let mut new = Self { providers: Vec::new(), ignored: 0 };
        match wire::kind(whole) {
            Kind::Object => new.add(whole, Path::Root)?,
            Kind::Array => {
                let elements = array(whole, Path::Root)?;
                if elements.is_empty() || elements.len() > MOST_PROVIDERS {
                    let rule = format!("the array must have 1 to {MOST_PROVIDERS} providers");
                    return Err(Invalid::new(ErrorCode::ParameterInvalid, rule));
                }
                for (at, element) in elements.into_iter().enumerate() {
                    new.add(element, Path::Root.index(at))?;
                }
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => {
                return Err(Invalid::new(
                    ErrorCode::InvalidRequest,
                    "the body must be a JSON array of providers",
                ));
            }
        }
        new.each_once()?;
        Ok(new)
    }

    fn add(&mut self, raw: Raw<'a>, path: Path<'_>) -> Result<(), Invalid> {
        let mut provider = object(raw, path)?;
        let name = name(&mut provider, path)?;
        let www = optional_string(&mut provider, "type", path)?;
        if www.is_some_and(|kind| &*kind != "www") {
            return Err(wrong(path.key("type"), "must be \"www\", the only type there is"));
        }
        let here = path.key("config");
        let config = object(provider.take("config").ok_or_else(|| missing(here))?, here)?;
        self.ignored += provider.members().len();
        let auth = self.auth(config, here)?;
        self.providers.push(Provider { name, auth });
        Ok(())
    }

    fn auth(&mut self, mut config: Object<'a>, path: Path<'_>) -> Result<Auth<'a>, Invalid> {
        let members = config.members().len();
        let bearer = optional_string(&mut config, "bearer", path)?;
        let basic = config.take("basic").map(|raw| object(raw, path.key("basic"))).transpose()?;
        self.ignored += config.members().len();
        match (bearer, basic) {
            (Some(_), Some(_)) => Err(wrong(path, "has both basic and bearer; send one of them")),
            (Some(token), None) => Ok(Auth::Bearer { bearer: bearer_token(token, path.key("bearer"))? }),
            (None, Some(mut pair)) => {
                let basic = Basic::read(&mut pair, path.key("basic"))?;
                self.ignored += pair.members().len();
                Ok(Auth::Basic { basic })
            }
            (None, None) if members == 0 => Ok(Auth::None {}),
            // Whoever misspells a key must not get a provider that is asked without credentials.
            (None, None) => {
                Err(wrong(path, "has neither basic nor bearer; send one of them, or {} for none"))
            }
        }
    }

    fn each_once(&self) -> Result<(), Invalid> {
        let mut seen = HashSet::new();
        match self.providers.iter().position(|provider| !seen.insert(&*provider.name)) {
            None => Ok(()),
            Some(at) => {
                Err(wrong(Path::Root.index(at).key("name"), "is there twice; send each provider once"))
            }
        }
    }
}

impl<'a> Basic<'a> {
    fn read(pair: &mut Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let (at_name, at_password) = (path.key("username"), path.key("password"));
        let username = optional_string(pair, "username", path)?.ok_or_else(|| missing(at_name))?;
        if username.is_empty() || username.chars().any(|c| c == ':' || c.is_control()) {
            return Err(wrong(
                at_name,
                "must have at least one character, no colon and no control characters",
            ));
        }
        at_most(&username, LONGEST_SECRET, at_name)?;
        let password = optional_string(pair, "password", path)?.ok_or_else(|| missing(at_password))?;
        if password.chars().any(char::is_control) {
            return Err(wrong(at_password, "must have no control characters"));
        }
        secret(&password, at_password)?;
        Ok(Self { username, password })
    }
}

fn name<'a>(provider: &mut Object<'a>, path: Path<'_>) -> Result<Str<'a>, Invalid> {
    let here = path.key("name");
    let name = optional_string(provider, "name", path)?.ok_or_else(|| missing(here))?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if name.is_empty() || name.len() > LONGEST_NAME || !is_plain {
        // Not quoted: a link or a token may have been put here.
        return Err(wrong(here, format_args!("must have 1 to {LONGEST_NAME} letters, digits, - and _")));
    }
    Ok(name)
}

/// Wider than RFC 6750 section 2.1, whose tokens know fewer marks, and still fit for a header.
fn bearer_token<'a>(token: Str<'a>, path: Path<'_>) -> Result<Str<'a>, Invalid> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(path, "must have visible ASCII characters only, and at least one"));
    }
    secret(&token, path)?;
    Ok(token)
}

/// Whoever changes what was read and sends it back would replace each secret by its mask.
fn secret(text: &str, path: Path<'_>) -> Result<(), Invalid> {
    if text == MASK {
        return Err(wrong(path, "is what stands for a hidden secret in answers; send the secret itself"));
    }
    at_most(text, LONGEST_SECRET, path)
}

/// Tells the kind and nothing of the content.
impl fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None {} => "None",
            Self::Bearer { .. } => "Bearer(hidden)",
            Self::Basic { .. } => "Basic(hidden)",
        })
    }
}

/// The answer of `GET`.
#[derive(Debug, Serialize)]
pub struct ProvidersReply<'a> {
    settings: Settings<'a>,
    meta: Meta<'a>,
}

impl<'a> ProvidersReply<'a> {
    /// With these providers, in this order.
    pub fn new(providers: impl IntoIterator<Item = Provider<'a>>, meta: Meta<'a>) -> Self {
        let item = |provider: Provider<'a>| Item { name: provider.name, kind: "www", config: provider.auth };
        let media = Media { providers: providers.into_iter().map(item).collect() };
        Self { settings: Settings { application: Application { media } }, meta }
    }
}

#[derive(Debug, Serialize)]
struct Settings<'a> {
    application: Application<'a>,
}

#[derive(Debug, Serialize)]
struct Application<'a> {
    media: Media<'a>,
}

#[derive(Debug, Serialize)]
struct Media<'a> {
    providers: Vec<Item<'a>>,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    name: Str<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    config: Auth<'a>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn reads_both_samples_of_the_documentation() {
        let body = body(
            r#"[{"name":"p1","type":"www","config":{"basic":{"username":"u","password":"p"}}},
                {"name":"p2","type":"www","config":{"bearer":"token"}}]"#,
        );
        let basic = Basic { username: "u".into(), password: "p".into() };
        let expected = [
            Provider { name: "p1".into(), auth: Auth::Basic { basic } },
            Provider { name: "p2".into(), auth: Auth::Bearer { bearer: "token".into() } },
        ];
        let new = NewProviders::parse(&body).unwrap();
        assert_eq!((new.providers.as_slice(), new.ignored), (expected.as_slice(), 0));
    }

    #[test]
    fn a_single_one_will_do_and_unknown_keys_are_counted() {
        let body = body(
            r#"{"name":"p","x":1,"type":null,
                "config":{"y":2,"bearer":null,"basic":{"username":"u","password":"","z":3}}}"#,
        );
        let new = NewProviders::parse(&body).unwrap();
        assert_eq!((new.providers.len(), new.ignored), (1, 3));
    }

    fn body(text: &str) -> Body<'_> {
        Body::read(text.as_bytes()).unwrap()
    }

    fn config() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!({})),
            "[!-~]{1,20}".prop_map(|token| json!({"bearer": token})),
            (r"[^:\pC]{1,9}", r"[^\pC]{0,9}")
                .prop_map(|(name, word)| json!({"basic": {"username": name, "password": word}})),
        ]
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// What is taken is shown as it came.
        #[test]
        fn the_answer_has_what_was_sent(configs in prop::collection::vec(config(), 1..5)) {
            let items = configs.into_iter().enumerate().map(|(at, config)| {
                json!({"name": format!("p-{at}"), "type": "www", "config": config})
            });
            let sent = Value::Array(items.collect());
            prop_assume!(!sent.to_string().contains("\"***\""));
            let text = sent.to_string();
            let body = body(&text);
            let reply = ProvidersReply::new(NewProviders::parse(&body).unwrap().providers, Meta::stable("v1"));
            let shown = serde_json::to_value(&reply).unwrap();
            prop_assert_eq!(&shown["settings"]["application"]["media"]["providers"], &sent);
        }

        /// Whatever comes, an error quotes no value of it.
        #[test]
        fn errors_quote_no_values(name in "[a ]?zqj[a :]?", kind in "zqj", word in "(zqj|\\*\\*\\*|zqj\n)") {
            for item in [
                json!({"name": name, "type": kind, "config": {"bearer": word}}),
                json!({"name": "p", "config": {"basic": {"username": name, "password": word}}}),
                json!({"name": "p", "config": {"bearer": word, "basic": word}}),
                json!({"name": "p", "config": {"token": word}}),
                json!({"name": "p", "config": word}),
                json!([word, name]),
            ] {
                let text = item.to_string();
                let body = body(&text);
                match NewProviders::parse(&body) {
                    Ok(new) => {
                        let shown = format!("{new:?}");
                        prop_assert!(!shown.contains(word.as_str()), "{shown}");
                    }
                    Err(invalid) => prop_assert!(!invalid.details.contains("zqj"), "{}", invalid.details),
                }
            }
        }
    }
}
