//! README and docs tell the truth: their commands work in order, their pictures are what is printed, their
//! configurations load, their links lead somewhere. The generated tables are held to the code in `reference.rs`.
//! `UPDATE_README=1` writes the generated parts.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use prembridge::config::{Config, Env};

use crate::generated::keep_part;
use crate::support::process::run;
use crate::temp::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What is long, or is the tests themselves, or has to know another machine.
const NOT_RUN: [&str; 7] =
    ["cargo ", "./test", "prembridge bench", "export PREMBRIDGE_BENCH", "curl …", "sudo ", "git "];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

fn pages() -> Vec<String> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let names = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    ["README.md".to_owned()].into_iter().chain(names).filter(|name| name.ends_with(".md")).collect()
}

/// The blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs what a reader would type, in one shell, against what the lines before it started. The ports are free ones.
fn typed(name: &str) -> String {
    let lines = blocks(&page(name), "sh").concat();
    let mut script = String::from("set -em\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for line in lines.lines().filter(|line| !NOT_RUN.iter().any(|left| line.starts_with(left))) {
        script.push_str(line);
        script.push('\n');
    }
    let (folder, bin) = (TempDir::new(), TempDir::new());
    symlink(env!("CARGO_BIN_EXE_prembridge"), bin.join("prembridge")).unwrap();
    // All are held until each has one.
    let held: Vec<_> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    drop(held);
    for (at, port) in ports.iter().enumerate() {
        script = script.replace(&format!("127.0.0.1:909{at}"), &format!("127.0.0.1:{port}"));
    }
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(folder.path());
    for (at, listener) in ["API", "ADMIN", "WEBHOOK"].iter().enumerate() {
        command.env(format!("PREMBRIDGE__LISTEN__{listener}"), format!("127.0.0.1:{}", ports[at]));
    }
    command.env("PREMBRIDGE__SHUTDOWN__LAME_DUCK", "0s");
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let output = command.env("PATH", path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{name}: {told}\n{}\nby\n{script}",
        String::from_utf8_lossy(&output.stderr)
    );
    told
}

#[test]
fn the_readme_works_as_written() {
    let told = typed("README.md");
    assert!(!told.contains("\"errors\""), "{told}");
    for word in [
        "wrote prembridge.toml",
        "1 number, no problems",
        "\"messages\":[{\"id\":\"wamid.",
        "\"accepted\": 1",
        "\"name\": \"hi\"",
        "becomes on-prem 470",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn pages_without_an_account_work_as_written() {
    let mock = typed("docs/mock.md");
    assert!(mock.contains("wamid.") && mock.contains("\"webhooks\""), "{mock}");
    let demo = typed("docs/demo.md");
    assert!(demo.contains("9. Its file is fetched"), "{demo}");
}

#[test]
fn the_picture_is_what_the_demo_prints() {
    let told = run(&["demo", "--step", "3"], "");
    assert_eq!(told.code, Some(0), "{told:?}");
    keep_part("docs/demo.md", "demo", &format!("```text\n{}\n```\n", told.stdout.trim_end()));
    let digest = run(&["demo"], "").stdout;
    let excerpt = blocks(&page("README.md"), "text").remove(0);
    for line in excerpt.lines() {
        assert!(digest.lines().any(|told| told.trim_end() == line), "{line:?} is not in\n{digest}");
    }
}

#[test]
fn the_readme_can_be_finished() {
    let lines = page("README.md").lines().count();
    assert!(lines <= 180, "{lines} lines");
}

#[test]
fn configurations_load() {
    let secrets = ["SUPPORT_TOKEN", "SUPPORT_APP_SECRET", "SUPPORT_VERIFY_TOKEN", "APP_PASSWORD"];
    let env: Env =
        secrets.into_iter().chain(["PREMBRIDGE_ADMIN_PASSWORD"]).map(|name| (name, "Str0ng!pass")).collect();
    let number = "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"SUPPORT_TOKEN\" }\n";
    for (name, is_whole) in [("README.md", true), ("docs/callbacks.md", false), ("docs/benchmarks.md", false)]
    {
        for block in blocks(&page(name), "toml") {
            let text = match (is_whole, block.contains("[[number]]\n")) {
                (true, _) => block,
                // A page shows only what it is about.
                (false, true) => block.replace("[[number]]\n", number),
                (false, false) => format!("{block}{number}app_secret = {{ env = \"SUPPORT_APP_SECRET\" }}\n"),
            };
            let loaded = Config::parse(&text, &env).unwrap_or_else(|problems| panic!("{name}: {problems}"));
            assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
        }
    }
}

/// What `init` writes, without comments, is what the README shows.
#[test]
fn the_readme_shows_what_init_writes() {
    let keys = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap());
        lines
            .map(|line| line.split_whitespace().collect::<String>())
            .filter(|line| !line.is_empty())
            .collect()
    };
    let written = keys(&run(&["init", "--phone-number-id", "106540352242922", "-"], "").stdout);
    for key in keys(&blocks(&page("README.md"), "toml")[0]) {
        assert!(written.contains(&key), "{key}: {written:?}");
    }
}

#[test]
fn files_that_are_named_exist() {
    for name in pages() {
        let text = page(&name);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, part) = target.split_once('#').unwrap_or((target, ""));
            if target.starts_with("http") {
                continue;
            }
            let path = Path::new(ROOT).join(&name).parent().unwrap().join(file);
            assert!(file.is_empty() || path.exists(), "{name}: {target}");
            let headed =
                if file.is_empty() { text.clone() } else { fs::read_to_string(&path).unwrap_or_default() };
            let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            let mut heads = headed.lines().filter(|line| line.starts_with('#')).map(slug);
            assert!(part.is_empty() || heads.any(|head| head == part), "{name}: {target}");
        }
    }
}

/// Each recipe changes one line, and its configuration loads below the one that all of them share.
#[test]
fn recipes_are_one_line_and_a_configuration() {
    let text = page("docs/clients.md");
    let diffs = blocks(&text, "diff");
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
    let configurations = blocks(&text, "toml");
    let (shared, recipes) = configurations.split_first().unwrap();
    // Files of the tests, in place of the reader's.
    let shared = shared
        .replace("\"cert.pem\"", "\"tests/config/cert.pem\"")
        .replace("\"key.pem\"", "\"tests/config/key.pem\"");
    for recipe in [String::new()].iter().chain(recipes) {
        let loaded = Config::parse(&format!("{shared}\n{recipe}"), &env);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{recipe}: {problems}"));
        assert!(loaded.warnings.is_empty(), "{recipe}: {:?}", loaded.warnings);
    }
}
