//! `prembridge demo`: the mock Cloud API and the proxy on loopback, and a client that talks to them.
//!
//! Prints each exchange as *app sent -> proxy sent -> Cloud answered -> app received*, and checks it.

mod client;
mod story;

use std::process::ExitCode;

use serde_json::Value;

use super::output::{complain, line, pretty};
use super::{FINDINGS, Stop, runtime};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::mock::{FaultRule, MockCloud, Options};
use crate::onprem::message::{Body, Request};
use crate::translate::{Notes, message_to_cloud, receipt_to_cloud};
use client::{Answer, Client};
use story::{STORY, Step};

/// What the demo's administrator chooses at the first login.
const NEW_PASSWORD: &str = "Demo-passw0rd";

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stays up on the default ports afterwards, until a signal ends it
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let outcome = match runtime() {
        Ok(runtime) => runtime.block_on(play(args.keep)),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            complain(format_args!("demo: {reason}"));
            ExitCode::from(FINDINGS)
        }
    }
}

async fn play(keep: bool) -> Result<(), String> {
    let mut stop = Stop::watch().map_err(|error| format!("signals cannot be watched: {error}"))?;
    let ports: [u16; 3] = if keep { [9093, 9090, 9091] } else { [0, 0, 0] };
    let [cloud_port, api_port, admin_port] = ports;
    let mock = MockCloud::start(([127, 0, 0, 1], cloud_port).into(), Options::default())
        .await
        .map_err(|error| format!("the mock cannot listen on port {cloud_port}: {error}"))?;
    let config = configuration(&mock.base_url(), api_port, admin_port)?;
    let app = App::start(config, Clock::system()).await.map_err(|error| error.to_string())?;
    let addresses = app.addresses();
    line(format_args!("mock Cloud API  {}", mock.base_url()));
    line(format_args!("proxy           http://{}\n", addresses.api));
    let mut client = Client::new(&format!("http://{}", addresses.api))?;
    log_in(&mut client).await?;
    let mut accepted = 0;
    for (number, step) in STORY.iter().enumerate() {
        show(number + 2, step, &mock, &client).await?;
        accepted += mock.accepted();
    }
    line(format_args!("Cloud accepted {accepted} messages, and every expectation was met."));
    if keep {
        line(format_args!("\nStill running. The proxy:       http://{}", addresses.api));
        line(format_args!("Its counters:                  http://{}/metrics", addresses.admin));
        line(format_args!("What Cloud got:                {}/_mock/requests", mock.base_url()));
        line(format_args!(
            "Log in with:                   curl -u 'admin:{NEW_PASSWORD}' -X POST http://{}/v1/users/login",
            addresses.api
        ));
        line("End with Ctrl-C.");
        stop.wait().await;
    }
    app.drain().await;
    mock.shutdown().await;
    Ok(())
}

fn configuration(base_url: &str, api_port: u16, admin_port: u16) -> Result<Config, String> {
    let text = format!(
        r#"
        [listen]
        api = "127.0.0.1:{api_port}"
        admin = "127.0.0.1:{admin_port}"
        [cloud]
        base_url = "{base_url}"
        [store]
        url = "memory:"
        [shutdown]
        lame_duck = "0s"
        [[number]]
        name = "demo"
        phone_number_id = "106540352242922"
        access_token = {{ env = "DEMO_TOKEN" }}
        "#
    );
    let env = Env::from([("DEMO_TOKEN", "EAADemoToken")]);
    Config::parse(&text, &env).map(|loaded| loaded.config).map_err(|problems| problems.to_string())
}

