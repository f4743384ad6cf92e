//! `prembridge demo`: the mock Cloud API and the proxy on loopback, and a client that talks to them.
//!
//! Plays a story and checks each exchange: *app sent -> proxy sent -> Cloud answered -> app received*, and the other
//! way round *Cloud posted -> proxy answered -> app received -> app answered*. Prints a digest, or all of it.

mod callbacks;
mod client;
mod digest;
mod exchange;
mod provider;
mod scene;
mod sink;
mod story;
mod teller;

use std::io;
use std::process::ExitCode;

use serde_json::Value;

use super::output::{line, style};
use super::{Stop, failed, runtime};
use crate::app::{Addresses, App};
use crate::clock::Clock;
use crate::config::{Config, Env, in_words};
use crate::mock::{MockCloud, Options};
use crate::server::webhook;
use client::Client;
use provider::Provider;
use scene::Scene;
use sink::Sink;
use story::STORY;
use teller::Teller;

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

/// How many scenes there are: the login, the story, and four that come back.
const SCENES: i64 = 1 + STORY.len() as i64 + callbacks::SCENES as i64;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  prembridge demo            a line for each exchange
  prembridge demo --step 9   one of them in full: what each side sent and answered, and why it was changed
  prembridge demo --keep     stays up for your own requests, and prints where to send them

Exit codes: 0 all as expected, 1 not.")]
pub struct Args {
    /// Shows every exchange in full, with a note for each changed field
    #[arg(long, conflicts_with_all = ["step", "json"])]
    full: bool,
    /// Shows this exchange alone, in full
    #[arg(long, value_name = "N", conflicts_with = "json", value_parser = clap::value_parser!(u8).range(1..=SCENES))]
    step: Option<u8>,
    /// Prints everything as one JSON object
    #[arg(long, conflicts_with = "keep")]
    json: bool,
    /// Stays up on the default ports afterwards, until a signal ends it
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let outcome = match runtime() {
        Ok(runtime) => runtime.block_on(play(args)),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(reason),
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

async fn play(args: &Args) -> Result<(), String> {
    let mut stop = Stop::watch().map_err(|error| format!("signals cannot be watched: {error}"))?;
    let ports = if args.keep { Ports::DEFAULT } else { Ports::default() };
    let cannot_listen = |who, port| {
        move |error: io::Error| format!("{who} cannot listen on port {port}: {}", in_words(&error))
    };
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
    let mut teller = Teller::new(args);
    teller.begin(&stage, addresses);
    tell(&mut stage, &mut teller).await?;
    if args.keep {
        stay(&stage, addresses);
        stop.wait().await;
    }
    app.drain().await;
    stage.mock.shutdown().await;
    Ok(())
}

async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), String> {
    let mut scene = Scene::new(1, "The first login replaces the default password, as on-prem demanded");
    let outcome = log_in(&mut scene, &mut stage.client).await;
    teller.told(scene, outcome)?;
    let (mut number, mut accepted) = (1, 0);
    for step in STORY {
        number += 1;
        let mut scene = Scene::new(number, step.title);
        let outcome = exchange::play(&mut scene, step, stage).await;
        teller.told(scene, outcome)?;
        accepted += stage.mock.accepted();
    }
    let back = callbacks::play(number, stage, teller).await?;
    teller.end(accepted + back.accepted, back.taken)
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
    line(style::title("\nStill running, until Ctrl-C"));
    line(format_args!("  the on-prem API  http://{api}"));
    line(format_args!("  its counters     http://{admin}/metrics"));
    line(format_args!("  Cloud's webhook  {}", stage.webhook));
    line(format_args!("  mock Cloud API   {mock}"));
    line(format_args!("  media provider   {}", stage.provider.url()));
    line(style::title("Try"));
    line(format_args!("  log in\n    curl -u 'admin:{NEW_PASSWORD}' -X POST http://{api}/v1/users/login"));
    line(format_args!("  what Cloud got\n    curl {mock}/_mock/requests"));
    let inbound = format!("{mock}/_mock/inbound?phone_number_id={NUMBER}");
    line(format_args!(
        "  let a user write\n    curl '{inbound}' \\\n      -d '{{\"from\":\"{USER}\",\"text\":\"hi\"}}'"
    ));
    line(format_args!("  what Cloud posted\n    curl {mock}/_mock/webhooks"));
    line(format_args!("  what the app received\n    curl {callbacks}"));
}

/// Step 1: the on-prem client's first login, which must replace the default password.
async fn log_in(scene: &mut Scene, client: &mut Client) -> Result<(), String> {
    let body = format!(r#"{{"new_password":"{NEW_PASSWORD}"}}"#);
    scene.tell("app sent", "POST /v1/users/login  (admin:secret)").body(&body);
    let answer = client.log_in("admin", "secret", &body).await?;
    scene.tell("app received", format!("HTTP {}", answer.status)).body(&answer.text);
    scene.row("First login replaces the default password", "nothing", answer.status.to_string());
    expect(answer.status == 200, "the login answers 200")?;
    let token = answer.json.pointer("/users/0/token").and_then(Value::as_str);
    client.token = Some(token.ok_or("the login gave no token")?.to_owned());
    Ok(())
}

fn expect(is_met: bool, what: &str) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(format!("expected that {what}")) }
}
