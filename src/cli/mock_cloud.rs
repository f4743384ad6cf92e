//! `prembridge mock-cloud`: the built-in Cloud API.

use std::net::SocketAddr;
use std::process::ExitCode;

use super::output::{complain, line};
use super::{FINDINGS, Stop, runtime};
use crate::mock::{FaultRule, MockCloud, Options};

/// Arguments of `mock-cloud`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9093", value_name = "ADDR")]
    listen: SocketAddr,
    /// Fails on purpose, like 131047:next 2 or "http 502:every 3" or "http 500@media-upload:once"; may be repeated
    #[arg(long = "fault", value_name = "RULE")]
    faults: Vec<FaultRule>,
    /// A token that is valid; without one, every token is
    #[arg(long = "token", value_name = "TOKEN")]
    tokens: Vec<String>,
}

/// Runs it until a signal ends it.
pub fn run(args: &Args) -> ExitCode {
    let options = Options {
        faults: args.faults.clone(),
        access_tokens: (!args.tokens.is_empty()).then(|| args.tokens.clone()),
        ..Options::default()
    };
    match runtime() {
        Ok(runtime) => runtime.block_on(serve(args.listen, options)),
        Err(error) => {
            complain(format_args!("no runtime: {error}"));
            ExitCode::from(FINDINGS)
        }
    }
}

async fn serve(listen: SocketAddr, options: Options) -> ExitCode {
    let mut stop = match Stop::watch() {
        Ok(stop) => stop,
        Err(error) => {
            complain(format_args!("signals cannot be watched: {error}"));
            return ExitCode::from(FINDINGS);
        }
    };
    let mock = match MockCloud::start(listen, options).await {
        Ok(mock) => mock,
        Err(error) => {
            complain(format_args!("cannot listen on {listen}: {error}; is it in use?"));
            return ExitCode::from(FINDINGS);
        }
    };
    line(format_args!("mock Cloud API on {}", mock.base_url()));
    line(format_args!("cloud.base_url = \"{}\"", mock.base_url()));
    line(format_args!("what it got: curl {}/_mock/requests", mock.base_url()));
    stop.wait().await;
    mock.shutdown().await;
    ExitCode::SUCCESS
}
