//! The README tells the truth: its generated parts equal the code, its picture is the demo's output,
//! its configuration loads, and so do those of docs/clients.md. `UPDATE_README=1` writes the generated parts.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use prembridge::config::{Config, Env};
use prembridge::translate::rules::{RULES, Status};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md");

#[test]
fn the_table_of_differences_is_generated() {
    let mut table = String::from("| what | how | rule |\n|---|---|---|\n");
    for info in RULES {
        let how = match info.status {
            Status::Translated => "translated",
            Status::Emulated => "emulated",
            Status::Dropped => "left out",
            Status::Refused => "refused",
        };
        writeln!(table, "| {} | {how} | `{}` |", info.summary, info.id).unwrap();
    }
    keep_equal("rules", &table);
}

#[test]
fn the_picture_is_what_the_demo_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_prembridge")).arg("demo").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // The ids are deterministic; the ports and the login's token, in the parts before, are not.
    let start = text.find("3. An hsm message").expect("the hsm step");
    let end = text.find("4. ").expect("the step after it");
    let picture = text.get(start..end).unwrap();
    keep_equal("demo", &format!("```text\n{}\n```\n", picture.trim_end()));
}

#[test]
fn the_configuration_loads() {
    let readme = fs::read_to_string(README).unwrap();
    let env = Env::from([
        ("SUPPORT_TOKEN", "EAAB"),
        ("SUPPORT_APP_SECRET", "secret"),
        ("SUPPORT_VERIFY_TOKEN", "token"),
        ("APP_PASSWORD", "Str0ng!pass"),
        ("PREMBRIDGE_ADMIN_PASSWORD", "Str0ng!pass"),
    ]);
    for (section, added) in [
        ("## Configuration", ""),
        // Shows only what callbacks need.
        ("## Callbacks", "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"SUPPORT_TOKEN\" }\n"),
    ] {
        let rest = readme.split_once(section).expect(section).1;
        let block = between(rest, "```toml\n", "```").expect("a TOML block");
        let block = if added.is_empty() { block.to_owned() } else { block.replace("[[number]]\n", added) };
        let loaded = Config::parse(&block, &env).unwrap_or_else(|problems| panic!("{section}: {problems}"));
        assert!(loaded.warnings.is_empty(), "{section}: {:?}", loaded.warnings);
    }
}

#[test]
fn files_that_are_named_exist() {
    for file in [README, CLIENTS] {
        let text = fs::read_to_string(file).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.starts_with("http") && !target.starts_with('#') {
                assert!(Path::new(file).parent().unwrap().join(target).exists(), "{file}: {target}");
            }
        }
    }
}

/// Each recipe changes one line, and its configuration loads below the one that all of them share.
#[test]
fn recipes_are_one_line_and_a_configuration() {
    let text = fs::read_to_string(CLIENTS).unwrap();
    let blocks = |language: &str| -> Vec<String> {
        let open = format!("```{language}\n");
        text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    };
    let diffs = blocks("diff");
    assert_eq!(
        diffs.len(),
        text.matches("\n## ").count() - 1,
        "one for each program, none for the general part"
    );
    for diff in diffs {
        let lines = |sign| diff.lines().filter(|line| line.starts_with(sign)).count();
        assert!(lines('+') == 1 && lines('-') <= 1, "{diff}");
    }
    let passwords = ["PREMBRIDGE_ADMIN_PASSWORD", "APP_PASSWORD", "RAPIDPRO_PASSWORD", "TOCK_PASSWORD"];
    let secrets =
        ["SUPPORT_TOKEN", "SUPPORT_APP_SECRET", "SUPPORT_VERIFY_TOKEN", "APP_KEY", "D3_KEY", "CHATWOOT_KEY"];
    let env: Env = passwords.into_iter().chain(secrets).map(|name| (name, "Str0ng!password")).collect();
    let (shared, recipes) =
        blocks("toml").split_first().map(|(first, rest)| (first.clone(), rest.to_vec())).unwrap();
    // Files of the tests, in place of the reader's.
    let shared = shared
        .replace("\"cert.pem\"", "\"tests/config/cert.pem\"")
        .replace("\"key.pem\"", "\"tests/config/key.pem\"");
    for recipe in [String::new()].into_iter().chain(recipes) {
        let loaded = Config::parse(&format!("{shared}\n{recipe}"), &env);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{recipe}: {problems}"));
        assert!(loaded.warnings.is_empty(), "{recipe}: {:?}", loaded.warnings);
    }
}

/// Two tests that update at once would lose one update.
static UPDATE: Mutex<()> = Mutex::new(());

fn keep_equal(name: &str, expected: &str) {
    let _alone = UPDATE.lock().unwrap();
    let readme = fs::read_to_string(README).unwrap();
    let (open, close) = (format!("<!-- generated: {name} -->\n"), format!("<!-- end: {name} -->"));
    let found = between(&readme, &open, &close).unwrap_or_else(|| panic!("README has no part {name}"));
    if found == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_README").is_some(),
        "the part {name} of README.md is not what the code says; UPDATE_README=1 ./test readme writes it"
    );
    let updated = readme.replace(&format!("{open}{found}{close}"), &format!("{open}{expected}{close}"));
    fs::write(README, updated).unwrap();
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let rest = text.get(text.find(open)? + open.len()..)?;
    rest.get(..rest.find(close)?)
}
