//! One exchange: what the app sent, what came of it on the way, what the app received.

use serde_json::Value;

use super::client::Answer;
use super::story::{Before, Step};
use super::{Stage, expect, heading, indented, noted, received};
use crate::cli::output::line;
use crate::mock::{FaultRule, Recorded};
use crate::onprem::message::{Body, Request};
use crate::translate::{Notes, Resolved, media_refs, message_to_cloud, receipt_to_cloud};

/// Plays a step, prints it and checks it; gives what the app received.
pub async fn show(number: usize, step: &Step, stage: &Stage) -> Result<Answer, String> {
    let body = step.body.replace("{provider}", &stage.provider.url());
    let scene = Scene { step, body: body.replace("{callbacks}", &stage.sink.url()) };
    let Stage { mock, provider, client, .. } = stage;
    mock.clear();
    mock.clear_faults();
    match step.before {
        Before::Nothing => {}
        Before::Fault(fault) => {
            mock.fault(fault.parse::<FaultRule>().map_err(|error| format!("{fault}: {error}"))?);
        }
        Before::Change => provider.change(),
    }
    heading(number, step.title);
    let (verb, path) = step.request;
    line(format_args!("   app sent       {verb} {path}"));
    indented(&scene.body);
    let answer = client.send(verb, path, &scene.body).await?;
    let recorded = mock.recorded();
    files(step, &recorded, &provider.take_seen(), &answer)?;
    let message = recorded.iter().find(|seen| seen.path.ends_with("/messages"));
    match message {
        Some(seen) => {
            let (told, notes) = translate(&scene, seen.body.json())
                .ok_or_else(|| format!("expected that {} can be translated", step.title))?;
            line(format_args!("   proxy sent     {} {}", seen.method, seen.path));
            indented(&told);
            noted(&notes);
            line(format_args!("   Cloud answered HTTP {}", seen.status.unwrap_or_default()));
            indented(&seen.answer);
            let told: Option<Value> = serde_json::from_str(&told).ok();
            expect(told.as_ref() == Some(seen.body.json()), "the shown translation is what Cloud got")?;
        }
        None => line("   proxy sent     nothing"),
    }
    received(&answer);
    check(step, message.map(|seen| seen.body.json()), &answer)?;
    Ok(answer)
}

/// Checks JSON pointers into `value`; `*` is any value.
pub fn meets(what: &str, value: &Value, wanted: &[(&str, &str)]) -> Result<(), String> {
    for (pointer, wanted) in wanted {
        let found = value.pointer(pointer).map(|found| match found {
            Value::String(text) => text.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                found.to_string()
            }
        });
        let is_met = found.as_deref().is_some_and(|found| *wanted == "*" || found == *wanted);
        expect(is_met, &format!("{what}: {pointer} is {wanted}, not {found:?}"))?;
    }
    Ok(())
}

/// A step with its body filled in.
struct Scene<'a> {
    step: &'a Step,
    body: String,
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
    meets(step.title, cloud.unwrap_or(&Value::Null), step.cloud)?;
    meets(step.title, &answer.json, step.app)
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
            Some(Value::String(id)) => Resolved::Id(id.as_str().into()),
            _ => Resolved::AsWritten,
        })
        .collect();
    let cloud = message_to_cloud(&message, &body, &resolved, None, &mut notes).ok()?;
    let text = String::from_utf8(cloud.to_json(256)).ok()?;
    Some((text, notes))
}
