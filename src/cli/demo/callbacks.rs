//! The end of the story: what Cloud tells comes to the app in the on-prem form.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use super::exchange::{self, meets};
use super::scene::Scene;
use super::sink::{self, Delivery};
use super::story::TOLD;
use super::teller::Teller;
use super::{APP_SECRET, NUMBER, Stage, USER, VERIFY_TOKEN, expect};
use crate::cli::translate;
use crate::mock::{InboundMessage, SentWebhook, Subscription};
use crate::server::webhook;
use crate::translate::Notes;

/// Nothing here takes so long: it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// What Cloud tells of a message, in this order.
const WORDS: [&str; 3] = ["sent", "delivered", "read"];
/// What the user says.
const VOICE: &[u8] = b"OggS: two seconds of a user's voice";
/// How many scenes are played here.
pub const SCENES: usize = 4;
/// How often the app fails.
const REFUSALS: usize = 2;

/// What came of it.
pub struct Back {
    /// Messages that Cloud accepted.
    pub accepted: u64,
    /// Callbacks that the app took.
    pub taken: usize,
}

/// Plays what comes after scene `last`, tells it and checks it.
pub async fn play(last: usize, stage: &Stage, teller: &mut Teller) -> Result<Back, String> {
    let mut scene = Scene::new(last + 1, "Meta subscribes the proxy's webhook, which knows the verify token");
    let outcome = subscribe(&mut scene, stage).await;
    teller.told(scene, outcome)?;
    let mut scene = Scene::new(last + 2, TOLD.title);
    let outcome = statuses(&mut scene, stage).await;
    teller.told(scene, outcome)?;
    let accepted = stage.mock.accepted();
    let mut scene = Scene::new(last + 3, "A user sends a voice note, and the app downloads it");
    let outcome = voice_note(&mut scene, stage).await;
    teller.told(scene, outcome)?;
    let mut scene =
        Scene::new(last + 4, "The app fails twice: the callback comes again, and Cloud never hears of it");
    let outcome = refusals(&mut scene, stage).await;
    teller.told(scene, outcome)?;
    let all = WORDS.len() + 1 + REFUSALS + 1;
    let count = stage.sink.count();
    expect(count == all, &format!("{all} callbacks arrive, not {count}"))?;
    Ok(Back { accepted, taken: all - REFUSALS })
}

/// Until now nobody told Cloud where webhooks go.
async fn subscribe(scene: &mut Scene, stage: &Stage) -> Result<(), String> {
    let mut subscription = Subscription::new(&stage.webhook, APP_SECRET);
    subscription.verify_token = Some(VERIFY_TOKEN.to_owned());
    stage.mock.subscribe(subscription);
    let path = webhook::PATH;
    let query = format!("hub.mode=subscribe&hub.challenge=...&hub.verify_token={VERIFY_TOKEN}");
    scene.tell("Cloud asked", format!("GET {path}?{query}"));
    let outcome = within("the answer to the challenge", stage.mock.verify_webhook()).await?;
    outcome.map_err(|error| format!("expected that the challenge is passed: {error}"))?;
    scene.tell("proxy answered", "HTTP 200, with the challenge");
    scene.row("Meta subscribes the proxy's webhook", "challenge passed", "");
    Ok(())
}

async fn statuses(scene: &mut Scene, stage: &Stage) -> Result<(), String> {
    let mark = stage.sink.count();
    let answer = exchange::play(scene, &TOLD, stage).await?;
    let id = answer.json.pointer("/messages/0/id").and_then(Value::as_str).unwrap_or_default();
    let (webhooks, deliveries) = exchanged(stage, mark, WORDS.len()).await?;
    expect(webhooks.len() == WORDS.len(), "Cloud posts a webhook for each status")?;
    for ((word, webhook), delivery) in WORDS.into_iter().zip(&webhooks).zip(&deliveries) {
        posted(scene, webhook, "")?;
        is_translated(scene, webhook, delivery)?;
        brought(scene, delivery);
        scene.row("", format!("posts {word}"), answers([delivery]));
        expect(delivery.status == StatusCode::OK, "the app takes it at once")?;
        is_status(&delivery.json(), id, word)?;
    }
    Ok(())
}

async fn voice_note(scene: &mut Scene, stage: &Stage) -> Result<(), String> {
    let (mock, mark) = (&stage.mock, stage.sink.count());
    mock.clear();
    let file = mock.add_media(NUMBER, "audio/ogg; codecs=opus", VOICE);
    let id = mock.inbound(NUMBER, InboundMessage::voice(USER, &file));
    let (webhooks, deliveries) = exchanged(stage, mark, 1).await?;
    let ([webhook], [delivery]) = (webhooks.as_slice(), deliveries.as_slice()) else {
        return Err("expected that there is one webhook and one callback".to_owned());
    };
    posted(scene, webhook, "")?;
    is_translated(scene, webhook, delivery)?;
    brought(scene, delivery);
    scene.row("A user's voice note", "posts a voice note", answers([delivery]));
    is_voice_note(&delivery.json(), &id, &file)?;
    download(scene, stage, &file).await
}

