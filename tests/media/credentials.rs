//! Providers of messages: which credentials go where, and that nothing crosses between numbers.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::scene::*;
use crate::stub::Answer;
use crate::support::PHONE_NUMBER_ID;

#[tokio::test]
async fn a_provider_is_named_in_three_ways() {
    let scene = Scene::start().await;
    scene.set_provider("bearer", &json!({"bearer": "token"})).await;
    scene.set_provider("basic", &json!({"basic": {"username": "u", "password": "p:\u{e4}"}})).await;
    scene.set_provider("none", &json!({})).await;
    scene.serve(png());
    let link = scene.provider.url("/a.png");
    for (name, authorization) in
        [("bearer", Some("Bearer token")), ("basic", Some("Basic dTpwOsOk")), ("none", None)]
    {
        for object in [
            json!({"link": link, "provider": {"name": name}}),
            json!({"link": link, "provider": name}),
            json!({"link": format!("{name}/{link}")}),
            json!({"link": format!("{name}/{link}"), "provider": {"name": name}}),
            json!({"link": format!("none/{link}"), "provider": {"name": name}}),
        ] {
            scene.sent_image(&object).await;
            let seen = scene.provider.seen().requests.pop().unwrap();
            assert_eq!(seen.headers.get("authorization").map(String::as_str), authorization, "{object}");
        }
    }
    for object in [json!({"link": link, "provider": ""}), json!({"link": link, "provider": {"name": ""}})] {
        scene.sent_image(&object).await;
        assert!(!scene.provider.seen().requests.pop().unwrap().headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn an_unknown_provider_is_told_and_nobody_is_asked() {
    let scene = Scene::start().await;
    scene.serve(png());
    scene.set_provider("gone", &json!({"bearer": "token"})).await;
    scene.delete_provider("gone").await;
    let link = scene.provider.url("/a.png?token=canary");
    for object in [
        json!({"link": link, "provider": {"name": "nobody"}}),
        json!({"link": link, "provider": "nobody"}),
        json!({"link": format!("nobody/{link}")}),
        json!({"link": link, "provider": {"name": "gone"}}),
        json!({"link": link, "provider": {"name": "\u{1b}[31m"}}),
    ] {
        let reply = scene.send_image(&object).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009), "{object}: {reply:?}");
        assert!(details.contains("no media provider is called") && !details.contains("canary"), "{details}");
    }
    assert_eq!(scene.counts(), counts(0, 0, 0, 0));
    assert_eq!(scene.provider.seen().connections, 0);
}

#[tokio::test]
async fn allowed_hosts_keep_credentials_at_home() {
    let cdn = |hosts: &str| {
        format!("[[number.provider]]\nname = \"cdn\"\nbearer = \"canary\"\nallowed_hosts = [{hosts}]\n")
    };
    for (hosts, status) in [("\"cdn.internal\"", 400), ("\"cdn.internal\", \"127.0.0.1\"", 201), ("", 201)] {
        let scene = Scene::of_two_numbers(&cdn(hosts)).await;
        scene.serve(png());
        for link in
            [scene.provider.url("/a.png"), scene.provider.url("/a.png").replace("127.0.0.1", "127.1.")]
        {
            let message = media("image", &json!({"link": link, "provider": "cdn"}));
            let reply = scene.send_as("support", &message).await;
            assert_eq!(reply.status, status, "{hosts}: {reply:?}");
            if status == 400 {
                let (code, _, details) = reply.error();
                assert_eq!(code, 1009);
                assert!(details.contains("allowed_hosts") && !details.contains("canary"), "{details}");
                assert_eq!(scene.provider.seen().connections, 0);
            }
        }
    }
}

const LINKS: usize = 3;
const PROVIDERS: [&str; 2] = ["cdn", "archive"];

/// Numbers have providers of the same names with credentials of their own, and use the same links.
fn numbers() -> String {
    PROVIDERS
        .map(|name| format!("[[number.provider]]\nname = \"{name}\"\nbearer = \"NAME-{name}\"\n"))
        .concat()
}

/// One send: who, through which provider, which link, and how many seconds later.
type Send = (usize, usize, usize, i64);

async fn check(sends: &[Send], is_private: bool) {
    let scene = Scene::of_two_numbers(&numbers()).await;
    for link in 0..LINKS {
        let cache_control = if is_private { "private" } else { "max-age=3" };
        let answer = Answer::ok(image_bytes(&link.to_string())).content_type("image/png");
        scene.provider.serve(&format!("/{link}"), answer.header("Cache-Control", cache_control));
    }
    let send = async |(number, provider, link, _): Send| {
        let link = scene.provider.url(&format!("/{link}"));
        let object = json!({"link": link, "provider": {"name": PROVIDERS[provider]}});
        let message = media("image", &object);
        assert_eq!(scene.send_as(["support", "sales"][number], &message).await.status, 201);
    };
    // Some one after the other, some together.
    for group in sends.chunk_by(|_, next| next.3 == 0) {
        scene.advance(group[0].3);
        join_all(group.iter().copied().map(send)).await;
    }
    // What was uploaded where: the id, its number and its bytes.
    let mut uploaded = HashMap::new();
    for upload in scene.uploads() {
        let id: Value = serde_json::from_str(&upload.answer).unwrap();
        let token = upload.authorization.unwrap();
        let number = upload.phone_number_id.unwrap();
        assert_eq!(token.ends_with("-sales"), number == SALES_ID, "its own token");
        let sha256 = upload.body.file().unwrap().sha256.clone();
        uploaded.insert(id["id"].as_str().unwrap().to_owned(), (number, sha256));
    }
    let accepted = scene.proxy.mock.accepted_messages();
    assert_eq!(accepted.len(), sends.len());
    for message in &accepted {
        let (number, _) = &uploaded[message.body["image"]["id"].as_str().unwrap()];
        assert_eq!(*number, message.phone_number_id);
    }
    // Every number sent as many files of each content as it was asked to.
    for (number, id) in [PHONE_NUMBER_ID, SALES_ID].into_iter().enumerate() {
        let mut sent = HashMap::<&str, usize>::new();
        for message in accepted.iter().filter(|message| message.phone_number_id == id) {
            *sent.entry(&uploaded[message.body["image"]["id"].as_str().unwrap()].1).or_default() += 1;
        }
        let mut sent: Vec<_> = sent.into_values().collect();
        let mut asked: Vec<_> = (0..LINKS)
            .map(|link| sends.iter().filter(|send| send.0 == number && send.2 == link).count())
            .filter(|count| *count > 0)
            .collect();
        sent.sort_unstable();
        asked.sort_unstable();
        assert_eq!(sent, asked);
    }
    // Who asked for what: each with credentials of its own, whatever others had fetched before.
    let mut asked = HashMap::<(String, String), usize>::new();
    for request in scene.provider.seen().requests {
        *asked.entry((request.headers["authorization"].clone(), request.path)).or_default() += 1;
    }
    let mut wanted = HashMap::<(String, String), usize>::new();
    for (number, provider, link, _) in sends {
        let (number, provider) = (["support", "sales"][*number], PROVIDERS[*provider]);
        *wanted.entry((format!("Bearer {number}-{provider}"), format!("/{link}"))).or_default() += 1;
    }
    if is_private {
        assert_eq!(asked, wanted, "nothing is shared");
        assert_eq!(uploaded.len(), sends.len());
    } else {
        let pairs = |map: &HashMap<_, _>| map.keys().cloned().collect::<HashSet<(String, String)>>();
        assert_eq!(pairs(&asked), pairs(&wanted));
    }
}

#[test]
fn s35_nothing_crosses_numbers_or_credentials() {
    let send = (0..2_usize, 0..PROVIDERS.len(), 0..LINKS, prop_oneof![3 => Just(0_i64), 1 => 1..5_i64]);
    let sends = (prop::collection::vec(send, 1..40), any::<bool>());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    TestRunner::new(crate::support::seeded::config(12))
        .run(&sends, |(sends, is_private)| {
            runtime.block_on(check(&sends, is_private));
            Ok(())
        })
        .unwrap();
}
