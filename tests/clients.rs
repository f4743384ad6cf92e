//! Real client packages against the whole proxy.
//!
//! `CLIENTS_PYTHON` names a Python that has them; without it the machine's own is asked. Where it has
//! none the test says so and passes, but not in CI, where nothing skips.

use std::process::{Command, Output};

use crate::support::{KEY, Proxy};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/drive.py");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wabclient_and_turn_python_work_unmodified() {
    let python = std::env::var("CLIENTS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_clients =
        run(&python, &["-c", "import wabclient, turn"]).is_some_and(|output| output.status.success());
    if !has_clients {
        assert!(std::env::var_os("CI").is_none(), "{python} lacks wabclient or turn-python");
        println!("skipped: {python} has no wabclient and turn-python; pip install wabclient turn-python six");
        return;
    }
    let proxy = Proxy::start().await;
    let base = format!("http://{}", proxy.api);
    let driven = tokio::task::spawn_blocking(move || run(&python, &[SCRIPT, &base, KEY])).await.unwrap();
    let driven = driven.expect("the driver starts");
    assert!(
        driven.status.success(),
        "{}{}",
        String::from_utf8_lossy(&driven.stdout),
        String::from_utf8_lossy(&driven.stderr)
    );
    assert_eq!(proxy.mock.accepted(), 9);
    // Two clients uploaded an image twice and a document once: equal bytes go to Cloud once.
    assert_eq!(proxy.mock.uploads(), 2);
    // Strict clients read our notes of what Cloud merely tolerates, too.
    for request in proxy.mock.recorded() {
        assert!(request.notes.is_empty(), "{:?}", request.notes);
    }
}

fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    Command::new(program).args(arguments).output().ok()
}
