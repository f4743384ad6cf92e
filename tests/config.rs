//! The configuration file: what it means, what is refused, and that its example is complete.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prembridge::config::{
    Allowed, Config, Credentials, Env, Links, Loaded, MessageRate, Problems, Role, Store, Tls, known_keys,
};
use prembridge::http_cache::Profile;
use prembridge::telemetry::LogFormat;
use prembridge::translate::{MessageIds, Options, UndeliverableAs, WaId};

#[path = "config/bad.rs"]
mod bad;
#[path = "config/example.rs"]
mod example;
#[path = "config/overrides.rs"]
mod overrides;
#[path = "config/pem.rs"]
mod pem;

/// The variables that the files in `tests/config` name.
pub fn env() -> Env {
    Env::from([
        ("TOKEN", "canary-token"),
        ("EMPTY", ""),
        ("SHORT", "canary"),
        ("SPACED", "canary with spaces"),
        ("KEY", "canary-api-key"),
        ("ADMIN_PASSWORD", "canary-admin"),
        ("APP_SECRET", "canary-app-secret"),
        ("VERIFY_TOKEN", "canary-verify-token"),
        ("ROBOT_PASSWORD", "canary-robot"),
        ("API_KEY", "canary-api-key"),
        ("CDN_TOKEN", "canary-cdn-token"),
        ("CDN_PASSWORD", "canary-cdn-password"),
    ])
}

pub fn load(file: &str, env: &Env) -> Result<Loaded, Problems> {
    Config::load(&Path::new("tests/config").join(file), env)
}

#[test]
fn minimal_is_all_defaults() {
    let Loaded { config, warnings } = load("minimal.toml", &env()).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.listen.api, SocketAddr::from(([127, 0, 0, 1], 9090)));
    assert_eq!(config.listen.admin, SocketAddr::from(([127, 0, 0, 1], 9091)));
    assert_eq!(config.listen.webhook, SocketAddr::from(([127, 0, 0, 1], 9092)));
    assert_eq!(config.listen.tls, Tls::Off);
    assert_eq!(config.limits.max_body, 1 << 20);
    assert_eq!(config.cloud.base_url, "https://graph.facebook.com");
    assert_eq!(config.cloud.total_timeout, Duration::from_secs(30));
    assert!(config.pacing.enabled);
    assert_eq!(config.pacing.max_wait, Duration::from_secs(5));
    assert_eq!(config.pacing.messages_per_second, MessageRate::Auto);
    assert_eq!(config.store, Store::Sqlite(PathBuf::from("prembridge.db")));
    assert!(config.auth.admin_password.is_none());
    assert_eq!(config.auth.token_lifetime, Duration::from_secs(7 * 86_400));
    assert_eq!((config.egress.allow, config.egress.ca_file), (Vec::new(), None));
    assert_eq!(config.egress.ports, [80, 443, 8080, 8443]);
    assert_eq!(config.compat.created_status, 201);
    assert_eq!(config.compat.api_version, "v2.45.1");
    let hidden = config.compat.options.hidden.clone();
    assert_eq!(config.compat.options, Options { hidden, ..Options::default() });
    assert!(!config.compat.show_provider_secrets && !config.compat.health_by_node);
    assert!(config.log.requests);
    let [number] = config.numbers.as_slice() else { panic!("one number") };
    assert_eq!(number.name, "106540352242922");
    assert_eq!(number.access_token.expose(), "canary-token");
    assert!(
        number.hosts.is_empty()
            && number.users.is_empty()
            && number.namespace.is_none()
            && number.app_id.is_none()
    );
    assert!(number.hosts.is_empty() && number.users.is_empty() && number.namespace.is_none());
    assert!(number.waba_id.is_none());
}

