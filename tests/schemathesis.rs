//! The real binary answers whatever schemathesis makes up from its OpenAPI document, in the on-prem form.
//!
//! `SCHEMATHESIS_PYTHON` names a Python that has it; without it the machine's own is asked. Where it has none the test
//! is not run, but under CI it fails.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use prembridge::mock::{MockCloud, Options};

use crate::support::needs::not_run;
use crate::support::process::Server;
use crate::support::{ADMIN_KEY, PASSWORD, PHONE_NUMBER_ID, config, number};
use crate::temp::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis/run.py");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_made_up_is_a_server_error() {
    let python = std::env::var("SCHEMATHESIS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_it = Command::new(&python).args(["-c", "import schemathesis"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        return not_run(&format!("{python} has no schemathesis; pip install schemathesis==4.32.5"));
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mock = MockCloud::start(address, Options::default()).await.unwrap();
    let folder = TempDir::new();
    let path = folder.join("prembridge.toml");
    let user = format!("[[number.user]]\nname = \"application\"\npassword = \"{PASSWORD}\"\n");
    let more = "waba_id = \"102290129340398\"\napp_id = \"634974688087057\"";
    let numbers = number("support", PHONE_NUMBER_ID, more) + &user;
    fs::write(&path, config(&mock.base_url(), "", &numbers)).unwrap();
    let server = Server::start(&path);
    let (document, api) = (format!("http://{}/openapi.json", server.admin), format!("http://{}", server.api));
    let run = move || {
        Command::new(python)
            .args([SCRIPT, &document, &api])
            .env("PROXY_KEY", ADMIN_KEY)
            .env("PROXY_USER", "application")
            .env("PROXY_PASSWORD", PASSWORD)
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{log}");
    // It did reach Cloud, and did not only meet checks of ours.
    assert!(mock.accepted() > 0, "{told}");
}