/// Step 1: the on-prem client's first login, which must replace the default password.
async fn log_in(client: &mut Client) -> Result<(), String> {
    line("1. The first login replaces the default password, as on-prem demanded\n");
    let body = format!(r#"{{"new_password":"{NEW_PASSWORD}"}}"#);
    line("   app sent       POST /v1/users/login  (admin:secret)");
    indented(&body);
    let answer = client.log_in("admin", "secret", &body).await?;
    received(&answer);
    expect(answer.status == 200, "the login answers 200")?;
    let token = answer.json.pointer("/users/0/token").and_then(Value::as_str);
    client.token = Some(token.ok_or("the login gave no token")?.to_owned());
    Ok(())
}

async fn show(number: usize, step: &Step, mock: &MockCloud, client: &Client) -> Result<(), String> {
    mock.clear();
    mock.clear_faults();
    if let Some(fault) = step.fault {
        mock.fault(fault.parse::<FaultRule>().map_err(|error| format!("{fault}: {error}"))?);
    }
    line(format_args!("{number}. {}\n", step.title));
    let (verb, path) = step.request;
    line(format_args!("   app sent       {verb} {path}"));
    indented(step.body);
    let answer = client.send(verb, path, step.body).await?;
    let recorded = mock.recorded();
    match recorded.first() {
        Some(seen) => {
            line(format_args!("   proxy sent     {} {}", seen.method, seen.path));
            indented(&ordered(step));
            for note in notes(step).list() {
                line(format_args!("     * {}: {}  [{}]", note.path, note.text, note.rule.id()));
            }
            line(format_args!("   Cloud answered HTTP {}", seen.status.unwrap_or_default()));
            indented(&seen.answer);
            let told: Option<Value> = serde_json::from_str(&ordered(step)).ok();
            expect(told.as_ref() == Some(seen.body.json()), "the shown translation is what Cloud got")?;
        }
        None => line("   proxy sent     nothing"),
    }
    received(&answer);
    check(step, recorded.first().map(|seen| seen.body.json()), &answer)
}

fn check(step: &Step, cloud: Option<&Value>, answer: &Answer) -> Result<(), String> {
    expect(answer.status == step.status, &format!("{}: HTTP {}", step.title, step.status))?;
    expect(cloud.is_some() != step.cloud.is_empty(), &format!("{}: whether anything is sent", step.title))?;
    for (expected, value) in [(step.cloud, cloud.unwrap_or(&Value::Null)), (step.app, &answer.json)] {
        for (pointer, wanted) in expected {
            let found = value.pointer(pointer).map(|found| match found {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    found.to_string()
                }
            });
            let is_met = found.as_deref().is_some_and(|found| *wanted == "*" || found == *wanted);
            expect(is_met, &format!("{}: {pointer} is {wanted}, not {found:?}", step.title))?;
        }
    }
    Ok(())
}

fn expect(is_met: bool, what: &str) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(format!("expected that {what}")) }
}

/// The same pure translation that the proxy ran, with its reasons.
fn notes(step: &Step) -> Notes {
    translate(step).map_or_else(Notes::full, |(_, notes)| notes)
}

/// What the proxy sent, in the order in which it wrote it.
fn ordered(step: &Step) -> String {
    translate(step).map(|(text, _)| text).unwrap_or_default()
}

fn translate(step: &Step) -> Option<(String, Notes)> {
    let mut notes = Notes::full();
    if let ("PUT", path) = step.request {
        let id = path.rsplit_once('/')?.1;
        let receipt = String::from_utf8(receipt_to_cloud(id, &mut notes).to_json()).ok()?;
        return Some((receipt, notes));
    }
    let body = Body::read(step.body.as_bytes()).ok()?;
    let Request::Message(message) = Request::parse(&body).ok()? else {
        return None;
    };
    let cloud = message_to_cloud(&message, &body, &[], None, &mut notes).ok()?;
    let text = String::from_utf8(cloud.to_json(256)).ok()?;
    Some((text, notes))
}

fn received(answer: &Answer) {
    line(format_args!("   app received   HTTP {}", answer.status));
    indented(&answer.text);
    line("");
}

/// A JSON text under its heading.
fn indented(json: &str) {
    for row in pretty(json).lines() {
        line(format_args!("     {row}"));
    }
}
