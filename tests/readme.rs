//! The README tells the truth: its picture is the demo's output, its configuration loads, and so do those of
//! docs/clients.md, its links lead somewhere. Its tables are held to the code in `reference.rs`. `UPDATE_README=1` writes
//! the generated parts.

use std::fs;
use std::path::Path;
use std::process::Command;

use prembridge::config::{Config, Env};

use crate::generated::{between, keep_part};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md");

#[test]
fn the_picture_is_what_the_demo_prints() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_prembridge")).args(["demo", "--step", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    keep_part("README.md", "demo", &format!("```text\n{}\n```\n", text.trim_end()));
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
