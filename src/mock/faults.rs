//! Fault rules: which requests go wrong, how often, and how.
//!
//! # One line
//!
//! ```text
//! rule   = act { "@" target } [ ":" times ]
//! target = "+15551234567"      only messages to this number (digits are compared)
//!        | "image" | "read" …  only messages of this type; "read" is a read receipt
//!        | "media-upload" | "media-get" | "media-download" | "media-delete" | "messages"
//!                              only requests of this sort
//!        | "any"               every Graph request, not only messages
//! times  = "always" (the default) | "next N" | "once" | "every N" ("every 3rd" is also understood)
//! act    = CODE [ "/" STATUS ] [ " bare" ]     a Graph error; "bare" leaves out error_data
//!        | "invalid-media-id"                  what Graph says of a message with an id it does not know (any more)
//!        | "http " STATUS [ " html" | " empty" | " garbage" | " no-messages" ] [ " retry-after " SECONDS ]
//!        | "held" | "paused"                   accepted with that message_status
//!        | "delay " TIME | "drip " TIME        before the answer; between its bytes.  TIME = "200ms" | "2s"
//!        | "stall"                             never answers
//!        | "close-before-read" | "reset-before-read"     ends after the request's head
//!        | "reset-after-read"                  reads the request, then resets
//!        | "truncate"                          half an answer, then closes
//!        | "close-after-response"              a whole answer, then closes without having announced it
//! ```
//!
//! `131047:next 2`, `131026@+15551234567`, `130429/429:every 3rd`, `http 502@template:once`, `190@any`,
//! `http 500@media-upload:next 2`, `invalid-media-id@image:once`.
//!
//! # JSON
//!
//! ```json
//! {"when": {"op": "messages", "to": "+15551234567", "kind": "template", "any": false}, "times": {"next": 2},
//!  "act": {"error": {"code": 131047, "details": "…", "error_data": true, "message": "…", "http": 429}}}
//! ```
//!
//! `times` is `"always"`, `{"next": n}` or `{"every": n}`. The other acts are `{"http": {"status": 502,
//! "content_type": "text/html", "body": "…", "headers": {"retry-after": "2"}}}`, `"held"`, `"paused"`,
//! `{"delay": milliseconds}`, `{"drip": milliseconds}`, `"stall"`, `"close_before_read"`,
//! `"reset_before_read"`, `"reset_after_read"`, `"truncate"` and `"close_after_response"`.
//!
//! # What counts as accepted
//!
//! A Graph error and an HTTP answer outside 2xx mean that Cloud did not take the message. Every other act
//! leaves it accepted, if it was acceptable: an answer that got lost is the case in which a second attempt
//! would send the message twice. `close-before-read` and `reset-before-read` never see the message. Uploads
//! and deletions go by the same rule.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::errors::GraphError;
use super::recipient::digits;

/// One rule. Rules are asked in the order they were added; the first that fires decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which requests.
    #[serde(default)]
    pub when: Matcher,
    /// How often.
    #[serde(default)]
    pub times: Times,
    /// What happens.
    pub act: Act,
}

/// Which requests a rule is about; the default is every message, but no read receipt and no other call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matcher {
    /// Only requests of this sort; none: messages.
    pub op: Option<Op>,
    /// Only messages to this number, in any spelling, or to this business-scoped user id.
    pub to: Option<String>,
    /// Only messages of this type; `read` is a read receipt.
    pub kind: Option<String>,
    /// Every Graph request.
    pub any: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A message or a read receipt is sent.
    Messages,
    /// A file is uploaded.
    MediaUpload,
    /// A file's address is asked for.
    MediaGet,
    /// A file is downloaded.
    MediaDownload,
    /// A file is deleted.
    MediaDelete,
}

/// How often a rule fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// For every matching request.
    #[default]
    Always,
    /// For the next n matching requests.
    Next(u64),
    /// For each nth matching request.
    Every(u64),
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A Graph error.
    Error(ErrorAct),
    /// Any HTTP answer.
    Http(HttpAct),
    /// Accepted with `message_status` `held_for_quality_assessment`.
    Held,
    /// Accepted with `message_status` `paused`.
    Paused,
    /// Waits before answering.
    Delay(#[serde(with = "millis")] Duration),
    /// Waits before each byte of the answer. Exact: the bytes are written one by one, then closed.
    Drip(#[serde(with = "millis")] Duration),
    /// Never answers; the connection stays open until the client or the mock goes.
    Stall,
    /// Closes after the head. The kernel turns this into a reset when body bytes had already arrived.
    CloseBeforeRead,
    /// Resets after the head (`SO_LINGER` 0). Exact.
    ResetBeforeRead,
    /// Reads the request whole, then resets (`SO_LINGER` 0). Exact.
    ResetAfterRead,
    /// Promises the whole answer, sends half of its body and closes. Exact.
    Truncate,
    /// Sends the whole answer without `Connection: close` and closes. Exact.
    CloseAfterResponse,
}

/// A Graph error; what is not given comes from the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAct {
    /// The Cloud code.
    pub code: u32,
    /// `error_data.details`.
    #[serde(default)]
    pub details: Option<String>,
    /// Whether there is an `error_data`.
    #[serde(default = "yes")]
    pub error_data: bool,
    /// `error.message`.
    #[serde(default)]
    pub message: Option<String>,
    /// The HTTP status.
    #[serde(default)]
    pub http: Option<u16>,
}

