//! `./test` itself, with a cargo that only says what the real one would.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::temp::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs `./test` with a cargo that runs this script.
fn run(cargo: &str, is_ci: bool) -> (Option<i32>, String) {
    let folder = TempDir::new();
    let path = folder.join("cargo");
    fs::write(&path, format!("#!/bin/sh\n{cargo}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(format!("{ROOT}/test"));
    command.arg("some filter").env("PATH", path).env_remove("CI");
    if is_ci {
        command.env("CI", "true");
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

const GREEN: &str = "echo 'test result: ok. 445 passed; 0 failed; 0 ignored'; \
                     echo 'test result: \u{1b}[32mok\u{1b}[0m. 3 passed; 0 failed; 0 ignored'";

#[test]
fn the_results_of_all_binaries_are_added_up() {
    let (code, told) = run(GREEN, true);
    assert_eq!((code, told.lines().last()), (Some(0), Some("448 passed, 0 failed, 0 skipped")), "{told}");
    let red = "echo 'test result: FAILED. 5 passed; 1 failed; 0 ignored'; exit 101";
    let (code, told) = run(red, false);
    assert_eq!((code, told.lines().last()), (Some(101), Some("5 passed, 1 failed, 0 skipped")), "{told}");
}

#[test]
fn what_had_nothing_to_run_with_is_listed_and_is_no_success() {
    let cargo = format!("{GREEN}; echo 'egress::one: no IPv6' >>\"$PREMBRIDGE_NOT_RUN\"");
    let (code, told) = run(&cargo, false);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("\n447 passed, 0 failed, 1 skipped\n"), "{told}");
    assert!(told.ends_with("\n  egress::one: no IPv6\n"), "{told}");
    assert_eq!(run(&cargo, true).0, Some(1));
}

#[test]
fn arguments_reach_the_test_binaries_and_every_binary_is_run() {
    let (_, told) = run("printf '<%s>' \"$@\"", false);
    let all = "<test><--locked><--no-fail-fast><--lib><--bins><--tests><--><--color><auto><some filter>";
    assert!(told.starts_with(all), "{told}");
}
