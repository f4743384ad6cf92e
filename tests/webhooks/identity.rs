//! A client knows each user by one id, in whatever order messages and webhooks come.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use prembridge::app::{Addresses, App};
use prembridge::clock::Clock;
use prembridge::cloud::webhook::Webhook;
use prembridge::config::{Config, Env};
use prembridge::mock::{self, MockCloud};
use prembridge::store::{AliasRow, AliasStore as _};
use prembridge::translate::{Sent, WaId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::parts::{Inlet, Parts, parts_with};
use super::scene::{EGRESS, Scene, support, webhook};
use crate::stub::{Act, Sink, Stub};
use crate::support::faulty::Faulty;
use crate::support::{PHONE_NUMBER_ID, Proxy, config, text};

/// As the client writes it, and as Cloud does.
const WRITTEN: &str = "5511955501234";
const CLOUD: &str = "551155501234";

async fn over(store: Arc<Faulty>, setting: WaId) -> Parts {
    parts_with(store, 1000, Clock::fixed(1_700_000_000), setting).await
}

/// What the client is told after a message.
async fn send(callbacks: &Inlet, written: &str, cloud: &str) -> String {
    let aliases = &callbacks.aliases;
    aliases.answered(Sent { input: written, digits: Some(written) }, Some(cloud)).await.into_owned()
}

/// What the client is told of somebody about whom it asks.
async fn ask(callbacks: &Inlet, id: &str) -> String {
    let aliases = &callbacks.aliases;
    aliases.known_as([id].into_iter()).await.remove(id).unwrap_or_else(|| id.to_owned())
}

/// Every id of the user in a callback.
fn ids(callback: &Value) -> Vec<String> {
    let places = [
        "/messages/0/from",
        "/messages/0/context/from",
        "/messages/0/contacts/0/phones/0/wa_id",
        "/messages/0/system/customer",
        "/contacts/0/wa_id",
        "/contacts/0/profile/name",
        "/statuses/0/recipient_id",
        "/statuses/0/message/recipient_id",
    ];
    places.iter().filter_map(|place| callback.pointer(place)?.as_str()).map(str::to_owned).collect()
}

/// One event about a user whom Cloud calls `id`.
fn event(kind: usize, id: &str, wamid: &str) -> Value {
    let message = |more: Value| {
        let mut message = json!({"from": id, "id": wamid, "timestamp": "1"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"messages": [message]})
    };
    let value = match kind {
        0 => json!({"statuses": [{"id": wamid, "status": "read", "timestamp": "1", "recipient_id": id}]}),
        1 => message(json!({"type": "text", "text": {"body": "hi"}, "context": {"from": id, "id": "x"}})),
        2 => message(json!({"type": "contacts", "contacts": [{"phones": [{"wa_id": id}]}]})),
        3 => message(
            json!({"type": "system", "system": {"type": "user_changed_number", "customer": id, "wa_id": "1"}}),
        ),
        _ => message(json!({"type": "revoke", "revoke": {"original_message_id": wamid}})),
    };
    webhook(PHONE_NUMBER_ID, value)
}

/// The ids in the callback of one event.
async fn tell(parts: &mut Parts, event: &Value) -> Vec<String> {
    let body = event.to_string();
    parts.callbacks.take(&Webhook::read(body.as_bytes()).unwrap()).await.unwrap();
    let callback = serde_json::from_slice(&parts.taken.recv().await.unwrap()).unwrap();
    let ids = ids(&callback);
    assert!(!ids.is_empty(), "{callback}");
    ids
}

/// The three spellings of each user; the last one is Cloud's own.
fn spelling(user: usize, which: usize) -> String {
    match which {
        0 => format!("55119876{user}4321"),
        1 => format!("55011119876{user}432"),
        _ => format!("5511876{user}4321"),
    }
}

/// What the client knows of one user.
#[derive(Default, Clone)]
struct User {
    first: Option<String>,
    written: [bool; 3],
    is_named: bool,
}

async fn in_any_order(setting: WaId, steps: Vec<(usize, usize, usize)>) {
    let mut parts = over(Faulty::new(), setting).await;
    let mut users = vec![User::default(); 3];
    for (at, (user, what, which)) in steps.into_iter().enumerate() {
        let (cloud, written) = (spelling(user, 2), spelling(user, which));
        let state = &mut users[user];
        let seen = match what {
            0..=2 => {
                state.first.get_or_insert_with(|| written.clone());
                state.written[which] = true;
                state.is_named = true;
                vec![send(&parts.callbacks, &written, &cloud).await]
            }
            3..=7 => {
                state.is_named = true;
                tell(&mut parts, &event(what - 3, &cloud, &format!("wamid.{at}"))).await
            }
            8 if state.written[which] || which == 2 => vec![ask(&parts.callbacks, &written).await],
            // Nobody has said who that is.
            8 => continue,
            _ => {
                parts.callbacks.stop().await;
                parts = over(Arc::clone(&parts.store), setting).await;
                continue;
            }
        };
        let expected = match setting {
            WaId::AsCloud => state.is_named.then_some(cloud),
            WaId::AsSent => state.first.clone(),
        };
        if let Some(expected) = expected {
            assert!(seen.iter().all(|id| *id == expected), "{setting:?} {at}: {seen:?}, not {expected}");
        }
    }
    parts.callbacks.stop().await;
}

proptest! {
    #![proptest_config(crate::support::seeded::config(48))]

    /// From the moment at which Cloud has named a user (`as-cloud`), or the client has written to them (`as-sent`).
    #[test]
    fn a_user_has_one_id(steps in prop::collection::vec((0..3_usize, 0..10_usize, 0..3_usize), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for setting in [WaId::AsCloud, WaId::AsSent] {
            runtime.block_on(in_any_order(setting, steps.clone()));
        }
    }
}

#[tokio::test]
async fn a_purge_takes_ids_out_of_the_store_400_days_after_their_last_use() {
    let clock = Clock::fixed(1_700_000_000);
    let Parts { store, callbacks, .. } = parts_with(Faulty::new(), 10, clock.clone(), WaId::AsSent).await;
    send(&callbacks, WRITTEN, CLOUD).await;
    callbacks.stop().await;
    for (days, rows) in [(400, 1), (1, 0)] {
        clock.advance(days * 86_400);
        callbacks.purge().await.unwrap();
        assert_eq!(store.aliases(PHONE_NUMBER_ID, WaId::AsSent, 9).await.unwrap().len(), rows, "{days}");
    }
}

/// A webhook may be quicker than the answer that it belongs to.
#[tokio::test]
async fn a_webhook_before_the_answer_has_the_same_id() {
    for setting in [WaId::AsSent, WaId::AsCloud] {
        let Parts { callbacks, mut taken, .. } = over(Faulty::new(), setting).await;
        let aliases = &callbacks.aliases;
        let flight = aliases.sending(WRITTEN);
        let body = event(0, CLOUD, "wamid.1").to_string();
        let webhook = Webhook::read(body.as_bytes()).unwrap();
        let mut taking = pin!(callbacks.take(&webhook));
        assert!(taking.as_mut().now_or_never().is_none());
        let told = send(&callbacks, WRITTEN, CLOUD).await;
        drop(flight);
        taking.await.unwrap();
        let callback: Value = serde_json::from_slice(&taken.recv().await.unwrap()).unwrap();
        assert_eq!(ids(&callback), [told.as_str(), told.as_str()], "{setting:?}");
        assert_eq!(told, if setting == WaId::AsSent { WRITTEN } else { CLOUD });
        callbacks.stop().await;
    }
}

/// The same through the whole app: the upstream answers one message only when it has another.
#[tokio::test]
async fn a_message_holds_webhooks_of_its_user_until_it_is_answered() {
    // The stub calls everybody so.
    let (written, cloud) = ("5215551234567", "15551234567");
    let stub = Stub::start([Act::Gather(2), Act::Gather(2)]).await;
    let sections = format!("{EGRESS}[compat]\nwa_id = \"as-sent\"\n");
    let text_of_config = config(&stub.base_url(), &sections, &support());
    let app = App::start(
        Config::parse(&text_of_config, &Env::default()).unwrap().config,
        Clock::fixed(1_700_000_000),
    );
    let app = app.await.unwrap();
    let Addresses { api, admin, webhook, .. } = app.addresses();
    let mock = MockCloud::start(([127, 0, 0, 1], 0).into(), mock::Options::default()).await.unwrap();
    let proxy = Proxy { mock, app, clock: Clock::fixed(1_700_000_000), api, admin };
    let scene = Scene { proxy, sink: Sink::start().await, webhook: webhook.unwrap() };
    scene.set(&scene.wishes()).await;

    let message = text(written);
    let first = scene.proxy.send(&message);
    let racing = async {
        stub.until(|seen| seen.whole.len() == 1).await;
        let body = event(0, cloud, "wamid.1").to_string();
        let webhook = Webhook::read(body.as_bytes()).unwrap();
        let mut taking = pin!(scene.take(&webhook));
        assert!(taking.as_mut().now_or_never().is_none());
        assert_eq!(scene.proxy.send(&message).await.status, 201);
        taking.await.unwrap();
    };
    let (reply, ()) = tokio::join!(first, racing);
    assert_eq!(reply.json()["contacts"][0]["wa_id"], written, "{reply:?}");
    assert_eq!(ids(&scene.sink.take(1).await[0]), [written; 2]);
}

/// Two ids of one user, of which Cloud tells in one webhook what it is about to tell in another.
#[tokio::test]
async fn a_business_scoped_id_that_was_written_to_stays() {
    let mut parts = over(Faulty::new(), WaId::AsSent).await;
    let aliases = &parts.callbacks.aliases;
    assert_eq!(aliases.answered(Sent { input: "US.1", digits: None }, None).await, "US.1");
    let value = json!({
        "contacts": [{"profile": {"name": "US.1"}, "wa_id": CLOUD, "user_id": "US.1"}],
        "messages": [{"from": CLOUD, "from_user_id": "US.1", "id": "wamid.1", "timestamp": "1", "type": "text",
                      "text": {"body": "hi"}}],
    });
    assert_eq!(tell(&mut parts, &webhook(PHONE_NUMBER_ID, value)).await, ["US.1"; 3]);
    assert_eq!(tell(&mut parts, &event(0, CLOUD, "wamid.2")).await, ["US.1"; 2]);
    assert_eq!(ask(&parts.callbacks, CLOUD).await, "US.1");
    parts.callbacks.stop().await;
}

/// A system message names the old ids or the new ones, or one of each.
#[tokio::test]
async fn a_change_of_the_number_never_merges_two_numbers() {
    let (old, new) = ("16505551234", "16505550192");
    for (from, from_user_id, has_user_id) in [(new, "US.1", true), (old, "US.2", true), (old, "US.2", false)]
    {
        let mut parts = over(Faulty::new(), WaId::AsSent).await;
        assert_eq!(send(&parts.callbacks, old, old).await, old);
        let status = json!({"statuses": [{"id": "wamid.0", "status": "read", "timestamp": "1", "recipient_id": old,
                                          "recipient_user_id": "US.1"}]});
        assert_eq!(tell(&mut parts, &webhook(PHONE_NUMBER_ID, status)).await, [old; 2]);
        let mut system =
            json!({"type": "user_changed_number", "wa_id": new, "user_id": "US.2", "customer": old});
        if !has_user_id {
            system.as_object_mut().unwrap().remove("user_id");
        }
        let value = json!({
            "contacts": [{"profile": {"name": "A"}, "wa_id": from, "user_id": from_user_id}],
            "messages": [{"from": from, "from_user_id": from_user_id, "id": "wamid.1", "timestamp": "1",
                          "type": "system", "system": system}],
        });
        let body = webhook(PHONE_NUMBER_ID, value).to_string();
        parts.callbacks.take(&Webhook::read(body.as_bytes()).unwrap()).await.unwrap();
        let callback: Value = serde_json::from_slice(&parts.taken.recv().await.unwrap()).unwrap();
        assert_eq!(callback["messages"][0]["system"]["new_wa_id"], new, "{callback}");
        let value = |from: &str, user_id: &str, id: &str| {
            let message = json!({"from": from, "from_user_id": user_id, "id": id, "timestamp": "1", "type": "text",
                                 "text": {"body": "hi"}});
            webhook(PHONE_NUMBER_ID, json!({"messages": [message]}))
        };
        assert_ne!(ask(&parts.callbacks, "US.2").await, old, "{from} {from_user_id}");
        assert_eq!(tell(&mut parts, &value(new, "US.2", "wamid.2")).await, [new; 3]);
        assert_eq!(tell(&mut parts, &value(old, "US.3", "wamid.3")).await, [old; 3], "whoever has it now");
        parts.callbacks.stop().await;
    }
}

/// Of a number with more users than memory has room for: the store knows the number, memory the business-scoped id.
#[tokio::test]
async fn a_name_in_the_store_counts_before_that_of_a_business_scoped_id() {
    let (store, now) = (Faulty::new(), 1_700_000_000);
    let row = |id: String, shown: &str, used_at| AliasRow {
        number: PHONE_NUMBER_ID.to_owned(),
        setting: WaId::AsSent,
        id,
        shown: Some(shown.to_owned()),
        used_at,
    };
    let mut rows: Vec<_> = (0..100_000).map(|n| row(n.to_string(), "0", now)).collect();
    rows.extend([row("US.1".to_owned(), "US.1", now + 1), row(CLOUD.to_owned(), WRITTEN, now - 1)]);
    store.put_aliases(rows).await.unwrap();
    let mut parts = over(store, WaId::AsSent).await;
    let value = json!({"messages": [{"from": CLOUD, "from_user_id": "US.1", "id": "wamid.1", "timestamp": "1",
                                     "type": "text", "text": {"body": "hi"}}]});
    assert_eq!(tell(&mut parts, &webhook(PHONE_NUMBER_ID, value)).await, [WRITTEN; 3]);
    assert_eq!(questions(&parts, "5").await, 3, "in pieces");
    parts.callbacks.stop().await;
}

/// How often the store is asked when a client asks about 2,500.
async fn questions(parts: &Parts, prefix: &str) -> usize {
    parts.store.entered.forget_permits(usize::MAX);
    let asked: Vec<_> = (0..2_500).map(|n| format!("{prefix}{n:09}")).collect();
    let aliases = &parts.callbacks.aliases;
    assert!(aliases.known_as(asked.iter().map(String::as_str)).await.is_empty());
    parts.store.entered.available_permits()
}

#[tokio::test]
async fn the_store_is_asked_about_a_thousand_at_once() {
    let parts = over(Faulty::new(), WaId::AsSent).await;
    assert_eq!(questions(&parts, "US.").await, 3);
    parts.callbacks.stop().await;
}

#[tokio::test]
async fn a_webhook_waits_for_messages_to_business_scoped_ids_too() {
    let Parts { callbacks, mut taken, .. } = over(Faulty::new(), WaId::AsSent).await;
    let aliases = &callbacks.aliases;
    let flight = aliases.sending("US.1");
    let value = json!({"statuses": [{"id": "wamid.1", "status": "read", "timestamp": "1", "recipient_id": CLOUD,
                                     "recipient_user_id": "US.1"}]});
    let body = webhook(PHONE_NUMBER_ID, value).to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    let mut taking = Box::pin(callbacks.take(&webhook));
    // The store is asked first.
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut taking).await.is_err());
    assert_eq!(aliases.answered(Sent { input: "US.1", digits: None }, None).await, "US.1");
    drop(flight);
    taking.await.unwrap();
    let callback: Value = serde_json::from_slice(&taken.recv().await.unwrap()).unwrap();
    assert_eq!(ids(&callback), ["US.1"; 2]);
    callbacks.stop().await;
}