/// An HTTP answer to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAct {
    /// The status.
    pub status: u16,
    /// `Content-Type`; none when empty.
    #[serde(default)]
    pub content_type: String,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl FaultRule {
    /// A rule that lets every message fail with `code`.
    pub fn error(code: u32) -> Self {
        Self::new(Act::Error(ErrorAct::of(code)))
    }

    /// A rule for every message.
    pub fn new(act: Act) -> Self {
        Self { when: Matcher::default(), times: Times::Always, act }
    }

    /// The same rule, for some requests only.
    pub fn when(self, when: Matcher) -> Self {
        Self { when, ..self }
    }

    /// The same rule, but so often.
    pub fn times(self, times: Times) -> Self {
        Self { times, ..self }
    }
}

impl ErrorAct {
    /// The error as the table has it.
    pub fn of(code: u32) -> Self {
        Self { code, details: None, error_data: true, message: None, http: None }
    }

    /// What Graph says of a message with an id it does not know, has forgotten, or gave to another number.
    pub fn invalid_media_id() -> Self {
        let GraphError { message, .. } = GraphError::no_attachment(format_args!("image['id']"));
        Self { error_data: false, message: Some(message), ..Self::of(100) }
    }
}

/// What a request is, as far as a rule can ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) op: Option<Op>,
    pub(super) kind: Option<&'a str>,
    pub(super) to: Option<&'a str>,
}

impl Matcher {
    fn matches(&self, subject: Subject<'_>) -> bool {
        let kind = match &self.kind {
            Some(wanted) => subject.kind == Some(wanted.as_str()),
            // Read receipts are answered by the same endpoint but are not messages.
            None => subject.kind != Some("read"),
        };
        // Only messages have a recipient and a type.
        let is_message = subject.op == Some(Op::Messages);
        let fits = match self.op {
            None | Some(Op::Messages) => is_message && kind,
            Some(op) => subject.op == Some(op),
        };
        self.any || (fits && self.to.as_ref().is_none_or(|to| same(to, subject.to)))
    }
}

/// Compares two spellings of a number by their digits, business-scoped ids as they are.
fn same(wanted: &str, got: Option<&str>) -> bool {
    let is_number = !wanted.contains(|c: char| c.is_alphabetic());
    got.is_some_and(|got| wanted == got || (is_number && digits(wanted).eq(digits(got))))
}

/// The rules in force and how often each was asked.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<(FaultRule, u64)>,
}

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) {
        self.rules.push((rule, 0));
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Each rule with the number of requests it matched.
    pub(super) fn list(&self) -> impl Iterator<Item = (&FaultRule, u64)> {
        self.rules.iter().map(|(rule, matched)| (rule, *matched))
    }

    /// What happens before the body is read; only rules without `to` and `kind` can know.
    pub(super) fn at_head(&mut self, subject: Subject<'_>) -> Option<Act> {
        self.fire(subject, |rule| rule.act.is_at_head() && rule.when.to.is_none() && rule.when.kind.is_none())
    }

    /// What happens once the request is read.
    pub(super) fn after_read(&mut self, subject: Subject<'_>) -> Option<Act> {
        self.fire(subject, |rule| !rule.act.is_at_head())
    }

    fn fire(&mut self, subject: Subject<'_>, eligible: impl Fn(&FaultRule) -> bool) -> Option<Act> {
        for (rule, matched) in &mut self.rules {
            if !eligible(rule) || !rule.when.matches(subject) {
                continue;
            }
            *matched += 1;
            let fires = match rule.times {
                Times::Always => true,
                Times::Next(n) => *matched <= n,
                Times::Every(n) => n > 0 && matched.is_multiple_of(n),
            };
            if fires {
                return Some(rule.act.clone());
            }
        }
        None
    }
}

impl Act {
    fn is_at_head(&self) -> bool {
        matches!(self, Act::CloseBeforeRead | Act::ResetBeforeRead)
    }
}

impl FromStr for FaultRule {
    type Err = String;

