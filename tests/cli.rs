//! The commands that end by themselves: their output and exit codes.

use std::fs;

#[path = "cli/init.rs"]
mod init;
#[path = "cli/usage.rs"]
mod usage;

use serde_json::{Value, json};

use crate::support::process::{Run, run};
use crate::temp::TempDir;

const TEXT: &str = r#"{"to":"16315551234","preview_url":true,"text":{"body":"hi"}}"#;

fn stdout_json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
}

#[test]
fn check_says_that_nothing_is_wrong() {
    let folder = TempDir::new();
    let token = folder.join("token");
    fs::write(&token, "canary-token\n").unwrap();
    let config = folder.join("good.toml");
    let text = format!(
        "[listen]\napi = \"127.0.0.1:0\"\n[[number]]\nphone_number_id = \"1\"\naccess_token = {{ file = {token:?} }}\n"
    );
    fs::write(&config, text).unwrap();
    let run = run(&["check", "-c", config.to_str().unwrap()], "");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.stdout.contains("1 number, no problems"), "{run:?}");
}

#[test]
fn check_and_serve_tell_every_problem_at_once() {
    let folder = TempDir::new();
    let config = folder.join("bad.toml");
    let text = "[listen]\napi = \"here\"\n[cloud]\nversion = \"26\"\nbase_uri = \"x\"\n\
                [compat]\ncreated_status = 204\n\
                [[number]]\nphone_number_id = \"abc\"\naccess_token = { env = \"PREMBRIDGE_TEST_UNSET\" }\n\
                [[number.api_key]]\nkey = \"canary-key\u{e4}-0123456789\"\n";
    fs::write(&config, text).unwrap();
    let path = config.to_str().unwrap();
    for command in ["check", "serve"] {
        let run = run(&[command, "-c", path], "");
        assert_eq!((run.code, run.stdout.as_str()), (Some(78), ""), "{command}: {run:?}");
        for key in [
            "listen.api:",
            "cloud.version:",
            "cloud.base_uri:",
            "compat.created_status:",
            "number[0].phone_number_id:",
            "number[0].access_token:",
            "number[0].api_key[0].key:",
            "7 problems",
        ] {
            assert!(run.stderr.contains(key), "{key}: {run:?}");
        }
        assert!(!run.stderr.contains("canary"), "{run:?}");
        let missing = run_missing(command, &folder);
        assert_eq!(missing.code, Some(78), "{missing:?}");
        assert!(missing.stderr.contains("missing.toml") && missing.stderr.contains("check the path"));
    }
}

fn run_missing(command: &str, folder: &TempDir) -> Run {
    run(&[command, "-c", folder.join("missing.toml").to_str().unwrap()], "")
}

#[test]
fn translate_reads_a_file_or_standard_input() {
    let folder = TempDir::new();
    let file = folder.join("message.json");
    fs::write(&file, TEXT).unwrap();
    let expected = json!({"messaging_product": "whatsapp", "recipient_type": "individual",
        "to": "+16315551234", "type": "text", "text": {"body": "hi", "preview_url": true}});
    for args in [&["translate", file.to_str().unwrap()][..], &["translate"], &["translate", "-"]] {
        let run = run(args, TEXT);
        assert_eq!((run.code, stdout_json(&run)), (Some(0), expected.clone()));
        let notes: Vec<_> = run.stderr.lines().collect();
        assert!(notes.iter().all(|note| note.starts_with("note: ") && note.ends_with(']')), "{run:?}");
        assert!(run.stderr.contains("[text.preview-url]") && run.stderr.contains("[to.plus]"), "{run:?}");
    }
    let run = run(&["translate", "--json"], TEXT);
    assert_eq!((run.code, run.stderr.as_str(), run.stdout.lines().count()), (Some(0), "", 1));
    let json = stdout_json(&run);
    assert_eq!(json["request"], expected);
    assert!(json["notes"].as_array().unwrap().iter().any(|note| note["rule"] == "to.plus"), "{json}");
}