#[test]
fn full_sets_every_section() {
    let config = load("full.toml", &env()).unwrap().config;
    assert_eq!(config.listen.api, config.listen.webhook);
    assert_eq!(config.listen.admin, "[::1]:0".parse().unwrap());
    let (cert, key) = ("tests/config/cert.pem".into(), "tests/config/key.pem".into());
    assert_eq!(config.listen.tls, Tls::Files { cert, key });
    assert_eq!((config.limits.max_body, config.limits.max_headers), (2 << 20, 100));
    assert_eq!((config.limits.max_header_bytes, config.limits.max_connections), (65_536, 5));
    assert_eq!(config.limits.header_timeout, Duration::from_secs(1));
    assert_eq!(config.limits.body_timeout, Duration::from_secs(2));
    assert_eq!(config.limits.tls_handshake_timeout, Duration::from_secs(3));
    assert_eq!(config.cloud.base_url, "https://mock.internal:8080/graph");
    assert_eq!(config.cloud.version, "v27.1");
    assert_eq!(config.cloud.ca_file, Some("tests/config/cert.pem".into()));
    assert_eq!(config.cloud.connect_timeout, Duration::from_millis(100));
    assert_eq!(config.cloud.tls_timeout, Duration::from_millis(200));
    assert_eq!(config.cloud.first_byte_timeout, Duration::from_millis(300));
    assert_eq!(config.cloud.total_timeout, Duration::from_secs(60));
    assert_eq!(config.cloud.pool_idle_timeout, Duration::from_secs(7200));
    assert!(!config.pacing.enabled);
    assert_eq!(config.pacing.max_wait, Duration::from_secs(59));
    assert_eq!(config.pacing.messages_per_second, MessageRate::Fixed(250));
    assert_eq!(config.store, Store::Memory);
    assert_eq!(config.auth.admin_password.unwrap().expose(), "canary-admin");
    assert_eq!(config.auth.hash_concurrency, 4);
    assert_eq!(config.auth.token_lifetime, Duration::from_secs(86_400));
    let network = |address: &str, prefix| Allowed::Network { address: address.parse().unwrap(), prefix };
    let media = Allowed::Host("media.internal".into());
    assert_eq!(config.egress.allow, [network("10.0.0.0", 8), network("127.0.0.1", 32), media]);
    assert_eq!(config.egress.ports, [443, 65535]);
    assert_eq!(config.egress.ca_file, Some("tests/config/cert.pem".into()));
    assert_eq!((config.media.cache_profile, config.media.links), (Profile::Documented, Links::Pass));
    let media = &config.media;
    assert_eq!((media.max_entries, media.keep, config.limits.max_media), (10, 1 << 30, 16 << 20));
    let seconds = Duration::from_secs;
    assert_eq!((media.fetch_timeout, media.upload_timeout), (seconds(9), seconds(8)));
    assert_eq!(media.wait_timeout, seconds(7));
    assert_eq!((media.folder.as_deref(), media.keep_for), (Some("media".as_ref()), seconds(60 * 86_400)));
    assert_eq!(config.compat.created_status, 200);
    assert_eq!(config.compat.api_version, "v2.53.0");
    assert!(config.compat.show_provider_secrets && config.compat.health_by_node);
    let undeliverable_as = UndeliverableAs::UserNotValid;
    let options = Options {
        message_ids: MessageIds::Onprem,
        undeliverable_as,
        expose_cloud_code: false,
        hidden: config.compat.options.hidden.clone(),
    };
    assert_eq!((&config.compat.options, config.compat.wa_id), (&options, WaId::AsSent));
    let secrets = config.numbers.iter().flat_map(prembridge::config::Number::secrets);
    assert_eq!(options.hidden, prembridge::cloud::Hidden::new(secrets));
    assert_eq!(config.shutdown.lame_duck, Duration::ZERO);
    assert_eq!(config.shutdown.drain_timeout, Duration::from_secs(5));
    assert_eq!((config.log.level, config.log.format), (tracing::Level::DEBUG, LogFormat::Text));
    assert!(!config.log.requests);
}

#[test]
fn full_sets_everything_of_a_number() {
    let config = load("full.toml", &env()).unwrap().config;
    let [support, sales] = config.numbers.as_slice() else { panic!("two numbers") };
    assert_eq!((support.name.as_str(), support.phone_number_id.as_str()), ("support", "106540352242922"));
    assert_eq!(support.waba_id.as_deref(), Some("102290129340398"));
    assert_eq!(support.access_token.expose(), "canary-file", "without the newline at the end of the file");
    assert_eq!(support.app_secret.as_ref().unwrap().expose(), "canary-app-secret");
    let previous: Vec<_> = support.previous_app_secrets.iter().map(|secret| secret.expose()).collect();
    assert_eq!(previous, ["canary-app-secret", "canary-verify-token"]);
    assert_eq!(support.verify_token.as_ref().unwrap().expose(), "canary-verify-token");
    assert_eq!(support.hosts, ["support.wa.internal", "support.example"]);
    assert_eq!(support.app_id.as_deref(), Some("138483919580948"));
    assert_eq!(support.namespace.as_deref(), Some("c8ae5f90_307a_ca4c_b8f6_d1e2a2573574"));
    assert_eq!(support.messages_per_second, Some(MessageRate::Auto));
    assert_eq!(sales.messages_per_second, None);
    let callback_url = support.callback_url.as_ref().unwrap().expose();
    assert_eq!(callback_url, "https://app.internal/callback?token=canary-callback");
    let users: Vec<_> =
        support.users.iter().map(|u| (u.name.as_str(), u.password.expose(), u.role)).collect();
    assert_eq!(users, [("robot", "canary-robot", Role::Admin), ("robot-two", "canary-robot", Role::User)]);
    assert_eq!(support.api_keys[0].key.expose(), "canary-api-key");
    assert_eq!(support.api_keys[0].role, Role::Admin);
    assert_eq!(support.providers[0].allowed_hosts, ["cdn.internal"]);
    assert!(
        matches!(&support.providers[0].credentials, Credentials::Bearer(t) if t.expose() == "canary-cdn-token")
    );
    assert!(matches!(&support.providers[1].credentials, Credentials::Basic { username, password }
        if username == "app" && password.expose() == "canary-cdn-password"));
    assert_eq!(sales.access_token.expose(), "canary-literal");
    assert!(matches!(sales.providers[0].credentials, Credentials::None));
}

