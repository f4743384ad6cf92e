//! `prembridge translate`: the pure translation, offline.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::FINDINGS;
use super::output::{complain, line, one_line, pretty};
use crate::clock::Clock;
use crate::cloud::webhook::Webhook;
use crate::onprem::Invalid;
use crate::onprem::error::{DEFAULT_VERSION, ErrorBody};
use crate::onprem::message::{Body, Request, Source};
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::translate::webhook::NothingKnown;
use crate::translate::{
    Answered, MessageError, Notes, Options, Resolved, WebhookOptions, error_to_onprem, media_refs,
    message_to_cloud, receipt_message_to_cloud, webhook_to_onprem,
};

/// Arguments of `translate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The payload is Cloud's answer to a message; gives the on-prem answer
    #[arg(long, conflicts_with = "error")]
    reply: bool,
    /// The payload is a Cloud error; gives the on-prem error
    #[arg(long)]
    error: bool,
    /// The payload is a webhook of Cloud; gives the on-prem callbacks, one per line when there are several
    #[arg(long, conflicts_with_all = ["reply", "error"])]
    webhook: bool,
    /// With --error: the HTTP status that came with it
    #[arg(long, default_value_t = 400, requires = "error")]
    http: u16,
    /// Prints {"request":…,"notes":[…]}, or "callbacks":[…], on one line instead
    #[arg(long)]
    json: bool,
    /// A file with JSON, or - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let bytes = match read(&args.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            complain(format_args!("{}: {error}", args.file.display()));
            return ExitCode::from(FINDINGS);
        }
    };
    let mut notes = Notes::full();
    let outcome = if args.reply {
        reply(&bytes, &mut notes).map(Output::One)
    } else if args.error {
        Ok(Output::One(error(&bytes, args.http, &mut notes)))
    } else if args.webhook {
        webhook(&bytes, &mut notes).map(Output::Callbacks)
    } else {
        message(&bytes, &mut notes).map(Output::One)
    };
    match outcome {
        Ok(output) => {
            print(args, &output, &notes);
            ExitCode::SUCCESS
        }
        Err(invalid) => {
            refuse(args, &invalid);
            ExitCode::from(FINDINGS)
        }
    }
}

/// What a payload becomes, as JSON.
enum Output {
    /// A request or an answer.
    One(String),
    /// Any number of callbacks.
    Callbacks(Vec<String>),
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}

/// Files that would have to be fetched first get the placeholder id `media:<link>`.
fn message(bytes: &[u8], notes: &mut Notes) -> Result<String, Invalid> {
    let body = Body::read(bytes)?;
    let message = match Request::parse(&body)? {
        Request::Message(message) => message,
        Request::Receipt(receipt) => return Ok(lossy(receipt_message_to_cloud(&receipt, notes).to_json())),
    };
    let resolved: Vec<Resolved> = media_refs(&message)
        .iter()
        .map(|reference| match reference.source {
            Source::Link(link) => Resolved::Id(format!("media:{}", link.url()).into()),
            Source::Id(_) => Resolved::AsWritten,
        })
        .collect();
    match message_to_cloud(&message, &body, &resolved, None, notes) {
        Ok(cloud) => Ok(lossy(cloud.to_json(bytes.len() + 128))),
        Err(MessageError::Invalid(invalid)) => Err(invalid),
        Err(MessageError::Unresolved { path }) => {
            Err(Invalid::new(crate::onprem::ErrorCode::InternalError, format!("{path} was not resolved")))
        }
    }
}

fn reply(bytes: &[u8], notes: &mut Notes) -> Result<String, Invalid> {
    Answered::read(bytes)
        .map(|answered| answered.to_onprem(None, None, &Options::default(), DEFAULT_VERSION, notes))
        .map(lossy)
        .map_err(|unusable| Invalid::new(crate::onprem::ErrorCode::InternalError, unusable.to_string()))
}

/// The callbacks that a webhook of Cloud becomes.
pub(super) fn webhook(bytes: &[u8], notes: &mut Notes) -> Result<Vec<String>, Invalid> {
    let webhook = Webhook::read(bytes)
        .map_err(|error| Invalid::new(crate::onprem::ErrorCode::InvalidRequest, error.reason()))?;
    let received_at = u64::try_from(Clock::system().now()).unwrap_or_default();
    let options = WebhookOptions { compat: Options::default(), received_at };
    let converted = webhook_to_onprem(&webhook, &options, &NothingKnown, notes);
    Ok(converted.callbacks.into_iter().map(|callback| lossy(callback.body)).collect())
}

fn error(bytes: &[u8], http: u16, notes: &mut Notes) -> String {
    let failure = CloudFailure {
        http,
        body: bytes,
        retry_after: None,
        endpoint: Endpoint::Messages,
        phone_number_id: "",
    };
    let error = error_to_onprem(&failure, &Options::default());
    let rule = crate::translate::rules::Rule::ErrorCode;
    let cloud = error.cloud_code.map_or_else(|| format!("HTTP {http}"), |code| format!("cloud {code}"));
    notes.add(rule, "error.code", format_args!("{cloud} -> {}, HTTP {}", error.code.code(), error.http));
    text(&ErrorBody::new(error.code, &error.details, DEFAULT_VERSION))
}

/// Our own JSON is always UTF-8.
fn lossy(json: Vec<u8>) -> String {
    String::from_utf8_lossy(&json).into_owned()
}

fn text(value: &impl serde::Serialize) -> String {
    // Our own types always serialize.
    serde_json::to_string(value).unwrap_or_default()
}

fn print(args: &Args, output: &Output, notes: &Notes) {
    if args.json {
        let notes: Vec<Value> = notes
            .list()
            .iter()
            .map(|note| json!({"rule": note.rule.id(), "path": note.path, "note": note.text}))
            .collect();
        let notes = Value::from(notes);
        match output {
            Output::One(text) => {
                line(format_args!("{{\"request\":{},\"notes\":{notes}}}", one_line(text)));
            }
            Output::Callbacks(list) => {
                let list: Vec<_> = list.iter().map(|text| one_line(text)).collect();
                line(format_args!("{{\"callbacks\":[{}],\"notes\":{notes}}}", list.join(",")));
            }
        }
        return;
    }
    match output {
        Output::One(text) => line(pretty(text)),
        Output::Callbacks(list) => match list.as_slice() {
            [only] => line(pretty(only)),
            several => several.iter().for_each(|text| line(one_line(text))),
        },
    }
    for note in notes.list() {
        complain(format_args!("note: {}: {} [{}]", note.path, note.text, note.rule.id()));
    }
}

/// The answer that the client would get, and the reason as a sentence.
fn refuse(args: &Args, invalid: &Invalid) {
    let body = text(&ErrorBody::new(invalid.code, &invalid.details, DEFAULT_VERSION));
    line(if args.json { body } else { pretty(&body) });
    complain(format_args!("refused: {} [{} {}]", invalid.details, invalid.code.code(), invalid.code.title()));
}
