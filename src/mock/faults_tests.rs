//! The grammar of fault rules, and how they count.

use super::*;

fn rule(line: &str) -> FaultRule {
    line.parse().unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn reads_the_grammar() {
    assert_eq!(rule("131047:next 2"), FaultRule::error(131047).times(Times::Next(2)));
    assert_eq!(rule("stall : every 3rd").times, Times::Every(3));
    assert_eq!(rule("held:once").times, Times::Next(1));
    let both = Matcher { to: Some("+15551234567".into()), kind: Some("image".into()), ..Matcher::default() };
    assert_eq!(rule("131026@+15551234567@image:always"), FaultRule::error(131026).when(both));
    let Act::Error(error) = rule("130429/429 bare@any").act else { panic!() };
    assert_eq!((error.http, error.error_data), (Some(429), false));
    let Act::Http(http) = rule("http 429 empty retry-after 2").act else { panic!() };
    assert_eq!((http.status, http.headers["retry-after"].as_str()), (429, "2"));
    assert_eq!(rule("stall@media-upload").when, Matcher { op: Some(Op::MediaUpload), ..Matcher::default() });
    let Act::Error(error) = rule("invalid-media-id@image:once").act else { panic!() };
    assert!(
        (error.code, error.error_data) == (100, false) && error.message.unwrap().ends_with("attachment ID")
    );
    assert_eq!(rule("delay 2s").act, Act::Delay(Duration::from_secs(2)));
    assert_eq!(rule("drip 10ms").act, Act::Drip(Duration::from_millis(10)));
}

#[test]
fn says_what_it_does_not_understand() {
    for (line, why) in [
        ("", "neither an error code"),
        ("explode", "neither an error code"),
        ("131047:sometimes", "not always"),
        ("131047:every 0", "not always"),
        ("131047@", "nothing after the @"),
        ("131047 now", "not \"bare\""),
        ("http 99", "not an HTTP status"),
        ("http 502 pdf", "not html"),
        ("delay soon", "not a time"),
        ("stall now", "does not belong"),
        ("close-before-read@image", "stand in the body"),
        ("stall@media-get@image", "only messages have"),
        ("stall@+15551234567@media-upload", "only messages have"),
    ] {
        let error = line.parse::<FaultRule>().unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
}

#[test]
fn json_and_line_mean_the_same() {
    let json = r#"{"when":{"kind":"template"},"times":{"next":2},"act":{"error":{"code":131047}}}"#;
    let parsed: FaultRule = serde_json::from_str(json).unwrap();
    assert_eq!(parsed, rule("131047@template:next 2"));
    let json = r#"{"when":{"op":"media-download"},"act":"truncate"}"#;
    assert_eq!(serde_json::from_str::<FaultRule>(json).unwrap(), rule("truncate@media-download"));
    let again: FaultRule = serde_json::from_str(&serde_json::to_string(&rule("delay 5ms")).unwrap()).unwrap();
    assert_eq!(again, rule("delay 5ms"));
}

#[test]
fn rules_count_and_the_first_that_fires_decides() {
    let mut faults = Faults::default();
    faults.add(rule("131026@+1 555 1234567:next 1"));
    faults.add(rule("131047:every 2"));
    let text = |to| Subject { op: Some(Op::Messages), kind: Some("text"), to: Some(to) };
    let mut code = |subject| match faults.after_read(subject) {
        Some(Act::Error(error)) => Some(error.code),
        other => other.map(|_| 0),
    };
    assert_eq!(code(text("15551234567")), Some(131026));
    assert_eq!(code(text("15551234567")), None);
    assert_eq!(code(text("4917012345")), Some(131047));
    assert_eq!(code(Subject { op: Some(Op::Messages), kind: Some("read"), to: None }), None);
    assert_eq!(code(Subject { op: None, kind: None, to: None }), None);
}
