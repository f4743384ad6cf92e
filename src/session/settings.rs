//! What the configuration says about logins, as plain values.

use std::time::Duration;

use secrecy::SecretString;

pub use crate::config::Role;

/// How logins work, and who may log in besides the stored users.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a token lives: 7 days, as on-prem ("Login and Authentication", "expire every 7 days").
    /// Under three days one known client logs in before every send.
    pub token_lifetime: Duration,
    /// How many passwords are hashed at once; each takes a core and keeps `hash_cost.memory_kib` of memory. One leaves
    /// messages a core even of two.
    pub hash_concurrency: usize,
    /// The price of one hash; tests lower it.
    pub hash_cost: HashCost,
    /// The password of `admin` at every number. Without it `admin` starts as on-prem's `secret`.
    pub admin_password: Option<SecretString>,
    /// Each number with the users and keys that the configuration gives it.
    pub numbers: Vec<NumberAccess>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_lifetime: Duration::from_hours(7 * 24),
            hash_concurrency: 1,
            hash_cost: HashCost::default(),
            admin_password: None,
            numbers: Vec::new(),
        }
    }
}

/// The parameters of argon2id (RFC 9106 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes, which this implementation computes one after the other.
    pub lanes: u32,
}

/// OWASP's "Password Storage" cheat sheet: argon2id with m=19456 (19 MiB), t=2, p=1.
impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Who may use one number.
#[derive(Clone, Debug)]
pub struct NumberAccess {
    /// The number's name in the configuration; stored users are found by it.
    pub name: String,
    /// Users whose password the configuration owns. They beat stored users of the same name.
    pub users: Vec<ConfiguredUser>,
    /// Keys that work like a token which never expires.
    pub api_keys: Vec<ApiKey>,
}

/// A user from the configuration.
#[derive(Clone, Debug)]
pub struct ConfiguredUser {
    /// The name, as in the Basic credentials.
    pub name: String,
    /// The password, in clear; the rule for passwords does not apply to it.
    pub password: SecretString,
    /// The role; `admin` is an administrator whatever this says.
    pub role: Role,
}

/// A static key from the configuration.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The key as clients send it.
    pub key: SecretString,
    /// What its holder may do.
    pub role: Role,
}
