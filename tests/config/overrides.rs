//! `PREMBRIDGE__…` variables.

use prembridge::config::{Config, Env, Loaded, Problems, Store, Tls};

const NUMBER: &str = "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"TOKEN\" }\n";

fn parse<const COUNT: usize>(text: &str, overrides: [(&str, &str); COUNT]) -> Result<Loaded, Problems> {
    let token = [("TOKEN", "token")];
    Config::parse(text, &overrides.into_iter().chain(token).collect::<Env>())
}

#[test]
fn overrides_replace_and_add_keys_of_every_type() {
    let text =
        format!("cloud.base_url = \"https://a\"\nlog.requests = true\nlimits.max_headers = 10\n{NUMBER}");
    let overrides = [
        ("PREMBRIDGE__CLOUD__BASE_URL", "https://b"),
        ("PREMBRIDGE__LOG__REQUESTS", "false"),
        ("PREMBRIDGE__LIMITS__MAX_HEADERS", "20"),
        ("PREMBRIDGE__LIMITS__MAX_BODY", "4096"),
        ("PREMBRIDGE__STORE__URL", "memory:"),
        ("PREMBRIDGE__EGRESS__ALLOW", "10.0.0.0/8, media.internal"),
        ("PREMBRIDGE__EGRESS__PORTS", "443, 8443"),
        ("PREMBRIDGE__LISTEN__TLS", "self-signed"),
        ("PREMBRIDGE_ADMIN_PASSWORD", "one underscore is no override"),
        ("UNRELATED__X", "y"),
    ];
    let config = parse(&text, overrides).unwrap().config;
    assert_eq!(config.cloud.base_url, "https://b");
    assert!(!config.log.requests);
    assert_eq!((config.limits.max_headers, config.limits.max_body), (20, 4096));
    assert_eq!(config.store, Store::Memory);
    assert_eq!(config.egress.allow.len(), 2);
    assert_eq!(config.egress.ports, [443, 8443]);
    assert_eq!(config.listen.tls, Tls::SelfSigned);
    assert!(config.auth.admin_password.is_none());
}

#[test]
fn a_secret_is_overridden_without_a_warning() {
    let name = "PREMBRIDGE__NUMBER__0__ACCESS_TOKEN";
    let loaded = parse(NUMBER, [(name, "other")]).unwrap();
    assert_eq!(loaded.config.numbers[0].access_token.expose(), "other");
    assert_eq!(loaded.warnings, []);
    let loaded =
        parse(NUMBER, [("PREMBRIDGE__NUMBER__0__ACCESS_TOKEN__FILE", "tests/config/token.txt")]).unwrap();
    assert_eq!(loaded.config.numbers[0].access_token.expose(), "canary-file");
    let problems = parse(NUMBER, [(name, "")]).unwrap_err();
    assert!(
        problems.to_string().contains("environment variable PREMBRIDGE__NUMBER__0__ACCESS_TOKEN is empty")
    );
}

#[test]
fn a_whole_number_can_come_from_the_environment() {
    let overrides = [
        ("PREMBRIDGE__NUMBER__0__PHONE_NUMBER_ID", "106540352242922"),
        ("PREMBRIDGE__NUMBER__0__ACCESS_TOKEN", "token"),
        ("PREMBRIDGE__NUMBER__0__USER__0__NAME", "robot"),
        ("PREMBRIDGE__NUMBER__0__USER__0__PASSWORD__ENV", "TOKEN"),
    ];
    let config = parse("", overrides).unwrap().config;
    assert_eq!(config.numbers[0].phone_number_id, "106540352242922");
    assert_eq!(config.numbers[0].users[0].password.expose(), "token");
}

#[test]
fn elements_are_added_in_the_order_of_their_indices() {
    let hosts = (0..12).map(|i| (format!("PREMBRIDGE__NUMBER__0__HOSTS__{i}"), format!("host-{i}")));
    let env = hosts.chain([("TOKEN".to_owned(), "token".to_owned())]).collect();
    let config = Config::parse(NUMBER, &env).unwrap().config;
    assert_eq!(config.numbers[0].hosts, (0..12).map(|i| format!("host-{i}")).collect::<Vec<_>>());
}

#[test]
fn bad_overrides_are_problems_that_name_their_variable() {
    for (variable, value, path, fragment) in [
        ("PREMBRIDGE__CLOUD__BASE_ULR", "canary", "cloud.base_ulr", "did you mean `base_url`?"),
        ("PREMBRIDGE__LOG__REQUESTS", "canary", "log.requests", "expected true or false"),
        ("PREMBRIDGE__COMPAT__CREATED_STATUS", "canary", "compat.created_status", "expected an integer"),
        ("PREMBRIDGE__EGRESS__PORTS", "80,canary", "egress.ports", "expected integers with commas"),
        ("PREMBRIDGE__CLOUD", "canary", "cloud", "this names a table; name a key in it"),
        ("PREMBRIDGE__NUMBER", "canary", "number", "this names a table; name a key in it"),
        ("PREMBRIDGE__NUMBER__0", "canary", "number[0]", "this names a table; name a key in it"),
        ("PREMBRIDGE__NUMBER__X__NAME", "canary", "number", "name an element by its index"),
        ("PREMBRIDGE__NUMBER__2__NAME", "canary", "number", "index 2 leaves a gap; the next one is 1"),
        ("PREMBRIDGE__LOG__LEVEL__X", "canary", "log.level", "has no keys in it"),
        ("PREMBRIDGE__", "canary", "", "unknown key ``"),
    ] {
        let problems = parse(NUMBER, [(variable, value)]).unwrap_err();
        let [problem] = problems.0.as_slice() else { panic!("{variable}: {problems}") };
        assert_eq!(problem.path, path, "{variable}");
        assert!(problem.message.starts_with(&format!("environment variable {variable}: ")), "{problem}");
        assert!(problem.message.contains(fragment) && !problem.message.contains("canary"), "{problem}");
    }
}
