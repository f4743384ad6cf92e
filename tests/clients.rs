//! Real client packages against the whole proxy.
//!
//! `CLIENTS_PYTHON` names a Python that has those for Python; without it the machine's own is asked.
//! `CLIENTS_NODE_MODULES` names the `node_modules` that has the one for Node. Where they are not there the test is
//! not run, but under CI it fails.

use std::path::Path;
use std::process::{Command, Output};

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::mock::{CODE, NumberStage};

use crate::stub::Sink;
use crate::support::needs::not_run;
use crate::support::{ADMIN_KEY, KEY, PASSWORD, PHONE_NUMBER_ID, Proxy, config, number, tls};
use crate::temp::TempDir;
use crate::webhooks::scene::EGRESS;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/drive.py");
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/drive.mjs");
const PACKAGE: &str = "@hyperjumptech/whatsapp-business-sender";
const USER: &str = "sender";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wabclient_and_turn_python_work_unmodified() {
    let python = std::env::var("CLIENTS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_clients =
        run(&python, &["-c", "import wabclient, turn"], &[]).is_some_and(|output| output.status.success());
    if !has_clients {
        not_run(&format!(
            "{python} has no wabclient and turn-python; pip install wabclient turn-python six, and name it in \
             CLIENTS_PYTHON"
        ));
        return;
    }
    let proxy = Proxy::with(EGRESS).await;
    proxy.mock.set_stage(PHONE_NUMBER_ID, NumberStage::Unverified);
    let sink = Sink::start().await;
    let (base, mock) = (format!("http://{}", proxy.api), proxy.mock.base_url());
    drive(&python, &[PYTHON, &base, KEY, &mock, &sink.url(), CODE], &[]).await;
    // Ten messages of wabclient and three of turn-python, and none of those that were refused.
    assert_eq!(proxy.mock.accepted(), 13);
    // An image, a document and a song, over and over, and the photo of the profile: equal bytes go to Cloud once.
    assert_eq!(proxy.mock.uploads(), 3);
    // Strict clients read our notes of what Cloud merely tolerates, too.
    for request in proxy.mock.recorded() {
        assert!(request.notes.is_empty(), "{:?}", request.notes);
    }
    // Who does not wait for contacts gets them at the URL that was set over the API.
    let called = sink.take(1).await;
    assert_eq!(called[0]["contacts"][0]["wa_id"], "16505551234", "{called:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_for_node_works_unmodified() {
    let modules = std::env::var("CLIENTS_NODE_MODULES").unwrap_or_default();
    if !Path::new(&modules).join(PACKAGE).exists() {
        not_run(&format!("no {PACKAGE}; npm install it and name the node_modules in CLIENTS_NODE_MODULES"));
        return;
    }
    let user = format!("[[number.user]]\nname = \"{USER}\"\npassword = \"{PASSWORD}\"");
    let number = number("support", PHONE_NUMBER_ID, &user);
    let proxy = Proxy::numbers("", &number).await;
    drive_node(&modules, &format!("http://{}", proxy.api), &[]).await;
    assert_eq!(proxy.mock.accepted(), 1);

    // With TLS, for a client that can be told nothing about it: it verifies, and Node knows of another root.
    let text = config(&proxy.mock.base_url(), "", &number);
    let text = text.replacen("[listen]\n", "[listen]\ntls = \"self-signed\"\n", 1);
    let app =
        App::start(Config::parse(&text, &Env::default()).unwrap().config, Clock::system()).await.unwrap();
    let api = app.addresses().api;
    let (mut client, _) = tls::connect(api).await;
    let key = format!("Bearer {ADMIN_KEY}");
    let headers = [("Authorization", key.as_str())];
    let root = client.call("GET", "/v1/certificates/external/ca", &headers, b"").await;
    assert_eq!(root.status, 200);
    let folder = TempDir::new();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, &root.body).unwrap();
    let trust = [("NODE_EXTRA_CA_CERTS", file.to_str().unwrap())];
    drive_node(&modules, &format!("https://{api}"), &trust).await;
    assert_eq!(proxy.mock.accepted(), 2);
}

async fn drive_node(modules: &str, base: &str, env: &[(&'static str, &str)]) {
    drive("node", &[NODE, modules, base, USER, PASSWORD], env).await;
}

/// Runs a driver, which has to be content.
async fn drive(program: &str, arguments: &[&str], env: &[(&'static str, &str)]) {
    let program = program.to_owned();
    let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let env: Vec<_> = env.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    let driven = tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        run(&program, &arguments, &env)
    });
    let driven = driven.await.unwrap().expect("the driver starts");
    assert!(
        driven.status.success(),
        "{}{}",
        String::from_utf8_lossy(&driven.stdout),
        String::from_utf8_lossy(&driven.stderr)
    );
}

fn run(program: &str, arguments: &[&str], env: &[(&'static str, &str)]) -> Option<Output> {
    Command::new(program).args(arguments).envs(env.iter().copied()).output().ok()
}
