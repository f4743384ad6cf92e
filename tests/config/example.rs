//! `config.example.toml` loads, is complete, and tells the true defaults.

use std::collections::BTreeSet;

use prembridge::config::{Config, Env, known_keys};

use super::load;

fn example() -> String {
    std::fs::read_to_string("config.example.toml").unwrap()
}

/// The example with what is commented out taken in: `#key = …` and `#[[table]]`, but not `# prose`.
fn uncommented(text: &str, wanted: impl Fn(&str, &str) -> bool) -> String {
    let mut prose = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(' ') || rest.is_empty() => prose.push_str(rest),
            Some(rest) if wanted(&prose, rest) => lines.push(rest),
            _ => lines.push(line),
        }
        if line.is_empty() {
            prose.clear();
        }
    }
    lines.join("\n")
}

/// Each variable that a text names in `env = "…"`, with a value that any secret may have.
fn env_named_in(text: &str) -> Env {
    let names = text.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| (name, "a-value-that-will-do")).collect()
}

/// The key paths of a TOML text in the form of [`known_keys`].
pub fn keys_of(text: &str) -> BTreeSet<String> {
    fn visit(value: &toml::Value, path: &str, known: &BTreeSet<String>, found: &mut BTreeSet<String>) {
        if known.contains(path) {
            found.insert(path.to_owned());
            return;
        }
        for (key, value) in value.as_table().into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            visit(value, &path, known, found);
        }
        for item in value.as_array().into_iter().flatten() {
            visit(item, &format!("{path}[]"), known, found);
        }
    }
    let mut found = BTreeSet::new();
    let table: toml::Table = text.parse().unwrap();
    visit(&toml::Value::Table(table), "", &known_keys().into_iter().collect(), &mut found);
    found
}

#[test]
fn it_loads_without_a_warning_given_the_variables_it_names() {
    let active: String =
        example().lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let loaded = Config::parse(&example(), &env_named_in(&active)).unwrap();
    assert_eq!(loaded.warnings, []);
}

#[test]
fn it_has_every_key() {
    let text = uncommented(&example(), |_, _| true);
    let missing: Vec<_> = known_keys().into_iter().filter(|key| !keys_of(&text).contains(key)).collect();
    assert!(missing.is_empty(), "document these in config.example.toml: {missing:?}");
}

#[test]
fn what_it_says_about_defaults_is_true() {
    let is_default = |prose: &str, rest: &str| !prose.contains("Unset by default") && !rest.starts_with("[[");
    let (numbers_begin, text) = (example().find("[[number]]").unwrap(), example());
    let defaults = uncommented(&text[..numbers_begin], is_default);
    assert!(defaults.contains("\nmax_body = ") && !defaults.contains("\nca_file = "));
    let number = "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"TOKEN\" }\n";
    let env = Env::from([("TOKEN", "token"), ("PREMBRIDGE_ADMIN_PASSWORD", "password")]);
    let password = "auth.admin_password = { env = \"PREMBRIDGE_ADMIN_PASSWORD\" }\n";
    let example = Config::parse(&format!("{defaults}\n{number}"), &env).unwrap().config;
    let unset = Config::parse(&format!("{password}{number}"), &env).unwrap().config;
    assert_eq!(format!("{example:#?}"), format!("{unset:#?}"));
}

#[test]
fn the_promised_shape_loads() {
    let text = std::fs::read_to_string("tests/config/contract.toml").unwrap();
    let loaded = load("contract.toml", &env_named_in(&text)).unwrap();
    let short = loaded.warnings.iter().find(|warning| warning.path == "number[0].user[0].name").unwrap();
    assert!(short.message.contains("takes only names of 4 to 32 characters"), "{short}");
}