/// By the id of the callback, and with the on-prem token.
async fn download(scene: &mut Scene, stage: &Stage, file: &str) -> Result<(), String> {
    let path = format!("/v1/media/{file}");
    scene.tell("app sent", format!("GET {path}"));
    let answer = stage.client.send("GET", &path, "").await?;
    for seen in stage.mock.recorded() {
        scene.tell("proxy sent", format!("{} {}", seen.method, seen.path));
        let status = seen.status.unwrap_or_default();
        if seen.answer.starts_with('{') {
            scene.tell("Cloud answered", format!("HTTP {status}")).body(&seen.answer);
        } else {
            scene.tell("Cloud answered", format!("HTTP {status}, with the file"));
        }
    }
    let (status, length) = (answer.status, answer.bytes.len());
    scene.tell("app received", format!("HTTP {status}, {length} bytes of {}", answer.media_type));
    scene.row("  downloaded by the app", "file, in two calls", status.to_string());
    expect(status == 200 && answer.media_type == "audio/ogg; codecs=opus", "the file is found")?;
    expect(answer.bytes == VOICE, "its bytes are those that the user sent")
}

async fn refusals(scene: &mut Scene, stage: &Stage) -> Result<(), String> {
    let (mock, mark) = (&stage.mock, stage.sink.count());
    mock.clear();
    stage.sink.refuse(REFUSALS);
    stage.sink.open(false);
    let id = mock.inbound(NUMBER, InboundMessage::text(USER, "Where is my order?"));
    // As long as the door is shut the app has not taken it, so Cloud's 200 owes nothing to the app's.
    let acknowledged = within("Cloud's acknowledgement before the app's", mock.webhooks_idle()).await;
    stage.sink.open(true);
    acknowledged?;
    let (webhooks, deliveries) = exchanged(stage, mark, REFUSALS + 1).await?;
    let ([webhook], [first, again @ ..]) = (webhooks.as_slice(), deliveries.as_slice()) else {
        return Err("expected that there is one webhook and a callback".to_owned());
    };
    posted(scene, webhook, ", while the app had not taken anything")?;
    is_translated(scene, webhook, first)?;
    brought(scene, first);
    for delivery in again {
        scene.tell("app received", format!("POST {}, the same again", sink::PATH));
        answered(scene, delivery);
    }
    scene.row("A user's text, while the app fails twice", "posts text, once", answers(&deliveries));
    meets("the callback", &first.json(), &[("/messages/0/id", &id), ("/messages/0/type", "text")])?;
    is_repeated(&deliveries)
}

/// What the app answered to callbacks.
fn answers<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> String {
    let statuses: Vec<_> =
        deliveries.into_iter().map(|delivery| delivery.status.as_u16().to_string()).collect();
    statuses.join(" ")
}

/// What Cloud posted and the app received, when the app has received `more` callbacks beyond the first `mark`.
async fn exchanged(
    stage: &Stage,
    mark: usize,
    more: usize,
) -> Result<(Vec<SentWebhook>, Vec<Delivery>), String> {
    let deliveries = within("the callbacks", stage.sink.since(mark, more)).await?;
    within("the acknowledgement of webhooks", stage.mock.webhooks_idle()).await?;
    expect(deliveries.len() == more, &format!("{more} callbacks arrive, not {}", deliveries.len()))?;
    Ok((stage.mock.webhooks(), deliveries))
}

fn posted(scene: &mut Scene, webhook: &SentWebhook, remark: &str) -> Result<(), String> {
    let body = String::from_utf8_lossy(&webhook.body);
    scene.tell("Cloud posted", format!("POST {}, signed", webhook::PATH)).body(body);
    let statuses: Vec<_> = webhook.tries.iter().map(|tried| tried.status.unwrap_or_default()).collect();
    let list: Vec<_> = statuses.iter().map(u16::to_string).collect();
    scene.tell("proxy answered", format!("HTTP {}{remark}", list.join(", ")));
    expect(statuses == [200], "Cloud has to post a webhook once")
}

/// The same pure translation that the proxy ran, with its reasons.
fn is_translated(scene: &mut Scene, webhook: &SentWebhook, delivery: &Delivery) -> Result<(), String> {
    let mut notes = Notes::full();
    let callbacks = translate::webhook(&webhook.body, &mut notes).map_err(|invalid| invalid.details)?;
    scene.notes(&notes);
    let is_same = matches!(callbacks.as_slice(), [only] if only.as_bytes() == delivery.body);
    expect(is_same, "the translation of the webhook is what the app got")
}

