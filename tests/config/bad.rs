//! One file per kind of mistake, and what is said about it.

use std::collections::BTreeSet;
use std::path::Path;

use prembridge::config::Config;

use super::{env, load};

/// The reason in the file's name, and for each of its problems the beginning of its line and a
/// fragment of the rest.
const BAD: &[(&str, &[(&str, &str)])] = &[
    ("syntax", &[("line 3, column 29: ", "this is not TOML: invalid basic string")]),
    ("duplicate_key", &[("line 4, column 1: ", "duplicate key")]),
    (
        "unknown_keys",
        &[
            ("lisen: line 1, column 2: ", "did you mean `listen`?"),
            ("cloud.base_ulr: line 5, column 1: ", "did you mean `base_url`?"),
            ("cloud.something_else: line 6, column 1: ", "use one of base_url, version, "),
            ("number[0].acess_token: line 11, column 1: ", "did you mean `access_token`?"),
            ("number[0].user[0].password.evn: line 14, column 14: ", "did you mean `env`?"),
            ("number[0].user[0].password: ", "give either { env"),
        ],
    ),
    (
        "types",
        &[
            ("listen.api: line 2, column 7: ", "expected a string in quotes, found a TOML integer"),
            ("limits.max_body: line 4, column 12: ", "expected a size such as \"16MiB\""),
            ("limits.max_headers: line 5, column 15: ", "expected an integer, found a TOML string"),
            ("egress.allow[0]: line 7, column 10: ", "expected a string"),
            ("egress.ports[0]: line 8, column 10: ", "expected an integer, found a TOML string"),
            ("log.requests: line 10, column 12: ", "expected true or false"),
            ("cloud.version: line 12, column 11: ", "expected a string in quotes, found a TOML float"),
            ("store.url: line 14, column 7: ", "expected a string in quotes, found a TOML array"),
            ("auth.hash_concurrency: line 16, column 20: ", "too large"),
            ("number[0].phone_number_id: line 18, column 19: ", "expected a string in quotes"),
            (
                "number[0].access_token: line 19, column 16: ",
                "expected { env = \"NAME\" } or { file = \"PATH\" }",
            ),
        ],
    ),
    ("single_number_table", &[("number: line 1, column 1: ", "[[double brackets]]")]),
    ("no_number", &[("number: ", "add a [[number]]")]),
    (
        "missing",
        &[
            ("number[0].phone_number_id: ", "is missing"),
            ("number[0].access_token: ", "is missing"),
            ("number[0].user[0].name: ", "is missing"),
            ("number[0].user[0].password: ", "is missing"),
            ("number[0].api_key[0].key: ", "is missing"),
            ("number[0].provider[0].name: ", "is missing"),
            ("number[0].provider[0].basic.username: ", "is missing"),
            ("number[0].provider[0].basic.password: ", "is missing"),
        ],
    ),
    (
        "listen",
        &[
            ("listen.api: ", "\"localhost:9090\" is not an IP address with a port"),
            ("listen.admin: ", "\":9091\" is not an IP address with a port"),
            ("listen.webhook: ", "\"127.0.0.1\" is not an IP address with a port"),
            ("listen.tls: ", "use \"off\", \"self-signed\" or { cert = \"PATH\", key = \"PATH\" }"),
        ],
    ),
    (
        "collision",
        &[
            ("listen.admin: ", "collides with listen.api (127.0.0.1:9090)"),
            ("listen.webhook: ", "collides with listen.admin"),
            ("listen.webhook: ", "collides with listen.api"),
        ],
    ),
    (
        "files",
        &[
            ("listen.tls.cert: ", "cannot use the file \"tests/config/absent.pem\""),
            ("listen.tls.key: ", "is missing"),
            ("cloud.ca_file: ", "is not a file"),
        ],
    ),
    (
        "pem",
        &[
            ("listen.tls.cert: ", "\"tests/config/key.pem\" holds no certificate"),
            ("listen.tls.key: ", "\"tests/config/cert.pem\" holds no private key"),
            ("cloud.ca_file: ", "\"tests/config/token.txt\" holds no certificate"),
        ],
    ),
    (
        "limits",
        &[
            ("limits.max_body: ", "\"1MB\" is not a size"),
            ("limits.max_headers: ", "0 is out of range; use 1 to 4096"),
            ("limits.max_header_bytes: ", "the smallest is 8192 bytes"),
            ("limits.max_connections: ", "-1 is out of range"),
            ("limits.header_timeout: ", "must be longer than 0"),
            ("limits.body_timeout: ", "\"soon\" is not a duration"),
        ],
    ),
    (
        "pacing",
        &[
            ("pacing.enabled: line 5, column 11: ", "expected true or false"),
            ("number[2].messages_per_second: line 22, column 23: ", "expected an integer or \"auto\""),
            ("pacing.max_wait: ", "9s is not below cloud.total_timeout (9s)"),
            ("pacing.messages_per_second: ", "0 is out of range; use 1 to 1000, or \"auto\""),
            ("number[0].messages_per_second: ", "1001 is out of range; use 1 to 1000"),
            (
                "number[1].messages_per_second: ",
                "\"fast\" is not known; use \"auto\" or a number from 1 to 1000",
            ),
        ],
    ),
    (
        "cloud",
        &[
            ("cloud.base_url: ", "must not have a user name"),
            ("cloud.version: ", "write one such as \"v26.0\""),
        ],
    ),
    ("base_url_scheme", &[("cloud.base_url: ", "must begin with https:// or http://")]),
    ("base_url_query", &[("cloud.base_url: ", "must not have a query")]),
    ("postgres", &[("store.url: ", "this version knows only \"memory:\" and \"sqlite:PATH\"")]),
    ("store", &[("store.url: ", "use \"memory:\" or \"sqlite:PATH\"")]),
    (
        "auth",
        &[
            ("auth.admin_password: ", "is empty"),
            ("auth.hash_concurrency: ", "use 1 to 64"),
            ("auth.token_lifetime: ", "shorter than \"1s\""),
        ],
    ),
    (
        "egress",
        &[
            ("egress.allow[0]: ", "has a prefix longer than 32"),
            ("egress.allow[1]: ", "write \"10.0.0.0/8\" or \"10.0.0.5\""),
            ("egress.allow[2]: ", "\"10.0.0.256\" is neither a network"),
            ("egress.allow[3]: ", "nor a host name without port"),
            ("egress.ports[1]: ", "0 is out of range; use 1 to 65535"),
            ("egress.ports[2]: ", "65536 is out of range"),
            ("egress.ports[3]: ", "-1 is out of range"),
            ("egress.ca_file: ", "\"tests/config/token.txt\" holds no certificate"),
        ],
    ),
    (
        "media",
        &[
            ("media.cache_profile: ", "use \"rfc\" or \"documented\""),
            ("media.links: ", "use \"upload\" or \"pass\""),
        ],
    ),
    (
        "compat",
        &[
            ("compat.created_status: ", "use 201 or 200"),
            ("compat.api_version: ", "the oldest is \"v2.35.2\""),
            ("compat.errors: ", "use \"inline\" or \"deferred\""),
            ("compat.health: ", "use \"single\" or \"multi\""),
            ("compat.wa_id: ", "use \"as-cloud\" or \"as-sent\""),
            ("compat.message_ids: ", "use \"cloud\" or \"onprem\""),
            ("compat.undeliverable_as: ", "use 1026 or 1013"),
        ],
    ),
    ("api_version", &[("compat.api_version: ", "write one such as \"v2.45.1\"")]),
    (
        "log",
        &[
            ("shutdown.lame_duck: ", "\"1\" is not a duration"),
            ("log.level: ", "use \"error\" or \"warn\""),
            ("log.format: ", "use \"json\" or \"text\""),
        ],
    ),
    (
        "secrets",
        &[
            ("number[0].access_token: ", "environment variable UNSET is not set; export it"),
            ("number[0].app_secret: ", "environment variable EMPTY is empty"),
            ("number[0].verify_token: ", "must be the name of an environment variable"),
            ("number[0].user[0].password: ", "cannot read tests/config/absent.txt"),
            ("number[0].user[1].password: ", "give either"),
            ("number[0].user[2].password: ", "give either"),
            ("number[0].api_key[0].key: ", "has 6 characters; use 12 to 128"),
            ("number[0].api_key[1].key: ", "cannot be sent in an HTTP header"),
            ("number[0].api_key[3].key: ", "same key as that of api_key[2]"),
            ("number[1].access_token: ", "cannot be sent in an HTTP header"),
        ],
    ),
    (
        "number",
        &[
            ("number[0].phone_number_id: ", "write its 1 to 32 digits"),
            ("number[0].name: ", "\"two words\" is not a name"),
            ("number[0].app_id: ", "write its 1 to 32 digits"),
            ("number[0].waba_id: ", "write its 1 to 32 digits"),
            ("number[0].hosts[0]: ", "\"https://support\" is not a host name"),
            ("number[0].namespace: ", "is empty"),
            ("number[0].callback_url: ", "is not a URL"),
        ],
    ),
    (
        "hosts",
        &[
            ("number[1].hosts[1]: ", "\"support.internal\" is already used by number[0].hosts[0]"),
            ("number[2].hosts: ", "each needs the Host names"),
        ],
    ),
    (
        "duplicates",
        &[
            ("number[0].user[1].name: ", "already used by number[0].user[0].name"),
            ("number[0].provider[1].name: ", "already used by number[0].provider[0].name"),
            ("number[1].name: ", "already used by number[0].name"),
            ("number[1].phone_number_id: ", "already used by number[0].phone_number_id"),
        ],
    ),
    (
        "users",
        &[
            ("number[0].user[0].name: ", "set its password with auth.admin_password"),
            ("number[0].user[1].name: ", "use 4 to 32 characters"),
            ("number[0].user[2].name: ", "without colon"),
            ("number[0].user[2].role: ", "use \"user\" or \"admin\""),
        ],
    ),
    (
        "providers",
        &[
            ("number[0].provider[0]: ", "has both `bearer` and `basic`"),
            ("number[0].provider[1].name: ", "is not a provider name"),
            ("number[0].provider[1].bearer: ", "cannot be sent in an HTTP header"),
            ("number[0].provider[1].allowed_hosts[0]: ", "\"*.internal\" is not a host name"),
            ("number[0].provider[2].basic.username: ", "no colon"),
            ("number[0].provider[2].basic.password: ", "is missing"),
        ],
    ),
];

