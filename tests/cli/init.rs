//! `prembridge init`: what it writes can be used.

use std::fs;

use crate::support::process::{run, run_with};
use crate::temp::TempDir;

const SECRETS: [(&str, &str); 4] = [
    ("PREMBRIDGE_ADMIN_PASSWORD", "Str0ng!pass"),
    ("SHOP_A_TOKEN", "EAAB"),
    ("SHOP_A_APP_SECRET", "secret"),
    ("SHOP_A_VERIFY_TOKEN", "word"),
];

#[test]
fn the_configuration_has_no_problems_and_says_what_next() {
    let folder = TempDir::new();
    let path = folder.join("a.toml");
    let path = path.to_str().unwrap();
    let flags = ["--phone-number-id", "106540352242922", "--name", "shop-a", "--host", "a.internal"];
    let more = ["--callback-url", "https://app.internal/\"quoted\"", "--self-signed"];
    let told = run(&[&["init", path][..], &flags, &more].concat(), "");
    assert_eq!(told.code, Some(0), "{told:?}");
    for (variable, _) in SECRETS {
        assert!(told.stdout.contains(variable), "{told:?}");
    }
    let checked = run_with(&["check", path], "", &SECRETS);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{checked:?}");
    let text = fs::read_to_string(path).unwrap();
    assert!(
        text.contains("tls     = \"self-signed\"") && text.contains("hosts           = [\"a.internal\"]"),
        "{text}"
    );

    let again = run(&[&["init", path][..], &flags].concat(), "");
    assert!(again.code == Some(1) && again.stderr.contains("--force"), "{again:?}");
    assert_eq!(fs::read_to_string(path).unwrap(), text);
    assert_eq!(run(&[&["init", "--force", path][..], &flags].concat(), "").code, Some(0));
    assert_ne!(fs::read_to_string(path).unwrap(), text);
    assert_eq!(run_with(&["check", path], "", &SECRETS).code, Some(0));
}

#[test]
fn it_can_be_piped_into_check() {
    let told = run(&["init", "--phone-number-id", "1", "--name", "shop-a", "-"], "");
    let checked = run_with(&["check", "-"], &told.stdout, &SECRETS);
    assert_eq!((told.code, checked.code, checked.stderr.as_str()), (Some(0), Some(0), ""), "{checked:?}");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_written() {
    let folder = TempDir::new();
    let path = folder.join("b.toml");
    let file = path.to_str().unwrap();
    for args in [
        &["init", file][..],
        &["init", file, "--phone-number-id", "+1650"],
        &["init", file, "--phone-number-id", "1", "--name", "a\"b"],
        &["init", file, "--phone-number-id", "1", "--callback-url", "app.internal"],
    ] {
        let told = run(args, "");
        assert!(told.code == Some(2) && told.stderr.starts_with("error: "), "{told:?}");
        assert!(!path.exists());
    }
    let nowhere = run(&["init", "/nowhere/at/all.toml", "--phone-number-id", "1"], "");
    assert!(nowhere.code == Some(1) && nowhere.stderr.contains("there is no such"), "{nowhere:?}");
}
