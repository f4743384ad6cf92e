//! Tells `--version` what it was built from. Debug builds do not say a commit, so that one does not rebuild them.

use std::process::Command;

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=PREMBRIDGE_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
    // Whoever builds from an archive says which commit that is.
    println!("cargo::rerun-if-env-changed=PREMBRIDGE_COMMIT");
    let is_debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let commit = match std::env::var("PREMBRIDGE_COMMIT") {
        Ok(commit) => commit,
        Err(_) if is_debug => "debug".to_owned(),
        Err(_) => commit().unwrap_or_else(|| "unknown commit".to_owned()),
    };
    println!("cargo::rustc-env=PREMBRIDGE_COMMIT={commit}");
}

/// The commit that is checked out here. An archive that was unpacked within another checkout is none of that one's.
fn commit() -> Option<String> {
    let root = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    if std::fs::canonicalize(root).ok()? != std::fs::canonicalize(here).ok()? {
        return None;
    }
    // The log of HEAD grows by each commit and each change of branch.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::path::Path::new(log).exists());
    if let Some(log) = log {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// The one line that git says, if there is git and this is a checkout.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