#[test]
fn translate_goes_back_too() {
    let reply = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+1","wa_id":"1"}],
        "messages":[{"id":"wamid.x","message_status":"accepted"}]}"#;
    let run_reply = run(&["translate", "--reply"], reply);
    assert_eq!(run_reply.code, Some(0));
    assert_eq!(
        stdout_json(&run_reply),
        json!({"messages": [{"id": "wamid.x"}], "contacts": [{"input": "+1", "wa_id": "1"}],
            "meta": {"api_status": "stable", "version": "v2.45.1"}})
    );
    let nobody = run(&["translate", "--reply"], "\u{feff}{\"messages\":[{\"id\":\"wamid.x\"}]}");
    let expected =
        json!({"messages": [{"id": "wamid.x"}], "meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((nobody.code, stdout_json(&nobody)), (Some(0), expected), "nobody is made up");
    let error = r#"{"error":{"message":"m","code":131047,"fbtrace_id":"A","error_data":{"details":"late"}}}"#;
    for (args, code) in
        [(&["translate", "--error"][..], 470), (&["translate", "--error", "--http", "400"], 470)]
    {
        let run = run(args, error);
        assert_eq!(run.code, Some(0));
        let json = stdout_json(&run);
        assert_eq!(json["errors"][0]["code"], code);
        assert_eq!(json["errors"][0]["details"], "late (cloud 131047, trace A)");
        assert!(run.stderr.contains("[error.code]"), "{run:?}");
    }
    let run = run(&["translate", "--error", "--http", "502"], "<html>");
    assert_eq!((run.code, &stdout_json(&run)["errors"][0]["code"]), (Some(0), &json!(1014)));
}

#[test]
fn translate_turns_a_webhook_into_callbacks() {
    let webhook = |value: &str| {
        format!(
            r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"1"}},{value}}}}}]}}]}}"#
        )
    };
    let one = webhook(
        r#""messages":[{"from":"1650","id":"wamid.a","timestamp":"5","type":"audio","audio":{"id":"7","voice":true}}]"#,
    );
    let voice = json!({"contacts": [{"profile": {"name": "1650"}, "wa_id": "1650"}],
        "messages": [{"from": "1650", "id": "wamid.a", "timestamp": "5", "type": "voice",
        "voice": {"id": "7"}}]});
    let run_one = run(&["translate", "--webhook"], &one);
    assert_eq!((run_one.code, stdout_json(&run_one)), (Some(0), voice.clone()));
    assert!(run_one.stderr.contains("messages[0].audio.voice") && run_one.stderr.contains("[webhook.voice]"));
    let two = webhook(
        r#""statuses":[{"id":"w","status":"sent","timestamp":"5"},{"id":"w","status":"played"},{"id":"w","status":"read","timestamp":"6"}]"#,
    );
    let run_two = run(&["translate", "--webhook", "-"], &two);
    let words: Vec<Value> = run_two
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["statuses"][0]["status"].clone())
        .collect();
    assert_eq!((run_two.code, words), (Some(0), vec![json!("sent"), json!("read")]));
    assert!(run_two.stderr.contains("[status.played]"), "{run_two:?}");
    let run_json = run(&["translate", "--webhook", "--json"], &one);
    let json = stdout_json(&run_json);
    assert_eq!((run_json.code, run_json.stderr.as_str(), &json["callbacks"]), (Some(0), "", &json!([voice])));
    assert!(json["notes"].as_array().unwrap().iter().any(|note| note["rule"] == "webhook.voice"), "{json}");
    let spread = two.replace(',', ",\n");
    assert_eq!(run(&["translate", "--webhook"], &spread).stdout.lines().count(), 2);
    let nothing = run(&["translate", "--webhook"], r#"{"entry":[]}"#);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""), "{nothing:?}");
    let dropped = run(&["translate", "--webhook"], r#"{"entry":[{"changes":[5]}]}"#);
    assert!(dropped.stderr.contains("entry[0].changes[0]: left out"), "{dropped:?}");
}

#[test]
fn translate_refuses_as_the_proxy_would() {
    for (args, input, code) in [
        (&["translate"][..], r#"{"to":"x","text":{"body":"hi"}}"#, 1009),
        (&["translate"], "{", 1025),
        (&["translate"], "", 1025),
        (&["translate", "--reply"], "{}", 1014),
        (&["translate", "--webhook"], "{}", 1025),
        (&["translate", "--webhook"], "<html>", 1025),
    ] {
        let run = run(args, input);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert_eq!(stdout_json(&run)["errors"][0]["code"], code);
        assert!(run.stderr.starts_with("refused: "), "{run:?}");
    }
    let run = run(&["translate", "/nowhere/at/all.json"], "");
    assert_eq!(
        (run.code, run.stderr.starts_with("error: /nowhere/at/all.json: ")),
        (Some(1), true),
        "{run:?}"
    );
}

/// Standard input may have no end.
#[test]
fn translate_stops_where_the_proxy_would() {
    let spaces = |count: usize| format!("{TEXT}{}", " ".repeat(count - TEXT.len()));
    assert_eq!(run(&["translate"], &spaces(1 << 20)).code, Some(0));
    for (args, most, words) in [
        (&["translate"][..], 1 << 20, "more than 1048576 bytes, the default of limits.max_body"),
        (&["translate", "--error"], 1 << 20, "more than 1048576 bytes"),
        (&["translate", "--webhook"], 3 << 20, "more than 3145728 bytes, the largest webhook"),
    ] {
        let run = run(args, &spaces(most + 1));
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains(words), "{run:?}");
    }
    #[cfg(unix)]
    {
        let run = run(&["translate", "/dev/zero"], "");
        assert_eq!((run.code, run.stderr.contains("more than 3145728 bytes")), (Some(1), true), "{run:?}");
    }
}

#[test]
fn explain_knows_both_sides() {
    for (code, exit, words) in [
        ("131026", 0, &["Cloud 131026", "becomes on-prem 1026", "compat.undeliverable_as"][..]),
        ("1006", 0, &["On-prem 1006: Resource not found", "HTTP 404", "unknown contact"]),
        ("471", 0, &["On-prem 471", "24 hours", "from Cloud 131048"]),
        ("2006", 0, &["White Space", "from Cloud 100, 131009"]),
        ("10", 0, &["Cloud 10", "on-prem 1005"]),
        ("777", 1, &["777 is in neither list"]),
    ] {
        let run = run(&["explain", code], "");
        assert_eq!(run.code, Some(exit), "{run:?}");
        let told = run.stdout + &run.stderr;
        for word in words {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
}

#[test]
fn usage_errors_are_2_and_help_is_0() {
    for args in [
        &[][..],
        &["--nonsense"],
        &["nonsense"],
        &["serve"],
        &["check", "--nonsense"],
        &["explain", "x"],
        &["translate", "--reply", "--error"],
        &["translate", "--webhook", "--error"],
        &["mock-cloud", "--fault", "explode"],
        &["mock-cloud", "--webhook-url", "http://127.0.0.1:1/"],
        &["mock-cloud", "--webhook-url", "127.0.0.1:1", "--app-secret", "s"],
        &["mock-cloud", "--app-secret", "s"],
        &["mock-cloud", "--verify-token", "t"],
        &["mock-cloud", "--webhook-url", "http://127.0.0.1:1/", "--app-secret", "s", "--status", "lost"],
    ] {
        let run = run(args, "");
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:?}");
        assert!(!run.stderr.is_empty());
    }
    for args in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let run = run(args, "");
        assert_eq!((run.code, run.stdout.contains("prembridge")), (Some(0), true), "{args:?}: {run:?}");
    }
}
