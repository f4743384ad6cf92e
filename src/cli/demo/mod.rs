//! `prembridge demo`: the mock Cloud API and the proxy on loopback, and a client that talks to them.
//!
//! Prints each exchange as *app sent -> proxy sent -> Cloud answered -> app received*, and the other way round as
//! *Cloud posted -> proxy answered -> app received -> app answered*, and checks it.

mod callbacks;
mod client;
mod exchange;
mod provider;
mod sink;
mod story;

use std::io;
use std::process::ExitCode;

use serde_json::Value;

use super::output::{complain, line, pretty};
use super::{FINDINGS, Stop, runtime};
use crate::app::{Addresses, App};
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::mock::{MockCloud, Options};
use crate::server::webhook;
use crate::translate::Notes;
use client::{Answer, Client};
use provider::Provider;
use sink::Sink;
use story::STORY;

/// What the demo's administrator chooses at the first login.
const NEW_PASSWORD: &str = "Demo-passw0rd";
/// The id of the business's number.
const NUMBER: &str = "106540352242922";
/// Who writes and is written to.
const USER: &str = "16505551234";
/// What Cloud signs its webhooks with.
const APP_SECRET: &str = "demo-app-secret";
/// What Cloud names when it subscribes.
const VERIFY_TOKEN: &str = "demo-verify-token";

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

/// Everybody in the story.
struct Stage {
    mock: MockCloud,
    provider: Provider,
    sink: Sink,
    client: Client,
    /// Where the proxy takes webhooks.
    webhook: String,
}

/// Where everybody listens; 0 is any free port.
#[derive(Default)]
struct Ports {
    cloud: u16,
    api: u16,
    admin: u16,
    webhook: u16,
    provider: u16,
    sink: u16,
}

impl Ports {
    /// Those of `serve` and `mock-cloud`, and two more.
    const DEFAULT: Self =
        Self { cloud: 9093, api: 9090, admin: 9091, webhook: 9092, provider: 9094, sink: 9095 };
}

async fn play(keep: bool) -> Result<(), String> {
    let mut stop = Stop::watch().map_err(|error| format!("signals cannot be watched: {error}"))?;
    let ports = if keep { Ports::DEFAULT } else { Ports::default() };
    let cannot_listen =
        |who, port| move |error: io::Error| format!("{who} cannot listen on port {port}: {error}");
    let mock = MockCloud::start(([127, 0, 0, 1], ports.cloud).into(), Options::default())
        .await
        .map_err(cannot_listen("the mock", ports.cloud))?;
    let provider =
        Provider::start(ports.provider).await.map_err(cannot_listen("the media provider", ports.provider))?;
    let sink =
        Sink::start(ports.sink).await.map_err(cannot_listen("the receiver of callbacks", ports.sink))?;
    let config = configuration(&mock.base_url(), &ports)?;
    let app = App::start(config, Clock::system()).await.map_err(|error| error.to_string())?;
    let addresses = app.addresses();
    let webhook = addresses.webhook.ok_or("the proxy takes no webhooks")?;
    let client = Client::new(&format!("http://{}", addresses.api))?;
    let webhook = format!("http://{webhook}{}", webhook::PATH);
    let mut stage = Stage { mock, provider, sink, client, webhook };
    line(format_args!("mock Cloud API  {}", stage.mock.base_url()));
    line(format_args!("media provider  {}", stage.provider.url()));
    line(format_args!("app's webhook   {}", stage.sink.url()));
    line(format_args!("proxy           http://{}", addresses.api));
    line(format_args!("Cloud's webhook {}\n", stage.webhook));
    tell(&mut stage).await?;
    if keep {
        stay(&stage, addresses);
        stop.wait().await;
    }
    app.drain().await;
    stage.mock.shutdown().await;
    Ok(())
}

async fn tell(stage: &mut Stage) -> Result<(), String> {
    log_in(&mut stage.client).await?;
    let (mut number, mut accepted) = (1, 0);
    for step in STORY {
        number += 1;
        exchange::show(number, step, stage).await?;
        accepted += stage.mock.accepted();
    }
    let back = callbacks::play(number, stage).await?;
    accepted += back.accepted;
    line(format_args!(
        "Cloud accepted {accepted} messages, the app took {} callbacks, and every expectation was met.",
        back.taken
    ));
    Ok(())
}

fn configuration(base_url: &str, ports: &Ports) -> Result<Config, String> {
    let Ports { api, admin, webhook, .. } = ports;
    let text = format!(
        r#"
        [listen]
        api = "127.0.0.1:{api}"
        admin = "127.0.0.1:{admin}"
        webhook = "127.0.0.1:{webhook}"
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
        phone_number_id = "{NUMBER}"
        access_token = {{ env = "DEMO_TOKEN" }}
        app_secret = {{ env = "DEMO_APP_SECRET" }}
        verify_token = {{ env = "DEMO_VERIFY_TOKEN" }}
        "#
    );
    let env = Env::from([
        ("DEMO_TOKEN", "EAADemoToken"),
        ("DEMO_APP_SECRET", APP_SECRET),
        ("DEMO_VERIFY_TOKEN", VERIFY_TOKEN),
    ]);
    Config::parse(&text, &env).map(|loaded| loaded.config).map_err(|problems| problems.to_string())
}

/// What a person can do with what stays up.
fn stay(stage: &Stage, addresses: Addresses) {
    let Addresses { api, admin, .. } = addresses;
    let (mock, callbacks) = (stage.mock.base_url(), stage.sink.url());
    line(format_args!("\nStill running. The proxy:       http://{api}"));
    line(format_args!("Its counters:                  http://{admin}/metrics"));
    line(format_args!(
        "Log in with:                   curl -u 'admin:{NEW_PASSWORD}' -X POST http://{api}/v1/users/login"
    ));
    line(format_args!("What Cloud got:                curl {mock}/_mock/requests"));
    let text = format!(r#"{{"from":"{USER}","text":"hi"}}"#);
    line(format_args!(
        "Let a user write:              curl '{mock}/_mock/inbound?phone_number_id={NUMBER}' -d '{text}'"
    ));
    line(format_args!("What Cloud posted:             curl {mock}/_mock/webhooks"));
    line(format_args!("What the app received:         curl {callbacks}"));
    line("End with Ctrl-C.");
}

/// Step 1: the on-prem client's first login, which must replace the default password.
async fn log_in(client: &mut Client) -> Result<(), String> {
    heading(1, "The first login replaces the default password, as on-prem demanded");
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

fn expect(is_met: bool, what: &str) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(format!("expected that {what}")) }
}

fn heading(number: usize, title: &str) {
    line(format_args!("{number}. {title}\n"));
}

/// What a translation changed, and why.
fn noted(notes: &Notes) {
    for note in notes.list() {
        line(format_args!("     * {}: {}  [{}]", note.path, note.text, note.rule.id()));
    }
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
