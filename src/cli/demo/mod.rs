//! `prembridge demo`: the mock Cloud API and the proxy on loopback, and a client that talks to them.
//!
//! Prints each exchange as *app sent -> proxy sent -> Cloud answered -> app received*, and checks it.

mod client;
mod provider;
mod story;

use std::process::ExitCode;

use serde_json::Value;

use super::output::{complain, line, pretty};
use super::{FINDINGS, Stop, runtime};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::mock::{FaultRule, MockCloud, Options, Recorded};
use crate::onprem::message::{Body, Request};
use crate::translate::{Notes, Resolved, media_refs, message_to_cloud, receipt_to_cloud};
use client::{Answer, Client};
use provider::Provider;
use story::{Before, STORY, Step};

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
    let ports: [u16; 4] = if keep { [9093, 9090, 9091, 9094] } else { [0; 4] };
    let [cloud_port, api_port, admin_port, provider_port] = ports;
    let mock = MockCloud::start(([127, 0, 0, 1], cloud_port).into(), Options::default())
        .await
        .map_err(|error| format!("the mock cannot listen on port {cloud_port}: {error}"))?;
    let provider = Provider::start(provider_port)
        .await
        .map_err(|error| format!("the media provider cannot listen on port {provider_port}: {error}"))?;
    let config = configuration(&mock.base_url(), api_port, admin_port)?;
    let app = App::start(config, Clock::system()).await.map_err(|error| error.to_string())?;
    let addresses = app.addresses();
    line(format_args!("mock Cloud API  {}", mock.base_url()));
    line(format_args!("media provider  {}", provider.url()));
    line(format_args!("proxy           http://{}\n", addresses.api));
    let mut client = Client::new(&format!("http://{}", addresses.api))?;
    log_in(&mut client).await?;
    let mut accepted = 0;
    for (number, step) in STORY.iter().enumerate() {
        let step = Scene { step, body: step.body.replace("{provider}", &provider.url()) };
        show(number + 2, &step, &mock, &provider, &client).await?;
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
        [egress]
        allow = ["127.0.0.1"]
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

/// A step with its body filled in.
struct Scene<'a> {
    step: &'a Step,
    body: String,
}

async fn show(
    number: usize,
    scene: &Scene<'_>,
    mock: &MockCloud,
    provider: &Provider,
    client: &Client,
) -> Result<(), String> {
    let step = scene.step;
    mock.clear();
    mock.clear_faults();
    match step.before {
        Before::Nothing => {}
        Before::Fault(fault) => {
            mock.fault(fault.parse::<FaultRule>().map_err(|error| format!("{fault}: {error}"))?);
        }
        Before::Change => provider.change(),
    }
    line(format_args!("{number}. {}\n", step.title));
    let (verb, path) = step.request;
    line(format_args!("   app sent       {verb} {path}"));
    indented(&scene.body);
    let answer = client.send(verb, path, &scene.body).await?;
    let recorded = mock.recorded();
    files(step, &recorded, &provider.take_seen(), &answer)?;
    let message = recorded.iter().find(|seen| seen.path.ends_with("/messages"));
    match message {
        Some(seen) => {
            let (told, notes) = translate(scene, seen.body.json())
                .ok_or_else(|| format!("expected that {} can be translated", step.title))?;
            line(format_args!("   proxy sent     {} {}", seen.method, seen.path));
            indented(&told);
            for note in notes.list() {
                line(format_args!("     * {}: {}  [{}]", note.path, note.text, note.rule.id()));
            }
            line(format_args!("   Cloud answered HTTP {}", seen.status.unwrap_or_default()));
            indented(&seen.answer);
            let told: Option<Value> = serde_json::from_str(&told).ok();
            expect(told.as_ref() == Some(seen.body.json()), "the shown translation is what Cloud got")?;
        }
        None => line("   proxy sent     nothing"),
    }
    received(&answer);
    check(step, message.map(|seen| seen.body.json()), &answer)
}

/// Who was asked for files, what was uploaded, and the proxy's reason.
fn files(step: &Step, recorded: &[Recorded], asked: &[String], answer: &Answer) -> Result<(), String> {
    for asked in asked {
        line(format_args!("   proxy fetched  {asked}"));
    }
    let uploads: Vec<_> = recorded.iter().filter(|seen| seen.path.ends_with("/media")).collect();
    for upload in &uploads {
        line(format_args!("   proxy uploaded {} {}", upload.method, upload.path));
        indented(&upload.answer);
    }
    if !answer.media.is_empty() {
        line(format_args!("     * file: {}", answer.media));
    }
    let (fetches, count, reason) = step.media;
    expect(asked.len() == fetches, &format!("{}: {fetches} requests to the provider", step.title))?;
    expect(uploads.len() == count, &format!("{}: {count} uploads", step.title))?;
    expect(answer.media == reason, &format!("{}: {reason:?}, not {:?}", step.title, answer.media))
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

/// The same pure translation that the proxy ran, in the order in which it wrote it, with its reasons. The ids of
/// files are those that Cloud got: only Cloud makes them.
fn translate(scene: &Scene<'_>, sent: &Value) -> Option<(String, Notes)> {
    let mut notes = Notes::full();
    if let ("PUT", path) = scene.step.request {
        let id = path.rsplit_once('/')?.1;
        let receipt = String::from_utf8(receipt_to_cloud(id, &mut notes).to_json()).ok()?;
        return Some((receipt, notes));
    }
    let body = Body::read(scene.body.as_bytes()).ok()?;
    let Request::Message(message) = Request::parse(&body).ok()? else {
        return None;
    };
    let resolved: Vec<Resolved> = media_refs(&message)
        .iter()
        .map(|file| match sent.pointer(&format!("/{}/id", file.kind.name())) {
            Some(Value::String(id)) => Resolved::Id(id.clone()),
            _ => Resolved::AsWritten,
        })
        .collect();
    let cloud = message_to_cloud(&message, &body, &resolved, None, &mut notes).ok()?;
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