#[test]
fn each_bad_file_tells_all_its_problems_and_no_other() {
    for (reason, expected) in BAD {
        let problems = load(&format!("bad.{reason}.toml"), &env()).unwrap_err();
        let text = problems.to_string();
        assert_eq!(problems.0.len(), expected.len(), "{reason}:\n{text}");
        for (line, (beginning, fragment)) in text.lines().zip(*expected) {
            assert!(line.starts_with(beginning) && line.contains(fragment), "{reason}: {line}\n{text}");
        }
    }
}

#[test]
fn no_problem_tells_a_secret() {
    for (reason, _) in BAD {
        let problems = load(&format!("bad.{reason}.toml"), &env()).unwrap_err();
        let shown = format!("{problems} {problems:?}");
        assert!(!shown.contains("canary"), "{reason}: {shown}");
    }
}

#[test]
fn every_bad_file_is_in_the_table() {
    let files = std::fs::read_dir("tests/config").unwrap().map(|entry| entry.unwrap().file_name());
    let reasons: BTreeSet<String> = files
        .filter_map(|name| Some(name.to_str()?.strip_prefix("bad.")?.strip_suffix(".toml")?.to_owned()))
        .collect();
    assert_eq!(reasons, BAD.iter().map(|(reason, _)| (*reason).to_owned()).collect());
}

#[test]
fn a_file_that_is_not_there_is_a_problem_like_any_other() {
    let problems = Config::load(Path::new("tests/config/absent.toml"), &env()).unwrap_err();
    assert!(problems.to_string().starts_with("cannot read the configuration tests/config/absent.toml: "));
}

#[test]
fn mistakes_of_every_kind_are_told_together() {
    let text = "listen.apy = 1\ncompat.created_status = \"201\"\nlog.level = \"loud\"\nnumber = [{}]";
    let env = super::Env::from([("PREMBRIDGE__LOG__FORM", "json")]);
    let problems = Config::parse(text, &env).unwrap_err();
    let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    let expected = [
        "listen.apy",
        "compat.created_status",
        "log.form",
        "log.level",
        "number[0].phone_number_id",
        "number[0].access_token",
    ];
    assert_eq!(paths, expected);
}