    /// Reads the one-line form of the module's documentation.
    fn from_str(line: &str) -> Result<Self, String> {
        let (head, times) = match line.split_once(':') {
            Some((head, times)) => (head, parse_times(times.trim())?),
            None => (line, Times::Always),
        };
        let mut parts = head.split('@').map(str::trim);
        let act = parse_act(parts.next().unwrap_or_default())?;
        let mut when = Matcher::default();
        for target in parts {
            match target {
                "" => return Err(format!("\"{line}\": nothing after the @")),
                "any" => when.any = true,
                "messages" => when.op = Some(Op::Messages),
                "media-upload" => when.op = Some(Op::MediaUpload),
                "media-get" => when.op = Some(Op::MediaGet),
                "media-download" => when.op = Some(Op::MediaDownload),
                "media-delete" => when.op = Some(Op::MediaDelete),
                number if number.starts_with(|c: char| c == '+' || c.is_ascii_digit()) => {
                    when.to = Some(number.to_owned());
                }
                kind => when.kind = Some(kind.to_owned()),
            }
        }
        let is_about_media = when.op.is_some_and(|op| op != Op::Messages);
        if is_about_media && (when.to.is_some() || when.kind.is_some()) {
            return Err(format!("\"{line}\": only messages have a recipient and a type"));
        }
        if act.is_at_head() && (when.to.is_some() || when.kind.is_some()) {
            return Err(format!(
                "\"{line}\": recipient and type stand in the body, which this act does not read"
            ));
        }
        Ok(Self { when, times, act })
    }
}

fn parse_times(text: &str) -> Result<Times, String> {
    let wrong = || format!("\"{text}\" is not always, once, next N or every N");
    match text.split_once(' ') {
        None if text == "always" => Ok(Times::Always),
        None if text == "once" => Ok(Times::Next(1)),
        Some(("next", n)) => n.trim().parse().map(Times::Next).map_err(|_| wrong()),
        Some(("every", n)) => {
            let n = n.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
            n.parse().ok().filter(|n| *n > 0).map(Times::Every).ok_or_else(wrong)
        }
        Some(_) | None => Err(wrong()),
    }
}

fn parse_act(text: &str) -> Result<Act, String> {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let act = match first {
        "http" => Act::Http(parse_http(&mut words)?),
        "invalid-media-id" => Act::Error(ErrorAct::invalid_media_id()),
        "held" => Act::Held,
        "paused" => Act::Paused,
        "delay" => Act::Delay(parse_time(words.next())?),
        "drip" => Act::Drip(parse_time(words.next())?),
        "stall" => Act::Stall,
        "close-before-read" => Act::CloseBeforeRead,
        "reset-before-read" => Act::ResetBeforeRead,
        "reset-after-read" => Act::ResetAfterRead,
        "truncate" => Act::Truncate,
        "close-after-response" => Act::CloseAfterResponse,
        code => Act::Error(parse_error(code, &mut words)?),
    };
    match words.next() {
        Some(word) => Err(format!("\"{word}\" does not belong after \"{first}\"")),
        None => Ok(act),
    }
}

fn parse_error<'a>(text: &str, words: &mut impl Iterator<Item = &'a str>) -> Result<ErrorAct, String> {
    let (code, http) = match text.split_once('/') {
        Some((code, http)) => (code, Some(parse_status(Some(http))?)),
        None => (text, None),
    };
    let code = code.parse().map_err(|_| format!("\"{text}\" is neither an error code nor an act"))?;
    let error_data = match words.next() {
        None => true,
        Some("bare") => false,
        Some(word) => return Err(format!("\"{word}\" is not \"bare\"")),
    };
    Ok(ErrorAct { http, error_data, ..ErrorAct::of(code) })
}

fn parse_http<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<HttpAct, String> {
    let status = parse_status(words.next())?;
    let mut act =
        HttpAct { status, content_type: String::new(), body: String::new(), headers: BTreeMap::new() };
    let mut body = None;
    while let Some(word) = words.next() {
        match word {
            "retry-after" => {
                let seconds: u32 =
                    words.next().unwrap_or_default().parse().map_err(|_| "retry-after what?")?;
                act.headers.insert("retry-after".to_owned(), seconds.to_string());
            }
            named => body = Some(named),
        }
    }
    let (content_type, text) = match body.unwrap_or("html") {
        "html" => (
            "text/html; charset=utf-8",
            "<html><body><h1>Error</h1>Sorry, something went wrong.</body></html>",
        ),
        "empty" => ("", ""),
        "garbage" => ("application/json", "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"inp"),
        "no-messages" => ("application/json", "{\"messaging_product\":\"whatsapp\",\"contacts\":[]}"),
        other => return Err(format!("\"{other}\" is not html, empty, garbage or no-messages")),
    };
    (act.content_type, act.body) = (content_type.to_owned(), text.to_owned());
    Ok(act)
}

fn parse_status(text: Option<&str>) -> Result<u16, String> {
    let text = text.unwrap_or_default();
    let status = text.parse().ok().filter(|status| (200..=599).contains(status));
    status.ok_or_else(|| format!("\"{text}\" is not an HTTP status"))
}

fn parse_time(text: Option<&str>) -> Result<Duration, String> {
    let text = text.unwrap_or_default();
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) => ("", 1),
    };
    let number: u64 = number.parse().map_err(|_| format!("\"{text}\" is not a time like 200ms or 2s"))?;
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}

fn yes() -> bool {
    true
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
