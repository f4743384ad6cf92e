//! `prembridge mock-cloud`: the built-in Cloud API.

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::runtime::Builder;

use super::output::{complain, line, warn};
use super::secret::Given;
use super::{Stop, failed, runtime, values};
use crate::clock::Clock;
use crate::config::in_words;
use crate::mock::{FaultRule, MockCloud, Options, StatusWord, Subscription};

/// Arguments of `mock-cloud`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A secret is env:NAME, a variable, or file:PATH, a file with it. What stands on the command line itself can be read by
others on this machine, and is warned about.

Examples:
  prembridge mock-cloud
  prembridge mock-cloud --fault '131047:next 2' --fault 'http 502:every 3'
  prembridge mock-cloud --webhook-url http://127.0.0.1:9092/webhooks/cloud \\
    --app-secret env:SUPPORT_APP_SECRET --verify-token env:SUPPORT_VERIFY_TOKEN")]
pub struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9093", value_name = "ADDR", value_parser = values::address)]
    listen: SocketAddr,
    /// Fails on purpose, like 131047:next 2 or "http 502:every 3" or "http 500@media-upload:once"; may be repeated
    #[arg(long = "fault", value_name = "RULE")]
    faults: Vec<FaultRule>,
    /// A token that is valid; without one, every token is
    #[arg(long = "token", value_name = "SECRET")]
    tokens: Vec<Given>,
    /// Where signed webhooks are posted: the statuses of each accepted message, and what /_mock/inbound is given
    #[arg(long, value_name = "URL", requires = "app_secret", value_parser = webhook_url)]
    webhook_url: Option<String>,
    /// What webhooks are signed with
    #[arg(long, value_name = "SECRET", requires = "webhook_url")]
    app_secret: Option<Given>,
    /// Sends the webhook URL a challenge with this token first
    #[arg(long, value_name = "SECRET", requires = "webhook_url")]
    verify_token: Option<Given>,
    /// A status to post of each message: sent, delivered, read, played or failed; may be repeated. Without one: sent,
    /// delivered and read
    #[arg(long = "status", value_name = "WORD", requires = "webhook_url")]
    statuses: Vec<StatusWord>,
    /// Gives the same ids in each run with the same number; without it, others in each run, which no store has seen
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keeps no requests and no messages, for load: /_mock/requests only counts
    #[arg(long)]
    no_record: bool,
    /// How many threads answer; as many as there are processors by default
    #[arg(long, value_name = "N", value_parser = values::count::<1, 1024>)]
    threads: Option<u16>,
    /// Ends when standard input does, too, so as not to outlive whoever started it
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

impl Args {
    fn subscription(&self) -> Option<Subscription> {
        let secret = &self.app_secret.as_ref()?.value;
        let mut subscription = Subscription::new(self.webhook_url.as_ref()?, secret);
        subscription.verify_token = self.verify_token.as_ref().map(|given| given.value.clone());
        if !self.statuses.is_empty() {
            subscription.statuses = self.statuses.clone();
        }
        Some(subscription)
    }

    /// What others on this machine can read.
    fn warn_of_secrets(&self) {
        let is_shown = |given: &Option<Given>| given.as_ref().is_some_and(|given| given.is_shown);
        for (flag, is_shown) in [
            ("--app-secret", is_shown(&self.app_secret)),
            ("--verify-token", is_shown(&self.verify_token)),
            ("--token", self.tokens.iter().any(|given| given.is_shown)),
        ] {
            if is_shown {
                warn(format_args!(
                    "{flag}: others on this machine can read the command line; give env:NAME or file:PATH instead"
                ));
            }
        }
    }
}

/// Runs it until a signal ends it.
pub fn run(args: &Args) -> ExitCode {
    args.warn_of_secrets();
    let webhook = args.subscription();
    let tokens = args.tokens.iter().map(|given| given.value.clone());
    let options = Options {
        record: !args.no_record,
        faults: args.faults.clone(),
        access_tokens: (!args.tokens.is_empty()).then(|| tokens.collect()),
        webhook: webhook.clone(),
        seed: args.seed.unwrap_or_else(random),
        ..Options::default()
    };
    let runtime = match args.threads {
        None => runtime(),
        // Without anybody to share with, nothing has to be woken or locked.
        Some(1) => Builder::new_current_thread().enable_all().build(),
        Some(count) => Builder::new_multi_thread().worker_threads(count.into()).enable_all().build(),
    };
    match runtime {
        Ok(runtime) => runtime.block_on(serve(args, options, webhook)),
        Err(error) => failed(format_args!("no runtime: {error}")),
    }
}

/// A system without random numbers has the time.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => u64::try_from(Clock::system().now()).unwrap_or_default(),
    }
}

async fn serve(args: &Args, options: Options, webhook: Option<Subscription>) -> ExitCode {
    let (listen, seed) = (args.listen, options.seed);
    let mut stop = match Stop::watch() {
        Ok(stop) => stop.with_stdin(args.until_stdin_ends),
        Err(error) => return failed(format_args!("signals cannot be watched: {error}")),
    };
    let mock = match MockCloud::start(listen, options).await {
        Ok(mock) => mock,
        Err(error) => return failed(format_args!("cannot listen on {listen}: {}", in_words(&error))),
    };
    line(format_args!("mock Cloud API on {}", mock.base_url()));
    line(format_args!("cloud.base_url = \"{}\"", mock.base_url()));
    line(format_args!("the same ids again: --seed {seed}"));
    line(format_args!("what it got: curl {}/_mock/requests", mock.base_url()));
    let introducing = async {
        if let Some(subscription) = &webhook {
            introduce(&mock, subscription).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = introducing => {}
        () = stop.wait() => {}
    }
    mock.shutdown().await;
    ExitCode::SUCCESS
}

fn webhook_url(text: &str) -> Result<String, String> {
    Subscription::new(text, "").check().map(|()| text.to_owned())
}

/// Tells who is subscribed, and whether the endpoint knows the verify token. It need not be up yet.
async fn introduce(mock: &MockCloud, subscription: &Subscription) {
    let words: Vec<_> = subscription.statuses.iter().map(|word| word.as_str()).collect();
    // A query may hold a secret.
    let url = subscription.url.split('?').next().unwrap_or_default();
    line(format_args!("webhooks to {url}: {} of each message", words.join(", ")));
    line(format_args!("what was posted: curl {}/_mock/webhooks", mock.base_url()));
    if subscription.verify_token.is_none() {
        return;
    }
    match mock.verify_webhook().await {
        Ok(()) => line("the webhook URL passed the challenge"),
        Err(error) => complain(format_args!("the webhook URL did not pass the challenge: {error}")),
    }
}
