//! `prembridge translate`: the pure translation, offline.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output::{complain, line, one_line, pretty};
use super::{FINDINGS, failed, values};
use crate::clock::Clock;
use crate::cloud::webhook::Webhook;
use crate::config::{MAX_BODY, in_words};
use crate::onprem::Invalid;
use crate::onprem::error::{DEFAULT_VERSION, ErrorBody};
use crate::onprem::message::{Body, Request, Source};
use crate::server::webhook::LARGEST;
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::translate::webhook::NothingKnown;
use crate::translate::{
    Answered, MessageError, Notes, Options, Resolved, WebhookOptions, error_to_onprem, media_refs,
    message_to_cloud, receipt_message_to_cloud, webhook_to_onprem,
};

/// Arguments of `translate`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Without a flag, a webhook, an answer or an error of Cloud is recognized by its members.

Examples:
  prembridge translate message.json             what Cloud gets for a message of the on-prem API
  prembridge translate --webhook webhook.json   the callbacks that your program gets for a webhook
  prembridge translate --error --http 400 error.json
  curl … | prembridge translate --json | jq .notes

Exit codes: 0 translated, 1 refused as the proxy would refuse it.")]
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
    #[arg(long, value_name = "STATUS", default_value = "400", requires = "error", value_parser = values::http_status)]
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
    let read = read(&args.file).and_then(|bytes| {
        let kind = match args.kind() {
            Some(kind) => kind,
            None => recognize(Body::content(&bytes))
                .map_err(|what| format!("{what}; there is nothing to translate"))?,
        };
        if kind == Kind::Webhook {
            return Ok((kind, bytes));
        }
        Ok((kind, within(bytes, MAX_BODY, "the default of limits.max_body")?))
    });
    let (kind, bytes) = match read {
        Ok(read) => read,
        Err(reason) => return failed(format_args!("{}: {reason}", args.file.display())),
    };
    let bytes = Body::content(&bytes);
    let mut notes = Notes::full();
    let outcome = match kind {
        Kind::Reply => reply(bytes, &mut notes).map(Output::One),
        Kind::Error => Ok(Output::One(error(bytes, args.http, &mut notes))),
        Kind::Webhook => webhook(bytes, &mut notes).map(Output::Callbacks),
        Kind::Message => message(bytes, &mut notes).map(Output::One),
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

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Reply,
    Error,
    Webhook,
}

impl Args {
    /// As the flags say.
    fn kind(&self) -> Option<Kind> {
        let flags = [(self.reply, Kind::Reply), (self.error, Kind::Error), (self.webhook, Kind::Webhook)];
        flags.into_iter().find_map(|(is_set, kind)| is_set.then_some(kind))
    }
}

/// Tells what was pasted by its members; what is of the on-prem API already is an error. What cannot be read is a
/// message, and refused as such.
fn recognize(bytes: &[u8]) -> Result<Kind, &'static str> {
    let Ok(Value::Object(members)) = serde_json::from_slice(bytes) else { return Ok(Kind::Message) };
    let has = |name: &str| members.contains_key(name);
    let (kind, flag) = if has("entry") {
        (Kind::Webhook, "webhook")
    } else if members.get("error").is_some_and(Value::is_object) {
        (Kind::Error, "error")
    } else if has("to") || has("recipient") {
        return Ok(Kind::Message);
    } else if has("messages") && has("messaging_product") {
        (Kind::Reply, "reply")
    } else if has("errors") && has("meta") {
        return Err("this is an error of the on-prem API already");
    } else if has("messages") && has("meta") {
        return Err("this is an answer of the on-prem API already");
    } else if has("statuses") || has("messages") && has("contacts") {
        return Err("this is a callback of the on-prem API already");
    } else {
        return Ok(Kind::Message);
    };
    complain(format_args!("recognized: --{flag}"));
    Ok(kind)
}

/// What a payload becomes, as JSON.
enum Output {
    /// A request or an answer.
    One(String),
    /// Any number of callbacks.
    Callbacks(Vec<String>),
}

/// Reads no more than the proxy would: standard input may have no end.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let source: io::Result<Box<dyn Read>> = if file == Path::new("-") {
        if io::stdin().is_terminal() {
            complain("Paste JSON, then press Ctrl-D.");
        }
        Ok(Box::new(io::stdin().lock()))
    } else {
        File::open(file).map(|file| -> Box<dyn Read> { Box::new(file) })
    };
    let read = source.and_then(|source| source.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| in_words(&error))?;
    within(bytes, LARGEST, "the largest webhook")
}

fn within(bytes: Vec<u8>, most: usize, why: &str) -> Result<Vec<u8>, String> {
    if bytes.len() > most {
        return Err(format!("it has more than {most} bytes, {why}; send less"));
    }
    Ok(bytes)
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
