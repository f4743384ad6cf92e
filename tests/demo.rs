//! `prembridge demo`: the whole story, as it is printed.

use std::sync::LazyLock;

use serde_json::Value;

use crate::support::process::{Run, run, run_with};

/// The line above a callback; a repetition has no body under it.
const CALLBACK: &str = "app received   POST /callback";

const END: &str = "Cloud accepted 11 messages, the app took 5 callbacks; all as expected.";

static PLAYED: LazyLock<Run> = LazyLock::new(|| run(&["demo", "--full"], ""));

/// What is printed under each line that says this and no more, as JSON.
fn told(said: &str) -> Vec<Value> {
    let (text, head) = (&PLAYED.stdout, format!("   {said}\n"));
    let rests = text.match_indices(&head).map(|(at, _)| &text[at + head.len()..]);
    let body = |rest: &str| rest.lines().take_while(|line| line.starts_with("     ")).collect::<String>();
    rests.map(|rest| serde_json::from_str(&body(rest)).unwrap_or_else(|_| panic!("{rest}"))).collect()
}

#[test]
fn the_demo_plays_to_its_end() {
    assert_eq!((PLAYED.code, PLAYED.stderr.as_str()), (Some(0), ""), "{:?}", *PLAYED);
    let numbered =
        |line: &&str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    let steps: Vec<_> = PLAYED.stdout.lines().filter(numbered).collect();
    for (at, step) in steps.iter().enumerate() {
        assert!(step.starts_with(&format!("{}. ", at + 1)), "{step}");
    }
    for (number, words) in [
        (3, "An hsm message"),
        (16, "where its callbacks go"),
        (17, "verify token"),
        (18, "sent, delivered, read"),
        (19, "voice note"),
        (20, "fails twice"),
    ] {
        assert!(steps[number - 1].contains(words), "{steps:#?}");
    }
    assert_eq!((steps.len(), PLAYED.stdout.lines().last()), (20, Some(END)));
    for note in ["[status.envelope]", "[webhook.voice]", "[webhook.media-sha256]", "[webhook.media-url]"] {
        assert!(PLAYED.stdout.contains(note), "{note}");
    }
}

#[test]
fn the_digest_fits_a_terminal() {
    let digest = run(&["demo"], "");
    assert_eq!((digest.code, digest.stderr.as_str()), (Some(0), ""), "{digest:?}");
    let lines: Vec<_> = digest.stdout.lines().collect();
    assert!(lines.len() <= 80, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", digest.stdout);
    assert!(!digest.stdout.contains('\x1b'), "no colour in a pipe");
    for number in 1..=20 {
        assert!(lines.iter().any(|line| line.starts_with(&format!("{number:>2}  "))), "{number}");
    }
    for told in
        ["text, refused: 131047  400: 470", "500 500 200", "hsm.localizable_params[1]: currency_code", END]
    {
        assert!(digest.stdout.contains(told), "{told}");
    }
    let coloured = run_with(&["demo"], "", &[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.stdout.contains("\x1b["));
    let plain = run_with(&["demo"], "", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(!plain.stdout.contains('\x1b'));
}

#[test]
fn one_step_can_be_shown_alone_and_all_of_it_as_json() {
    let step = run(&["demo", "--step", "3"], "");
    assert_eq!(
        (step.code, step.stdout.lines().next()),
        (Some(0), Some("3. An hsm message arrives as a template"))
    );
    assert!(step.stdout.contains("[hsm.template]") && !step.stdout.contains("\n4. "), "{step:?}");
    let unknown = run(&["demo", "--step", "21"], "");
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let json = run(&["demo", "--json"], "");
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&json["accepted"], &json["callbacks"], json["scenes"].as_array().unwrap().len()),
        (&11.into(), &5.into(), 20)
    );
    assert_eq!(json["scenes"][2]["events"][1]["body"]["template"]["name"], "order_shipped");
}

/// Cloud posts each webhook once; the app answers the last callback with 500, 500 and 200.
#[test]
fn only_the_app_is_told_again() {
    let answers = |label: &str| -> Vec<String> {
        let lines = PLAYED.stdout.lines().map(str::trim_start);
        lines.filter_map(|line| line.strip_prefix(label)).map(|rest| rest[..3].to_owned()).collect()
    };
    assert_eq!(answers("proxy answered HTTP "), ["200"; 6]);
    assert_eq!(answers("app answered   HTTP "), ["200", "200", "200", "200", "500", "500", "200"]);
}

#[test]
fn translate_gives_what_the_app_received() {
    let webhooks = told("Cloud posted   POST /webhooks/cloud, signed");
    let mut callbacks = told(CALLBACK);
    assert_eq!((webhooks.len(), callbacks.len()), (5, 5));
    let kind = |callback: &Value| {
        let found = callback.pointer("/statuses/0/status").or_else(|| callback.pointer("/messages/0/type"));
        found.and_then(Value::as_str).unwrap().to_owned()
    };
    let kinds: Vec<_> = callbacks.iter().map(kind).collect();
    assert_eq!(kinds, ["sent", "delivered", "read", "voice", "text"]);
    for webhook in webhooks {
        let translated = run(&["translate", "--webhook"], &webhook.to_string());
        assert_eq!(translated.code, Some(0), "{translated:?}");
        assert_eq!(serde_json::from_str::<Value>(&translated.stdout).unwrap(), callbacks.remove(0));
        assert!(translated.stderr.contains("[webhook.envelope]"), "{translated:?}");
        for note in translated.stderr.lines() {
            let (path, text) = note.strip_prefix("note: ").unwrap().rsplit_once(" [").unwrap();
            assert!(PLAYED.stdout.contains(&format!("     * {path}  [{text}")), "{note}");
        }
    }
}

/// Statuses name the message by the id that the app was given when it sent it.
#[test]
fn statuses_are_about_the_message_that_was_sent() {
    let sent = told("app received   HTTP 201");
    let id = &sent.last().unwrap()["messages"][0]["id"];
    let statuses: Vec<_> =
        told(CALLBACK).into_iter().filter(|callback| callback.get("statuses").is_some()).collect();
    assert_eq!(statuses.len(), 3);
    assert!(statuses.iter().all(|callback| callback["statuses"][0]["id"] == *id), "{statuses:#?}");
}
