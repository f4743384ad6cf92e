//! Help, versions, suggestions, and errors in our own words.

use std::fs;

use serde_json::Value;

use crate::support::process::{run, run_with};
use crate::temp::TempDir;

const CONFIG: &str = "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"TOKEN\" }\n\
                      app_secret = { env = \"TOKEN\" }\n";

#[test]
fn the_version_says_what_it_was_built_from_and_for() {
    let version = run(&["--version"], "").stdout;
    let inner = version.trim().strip_prefix(concat!("prembridge ", env!("CARGO_PKG_VERSION"), " ("));
    let (commit, target) = inner.and_then(|rest| rest.strip_suffix(')')?.split_once(", ")).expect("both");
    assert!(!commit.is_empty() && target.contains("linux"), "{version}");
}

#[test]
fn help_is_short_or_long() {
    for command in ["demo", "init", "check", "serve", "translate", "explain", "mock-cloud", "bench", "man"] {
        let (short, long) = (run(&[command, "-h"], ""), run(&[command, "--help"], ""));
        assert_eq!((short.code, long.code), (Some(0), Some(0)), "{command}");
        assert!(!short.stdout.contains("Examples:") && long.stdout.contains("Examples:"), "{command}");
        assert!(long.stdout.lines().all(|line| line.chars().count() <= 120), "{command}: {}", long.stdout);
    }
    let long = run(&["--help"], "").stdout;
    assert!(["Exit codes:", "  78  ", "PREMBRIDGE_CONFIG"].iter().all(|word| long.contains(word)), "{long}");
}

#[test]
fn what_was_meant_is_suggested() {
    for (args, meant) in [
        (&["srve"][..], "'serve'"),
        (&["demo", "--kep"], "'--keep'"),
        (&["bench", "--profile", "multishard"], "'multi-shard'"),
    ] {
        let told = run(args, "");
        assert!(told.code == Some(2) && told.stderr.contains(meant), "{told:?}");
        assert!(told.stderr.starts_with("error: "), "{told:?}");
    }
}

#[test]
fn nothing_is_refused_in_the_words_of_a_library() {
    let folder = TempDir::new();
    let nowhere = folder.join("nofile.json");
    let nowhere = nowhere.to_str().unwrap();
    for (args, code, word) in [
        (&["explain", "x"][..], 2, "give the number of a code"),
        (&["explain", "99999999999999999999"], 2, "give the number of a code"),
        (&["mock-cloud", "--listen", "here"], 2, "127.0.0.1:9093"),
        (&["mock-cloud", "--threads", "many"], 2, "from 1 to 1024"),
        (
            &["mock-cloud", "--app-secret", "env:PREMBRIDGE_UNSET", "--webhook-url", "http://127.0.0.1:1/"],
            2,
            "not set",
        ),
        (&["bench", "--connections", "0"], 2, "from 1 to 65535"),
        (&["bench", "--url", "127.0.0.1:9090"], 2, "http://127.0.0.1:9090"),
        (&["translate", "--error", "--http", "99"], 2, "from 100 to 599"),
        (&["translate", nowhere], 1, "there is no such file"),
        (&["check", nowhere], 78, "there is no such file"),
        (&["serve", folder.path().to_str().unwrap()], 78, "it is a folder"),
        (&["demo", "--step", "0"], 2, "1..=20"),
    ] {
        let told = run(args, "");
        assert_eq!(told.code, Some(code), "{args:?}: {told:?}");
        assert!(told.stderr.starts_with("error: ") && told.stderr.contains(word), "{args:?}: {told:?}");
        for theirs in ["os error", "invalid digit", "too large to fit", "invalid socket"] {
            assert!(!told.stderr.contains(theirs), "{args:?}: {told:?}");
        }
    }
}

#[test]
fn the_configuration_is_named_in_four_ways() {
    let folder = TempDir::new();
    let file = folder.join("a.toml");
    fs::write(&file, CONFIG).unwrap();
    let file = file.to_str().unwrap();
    let variables = [("TOKEN", "EAAB"), ("PREMBRIDGE_CONFIG", file)];
    for (args, stdin) in [
        (&["check", file][..], ""),
        (&["check", "-c", file], ""),
        (&["check"], ""),
        (&["check", "-c", "-"], CONFIG),
        (&["check", "-"], CONFIG),
    ] {
        let told = run_with(args, stdin, &variables);
        assert_eq!(told.code, Some(0), "{args:?}: {told:?}");
        assert!(told.stdout.contains("1 number, no problems"), "{told:?}");
    }
    let unnamed = run(&["serve"], "");
    assert!(unnamed.code == Some(2) && unnamed.stderr.contains("PREMBRIDGE_CONFIG"), "{unnamed:?}");
    let broken = run(&["check", "-"], "[listne]\n");
    assert!(broken.code == Some(78) && broken.stderr.contains("did you mean `listen`?"), "{broken:?}");
}