fn brought(scene: &mut Scene, delivery: &Delivery) {
    let body = String::from_utf8_lossy(&delivery.body);
    scene.tell("app received", format!("POST {}", sink::PATH)).body(body);
    answered(scene, delivery);
}

fn answered(scene: &mut Scene, delivery: &Delivery) {
    scene.tell("app answered", format!("HTTP {}", delivery.status.as_u16()));
}

fn is_status(callback: &Value, id: &str, word: &str) -> Result<(), String> {
    let wanted = [
        ("/statuses/0/id", id),
        ("/statuses/0/status", word),
        ("/statuses/0/recipient_id", USER),
        ("/statuses/0/timestamp", "*"),
        ("/statuses/0/type", "message"),
        ("/statuses/0/message/recipient_id", USER),
    ];
    meets(word, callback, &wanted)?;
    lacks(word, callback, &["/object", "/entry", "/contacts", "/statuses/1", "/statuses/0/pricing/type"])
}

fn is_voice_note(callback: &Value, id: &str, file: &str) -> Result<(), String> {
    let wanted = [
        ("/messages/0/id", id),
        ("/messages/0/from", USER),
        ("/messages/0/timestamp", "*"),
        ("/messages/0/type", "voice"),
        ("/messages/0/voice/id", file),
        ("/messages/0/voice/mime_type", "audio/ogg; codecs=opus"),
        ("/contacts/0/wa_id", USER),
    ];
    meets("the voice note", callback, &wanted)?;
    let without = ["/object", "/entry", "/messages/1", "/messages/0/audio", "/messages/0/voice/url"];
    lacks("the voice note", callback, &without)
}

/// Refused as often as was asked for, then taken, and the same each time.
fn is_repeated(deliveries: &[Delivery]) -> Result<(), String> {
    let refused = deliveries.iter().take_while(|delivery| delivery.status != StatusCode::OK).count();
    let is_taken = refused == REFUSALS && deliveries.len() == REFUSALS + 1;
    expect(is_taken, &format!("the app takes a callback after {REFUSALS} refusals, not {refused}"))?;
    let is_same = deliveries.windows(2).all(|pair| matches!(pair, [one, next] if one.body == next.body));
    expect(is_same, "a callback that comes again is the same")
}

fn lacks(what: &str, value: &Value, pointers: &[&str]) -> Result<(), String> {
    for pointer in pointers {
        expect(value.pointer(pointer).is_none(), &format!("{what}: there is no {pointer}"))?;
    }
    Ok(())
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> Result<T, String> {
    let late = |_| format!("expected {what} within {} s", PATIENCE.as_secs());
    timeout(PATIENCE, work).await.map_err(late)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_promised_meets_the_expectations() {
        let status = json!({"statuses": [{"id": "a", "status": "read", "timestamp": "5", "type": "message",
            "recipient_id": USER, "message": {"recipient_id": USER}}]});
        assert_eq!(is_status(&status, "a", "read"), Ok(()));
        assert!(is_status(&status, "b", "read").is_err() && is_status(&status, "a", "sent").is_err());
        let mut wrapped = status;
        wrapped["entry"] = json!([]);
        assert!(is_status(&wrapped, "a", "read").is_err());

        let note = json!({"contacts": [{"wa_id": USER}], "messages": [{"id": "a", "from": USER, "timestamp": "5",
            "type": "voice", "voice": {"id": "7", "mime_type": "audio/ogg; codecs=opus"}}]});
        assert_eq!(is_voice_note(&note, "a", "7"), Ok(()));
        assert!(is_voice_note(&note, "b", "7").is_err() && is_voice_note(&note, "a", "8").is_err());
        let mut linked = note;
        linked["messages"][0]["voice"]["url"] = json!("https://lookaside.fbsbx.com/");
        assert!(is_voice_note(&linked, "a", "7").is_err());
    }

    #[test]
    fn a_repetition_is_the_same_and_comes_as_often_as_it_is_refused() {
        let got = |status: u16, body: &'static str| Delivery {
            body: Bytes::from_static(body.as_bytes()),
            status: StatusCode::from_u16(status).unwrap(),
        };
        assert_eq!(is_repeated(&[got(500, "a"), got(500, "a"), got(200, "a")]), Ok(()));
        for wrong in [
            &[got(500, "a"), got(500, "a"), got(200, "b")][..],
            &[got(500, "a"), got(200, "a"), got(200, "a")],
            &[got(500, "a"), got(500, "a"), got(500, "a")],
            &[got(500, "a"), got(500, "a"), got(200, "a"), got(200, "a")],
            &[],
        ] {
            assert!(is_repeated(wrong).is_err());
        }
    }
}