#[test]
fn full_warns_of_literals() {
    let warnings = load("full.toml", &env()).unwrap().warnings;
    let paths: Vec<_> = warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(paths, ["number[1].access_token"]);
    assert!(warnings[0].message.starts_with("the secret itself is in this file"));
}

#[test]
fn a_number_that_can_take_no_webhook_is_warned_of() {
    let number = "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"TOKEN\" }\n";
    let env = Env::from([("TOKEN", "t")]);
    for key in ["verify_token = { env = \"TOKEN\" }", "callback_url = \"https://client/\""] {
        let loaded = Config::parse(&format!("{number}{key}\n"), &env).unwrap();
        let paths: Vec<_> = loaded.warnings.iter().map(|warning| warning.path.as_str()).collect();
        assert_eq!(paths, ["number[0].app_secret"], "{key}");
    }
    assert!(Config::parse(number, &env).unwrap().warnings.is_empty());
}

#[test]
fn every_key_has_a_case_in_full() {
    let text = std::fs::read_to_string("tests/config/full.toml").unwrap();
    assert_eq!(example::keys_of(&text).symmetric_difference(&known_keys().into_iter().collect()).count(), 0);
}

#[test]
fn tokens_in_clear_are_warned_of_except_on_loopback() {
    let warned = |url| {
        let text = format!(
            "cloud.base_url = \"{url}\"\n[[number]]\nphone_number_id = \"1\"\naccess_token = {{ env = \"TOKEN\" }}"
        );
        let warnings = Config::parse(&text, &env()).unwrap().warnings;
        warnings.iter().any(|warning| warning.path == "cloud.base_url")
    };
    for url in
        ["http://graph.facebook.com", "http://10.0.0.1:80/x", "http://localhost.example", "http://[fd00::1]"]
    {
        assert!(warned(url), "{url}");
    }
    for url in
        ["https://graph.facebook.com", "http://127.0.0.1:8080", "http://LOCALHOST", "http://[::1]:80/x"]
    {
        assert!(!warned(url), "{url}");
    }
}

#[test]
fn deadlines_that_cannot_be_reached_are_warned_of() {
    let warned = |cloud: &str| {
        let text =
            format!("{cloud}\n[[number]]\nphone_number_id = \"1\"\naccess_token = {{ env = \"TOKEN\" }}");
        let warnings = Config::parse(&text, &env()).unwrap().warnings;
        warnings.into_iter().map(|warning| warning.path).collect::<Vec<_>>()
    };
    let (first_byte, total) = ("cloud.first_byte_timeout", "cloud.total_timeout");
    assert_eq!(warned("cloud.first_byte_timeout = \"31s\""), [first_byte]);
    assert_eq!(warned("cloud.first_byte_timeout = \"30s\""), [""; 0]);
    assert_eq!(warned("cloud.total_timeout = \"19999ms\""), [first_byte]);
    assert_eq!(warned("cloud = { first_byte_timeout = \"1s\", total_timeout = \"7999ms\" }"), [total]);
    assert_eq!(warned("cloud = { first_byte_timeout = \"1s\", total_timeout = \"8s\" }"), [""; 0]);
}

#[test]
fn a_short_deadline_shortens_the_wait_by_itself() {
    let wait = |total: &str| {
        let text = format!(
            "cloud = {{ first_byte_timeout = \"1s\", total_timeout = {total:?} }}\n\
             [[number]]\nphone_number_id = \"1\"\naccess_token = {{ env = \"TOKEN\" }}"
        );
        Config::parse(&text, &env()).unwrap().config.pacing.max_wait
    };
    assert_eq!(wait("10s"), Duration::from_secs(5));
    assert_eq!(wait("9s"), Duration::from_millis(4500));
}

#[test]
fn secrets_never_show() {
    let loaded = load("full.toml", &env()).unwrap();
    let warnings: String = loaded.warnings.iter().map(|warning| format!("{warning} {warning:?}\n")).collect();
    let token = &loaded.config.numbers[0].access_token;
    let shown = format!("{loaded:?} {loaded:#?} {token} {token:?} {warnings} {:?}", env());
    assert!(shown.contains("support.wa.internal"), "the rest does show: {shown}");
    assert!(!shown.contains("canary"), "{shown}");
}