/// However many values wait for messages that are never answered.
#[tokio::test]
async fn the_values_of_a_webhook_wait_together() {
    let Parts { callbacks, .. } = over(Faulty::new(), WaId::AsSent).await;
    let _flight = callbacks.aliases.sending(WRITTEN);
    let mut all = event(0, CLOUD, "wamid.1");
    let second = event(0, CLOUD, "wamid.2")["entry"][0].clone();
    all["entry"].as_array_mut().unwrap().push(second);
    let body = all.to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    let mut taking = pin!(callbacks.take(&webhook));
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert!(taking.as_mut().now_or_never().is_none());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(taking.as_mut().now_or_never().is_none());
    tokio::time::resume();
    taking.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    callbacks.stop().await;
}

/// Sends to `to`, where Cloud calls the user [`CLOUD`].
async fn sent(scene: &Scene, to: &str, wamid: &str) -> Value {
    let body = json!({"messaging_product": "whatsapp", "messages": [{"id": wamid}],
        "contacts": [{"input": to, "wa_id": CLOUD}]});
    let act = json!({"act": {"http": {"status": 200, "content_type": "application/json",
        "body": body.to_string()}}});
    scene.proxy.mock.fault(serde_json::from_value(act).unwrap());
    let reply = scene.proxy.send(&text(to)).await;
    scene.proxy.mock.clear_faults();
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["contacts"].clone()
}

