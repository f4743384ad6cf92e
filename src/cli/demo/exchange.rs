//! One exchange: what the app sent, what came of it on the way, what the app received.

use serde_json::Value;

use super::client::Answer;
use super::scene::Scene;
use super::story::{Before, Step};
use super::{Stage, expect};
use crate::mock::{FaultRule, Recorded};
use crate::onprem::message::{Body, Request};
use crate::translate::{Notes, Resolved, media_refs, message_to_cloud, receipt_to_cloud};

/// Plays a step, tells it and checks it; gives what the app received.
pub async fn play(scene: &mut Scene, step: &Step, stage: &Stage) -> Result<Answer, String> {
    let body = step.body.replace("{provider}", &stage.provider.url());
    let body = body.replace("{callbacks}", &stage.sink.url());
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
    let (verb, path) = step.request;
    scene.tell("app sent", format!("{verb} {path}")).body(&body);
    let answer = client.send(verb, path, &body).await?;
    let (recorded, asked) = (mock.recorded(), provider.take_seen());
    let files = files(scene, step, &recorded, &asked, &answer);
    let message = recorded.iter().find(|seen| seen.path.ends_with("/messages"));
    match message {
        Some(seen) => {
            let (told, notes) = translate(step, &body, seen.body.json())
                .ok_or_else(|| format!("expected that {} can be translated", step.title))?;
            scene.tell("proxy sent", format!("{} {}", seen.method, seen.path)).body(&told).notes(&notes);
            scene
                .tell("Cloud answered", format!("HTTP {}", seen.status.unwrap_or_default()))
                .body(&seen.answer);
            let told: Option<Value> = serde_json::from_str(&told).ok();
            expect(told.as_ref() == Some(seen.body.json()), "the shown translation is what Cloud got")?;
        }
        None => {
            scene.tell("proxy sent", "nothing");
        }
    }
    scene.tell("app received", format!("HTTP {}", answer.status)).body(&answer.text);
    scene.row(step.short, cloud_column(message, &asked, &answer), app_column(&answer));
    files?;
    check(step, message.map(|seen| seen.body.json()), &answer)?;
    Ok(answer)
}

/// What Cloud got, and how its file came there.
fn cloud_column(message: Option<&Recorded>, asked: &[String], answer: &Answer) -> String {
    let Some(seen) = message else { return "nothing".to_owned() };
    let body = seen.body.json();
    let kind = body.get("type").or_else(|| body.get("status")).and_then(Value::as_str).unwrap_or_default();
    let refusal = serde_json::from_str::<Value>(&seen.answer).unwrap_or_default();
    if let Some(code) = refusal.pointer("/error/code") {
        return format!("{kind}, refused: {code}");
    }
    match (answer.media.as_str(), asked.is_empty()) {
        ("", _) => kind.to_owned(),
        (_, true) => format!("{kind}, remembered"),
        (media, false) if media.starts_with("revalidated") => format!("{kind}, not modified"),
        (_, false) => format!("{kind}, fetched"),
    }
}

/// The status, and an error's code.
fn app_column(answer: &Answer) -> String {
    match answer.json.pointer("/errors/0/code") {
        Some(code) => format!("{}: {code}", answer.status),
        None => answer.status.to_string(),
    }
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

/// Who was asked for files, what was uploaded, and the proxy's reason.
fn files(
    scene: &mut Scene,
    step: &Step,
    recorded: &[Recorded],
    asked: &[String],
    answer: &Answer,
) -> Result<(), String> {
    for asked in asked {
        scene.tell("proxy fetched", asked);
    }
    let uploads: Vec<_> = recorded.iter().filter(|seen| seen.path.ends_with("/media")).collect();
    for upload in &uploads {
        scene.tell("proxy uploaded", format!("{} {}", upload.method, upload.path)).body(&upload.answer);
    }
    if !answer.media.is_empty() {
        scene.remark("file", &answer.media);
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
fn translate(step: &Step, body: &str, sent: &Value) -> Option<(String, Notes)> {
    let mut notes = Notes::full();
    if let ("PUT", path) = step.request {
        let id = path.rsplit_once('/')?.1;
        let receipt = String::from_utf8(receipt_to_cloud(id, &mut notes).to_json()).ok()?;
        return Some((receipt, notes));
    }
    let body = Body::read(body.as_bytes()).ok()?;
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