#[test]
fn results_for_programs_are_one_json_object() {
    let json = |told: &str| serde_json::from_str::<Value>(told).unwrap_or_else(|_| panic!("{told}"));
    let fine = run_with(&["check", "--json", "-"], CONFIG, &[("TOKEN", "EAAB")]);
    let told = json(&fine.stdout);
    assert_eq!((fine.code, &told["numbers"], &told["problems"]), (Some(0), &1.into(), &Value::Array(vec![])));
    let bad = run(&["check", "--json", "-"], "[listen]\napi = 5\n");
    let told = json(&bad.stdout);
    assert_eq!((bad.code, &told["problems"][0]["key"]), (Some(78), &"listen.api".into()), "{told}");
    let explained = json(&run(&["explain", "--json", "131047"], "").stdout);
    assert_eq!(explained["cloud"]["onprem"], 470);
    let all = json(&run(&["explain", "--json"], "").stdout);
    assert!(all["cloud"].as_array().unwrap().len() > 50 && all["onprem"].as_array().unwrap().len() > 50);
}

#[test]
fn explain_lists_every_code_and_says_what_to_do() {
    let all = run(&["explain"], "").stdout;
    assert!(all.contains("\n131047 ") && all.contains("\n1015 ") && all.contains("\n200 to 299"), "{all}");
    for code in ["1014", "470", "1025", "2060", "1000"] {
        let told = run(&["explain", code], "").stdout;
        assert!(told.contains("  what to do: "), "{told}");
    }
}

#[test]
fn translate_recognizes_what_was_pasted() {
    let reply = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+1","wa_id":"1"}],"messages":[{"id":"wamid.x"}]}"#;
    let error = r#"{"error":{"message":"m","code":131047}}"#;
    let webhook = r#"{"object":"whatsapp_business_account","entry":[]}"#;
    for (pasted, flag) in [(reply, "--reply"), (error, "--error"), (webhook, "--webhook")] {
        let (told, flagged) = (run(&["translate"], pasted), run(&["translate", flag], pasted));
        assert_eq!((told.code, &told.stdout), (Some(0), &flagged.stdout), "{told:?}");
        assert!(told.stderr.starts_with(&format!("recognized: {flag}\n")), "{told:?}");
    }
    for onprem in [
        r#"{"errors":[{"code":470}],"meta":{}}"#,
        r#"{"messages":[{"id":"a"}],"contacts":[],"meta":{}}"#,
        r#"{"statuses":[]}"#,
    ] {
        let told = run(&["translate"], onprem);
        assert!(told.code == Some(1) && told.stderr.contains("of the on-prem API already"), "{told:?}");
    }
}

#[test]
fn shells_and_man_know_every_command() {
    let bash = run(&["completions", "bash"], "");
    assert!(bash.code == Some(0) && bash.stdout.contains("mock-cloud"), "{bash:?}");
    let folder = TempDir::new();
    let target = folder.join("man1");
    let told = run(&["man", target.to_str().unwrap()], "");
    assert_eq!(told.code, Some(0), "{told:?}");
    for page in ["prembridge.1", "prembridge-serve.1", "prembridge-mock-cloud.1"] {
        assert!(fs::read_to_string(target.join(page)).unwrap().contains(".TH"), "{page}");
    }
}

/// The command line of a process can be read by everybody on the machine.
#[test]
fn a_secret_on_the_command_line_is_warned_about() {
    let folder = TempDir::new();
    let file = folder.join("secret");
    fs::write(&file, "s3cret\n").unwrap();
    let shown = ["--app-secret", "s3cret", "--webhook-url", "http://127.0.0.1:1/"];
    let hidden = [&format!("file:{}", file.display()), "env:MOCK_TOKEN"];
    let args = ["mock-cloud", "--listen", "192.0.2.250:1"];
    let told = run(&[&args[..], &shown[..]].concat(), "");
    assert!(told.stderr.contains("warning: --app-secret: ") && !told.stderr.contains("s3cret"), "{told:?}");
    let told = run_with(
        &[
            &args[..],
            &["--app-secret", hidden[0], "--token", hidden[1], "--webhook-url", "http://127.0.0.1:1/"],
        ]
        .concat(),
        "",
        &[("MOCK_TOKEN", "t")],
    );
    assert!(told.code == Some(1) && !told.stderr.contains("warning"), "{told:?}");
}