async fn contacts(scene: &Scene, inputs: &[&str]) -> Value {
    let body = json!({"blocking": "wait", "contacts": inputs}).to_string();
    scene.proxy.call("POST", "/v1/contacts", &body).await.json()["contacts"].clone()
}

/// Through the whole app, and in all that a client reads.
#[tokio::test]
async fn every_endpoint_names_a_user_by_one_id() {
    for (section, shown) in [("", CLOUD), ("wa_id = \"as-cloud\"", CLOUD), ("wa_id = \"as-sent\"", WRITTEN)] {
        let scene = Scene::with(&format!("[compat]\nerrors = \"deferred\"\n{section}\n")).await;
        let valid = |input: &str, wa_id: &str| json!({"input": input, "status": "valid", "wa_id": wa_id});
        assert_eq!(
            contacts(&scene, &[WRITTEN, CLOUD]).await,
            json!([valid(WRITTEN, WRITTEN), valid(CLOUD, CLOUD)])
        );
        let pasted = format!("\u{202a}+{WRITTEN}\u{202c}");
        assert_eq!(sent(&scene, &pasted, "wamid.1").await, json!([{"input": pasted, "wa_id": shown}]));
        assert_eq!(sent(&scene, CLOUD, "wamid.2").await, json!([{"input": CLOUD, "wa_id": shown}]));
        assert_eq!(
            contacts(&scene, &[WRITTEN, &pasted, CLOUD]).await,
            json!([valid(WRITTEN, shown), valid(&pasted, shown), valid(CLOUD, shown)])
        );
        for kind in 0..5 {
            scene.tell(&event(kind, CLOUD, &format!("wamid.event.{kind}"))).await;
        }
        let got = scene.sink.take(5).await;
        for callback in &got {
            let ids = ids(callback);
            assert!(!ids.is_empty() && ids.iter().all(|id| id == shown), "{section}: {callback}");
        }
        // A message that Cloud refuses, and that fails later.
        scene.proxy.mock.fault("131047:once".parse().unwrap());
        let reply = scene.proxy.send(&text(WRITTEN)).await.json();
        assert_eq!(reply["contacts"], json!([{"input": WRITTEN, "wa_id": shown}]));
        let failed = scene.sink.take(6).await.remove(5);
        assert_eq!(ids(&failed), [shown; 2], "{failed}");
        let identity = async |id: &str| {
            let path = format!("/v1/contacts/{id}/identity");
            scene.proxy.call("GET", &path, "").await.json()["identity"]["hash"].clone()
        };
        assert_eq!(identity(WRITTEN).await, identity(CLOUD).await);
        assert_eq!(identity(&format!("%2B{WRITTEN}")).await, identity(CLOUD).await);
        assert_eq!(identity(&format!("%E2%80%AA+{WRITTEN}%E2%80%AC")).await, identity(CLOUD).await);
    }
}
