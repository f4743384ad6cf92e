//! Many sends at the same time. The provider holds its answers until everybody waits, so no clock is needed.

use futures_util::future::join_all;
use serde_json::json;

use super::scene::*;
use crate::stub::Answer;
use crate::support::{Client, KEY, Reply, TO, request, text};

const PROFILES: [&str; 2] = ["documented", "rfc"];

/// A message on its way on a connection of its own.
fn written(message: &serde_json::Value) -> Vec<u8> {
    let key = format!("Bearer {KEY}");
    request("POST", "/v1/messages", &[("Authorization", &key)], message.to_string().as_bytes())
}

/// Sends them all, and lets the provider answer when so many requests have come to it and all of the messages
/// have joined them: texts that were sent later have gone to Cloud and back meanwhile.
async fn crowd(scene: &Scene, messages: &[serde_json::Value], requests: usize) -> Vec<Reply> {
    let seen = scene.provider.seen().requests.len();
    scene.provider.hold();
    let mut clients = Vec::new();
    for message in messages {
        let mut client = Client::connect(scene.proxy.api).await;
        client.write(written(message)).await;
        clients.push(client);
    }
    scene.provider.until(|now| now.requests.len() == seen + requests).await;
    for _ in 0..3 {
        assert_eq!(scene.proxy.send(&text(TO)).await.status, 201, "texts do not wait for files");
    }
    assert_eq!(scene.provider.seen().requests.len(), seen + requests);
    scene.provider.release();
    join_all(clients.iter_mut().map(Client::reply)).await
}

#[tokio::test]
async fn case_32_a_hundred_sends_share_one_fetch_and_one_upload() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        let messages = vec![image(&scene.provider.url("/a.png")); 100];
        let replies = crowd(&scene, &messages, 1).await;
        assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
        assert_eq!(scene.counts(), counts(1, 0, 1, 103), "{profile}");
    }
}

#[tokio::test]
async fn a_thousand_sends_share_one_fetch_and_one_upload() {
    let scene = Scene::start().await;
    // Not even worth an entry: it is the flight that is shared.
    scene.serve(png());
    let messages = vec![image(&scene.provider.url("/a.png")); 1000];
    let replies = crowd(&scene, &messages, 1).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert_eq!(scene.counts(), counts(1, 0, 1, 1003));
    assert_eq!(scene.proxy.mock.uploads(), 1);
}

#[tokio::test]
async fn case_33_what_is_private_is_fetched_for_each_and_later_crowds_do_not_queue() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(png().header("Cache-Control", "private"));
        let messages = vec![image(&scene.provider.url("/a.png")); 20];
        let replies = crowd(&scene, &messages, 1).await;
        assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
        assert_eq!(scene.counts(), counts(20, 0, 20, 23), "{profile}");
        // Now it is known, and all twenty reach the provider before it has answered one.
        let replies = crowd(&scene, &messages, 20).await;
        assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
        assert_eq!(scene.counts(), counts(40, 0, 40, 46), "{profile}");
        let accepted = scene.proxy.mock.accepted_messages();
        let ids: std::collections::HashSet<_> =
            accepted.iter().filter_map(|message| message.body["image"]["id"].as_str()).collect();
        assert_eq!(ids.len(), 40, "nobody got another one's");
    }
}

#[tokio::test]
async fn case_34_an_error_is_shared_and_not_remembered() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        scene.provider.script("/a.png", [Answer::new(500)]);
        let messages = vec![image(&scene.provider.url("/a.png")); 10];
        for reply in crowd(&scene, &messages, 1).await {
            assert_eq!((reply.status, reply.code()), (500, 1014), "{reply:?}");
        }
        scene.sent().await;
        assert_eq!(scene.counts(), counts(2, 0, 1, 4), "{profile}: three of the sends were texts");
    }
}

/// As many files as may be fetched at once hang, more wait behind them, and texts go through.
#[tokio::test]
async fn texts_go_through_while_files_hang() {
    let scene = Scene::start().await;
    let messages: Vec<_> = (0..70)
        .map(|n| {
            let path = format!("/{n}.png");
            scene.provider.serve(&path, fresh());
            image(&scene.provider.url(&path))
        })
        .collect();
    let replies = crowd(&scene, &messages, 64).await;
    assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
    assert_eq!(scene.counts(), counts(70, 0, 1, 73), "the same bytes");
}

/// A client that hangs up takes nothing from those that wait with it.
#[tokio::test]
async fn a_client_that_leaves_cancels_nothing() {
    let scene = Scene::start().await;
    scene.serve(fresh());
    scene.provider.hold();
    let message = image(&scene.provider.url("/a.png"));
    let mut leaver = Client::connect(scene.proxy.api).await;
    leaver.write(written(&message)).await;
    scene.provider.until(|seen| seen.requests.len() == 1).await;
    let mut stayer = Client::connect(scene.proxy.api).await;
    stayer.write(written(&message)).await;
    drop(leaver);
    assert_eq!(scene.proxy.send(&text(TO)).await.status, 201);
    scene.provider.release();
    assert_eq!(stayer.reply().await.status, 201);
    assert_eq!((scene.provider.gets(), scene.proxy.mock.uploads()), (1, 1));
}

/// Equal bytes behind many links are uploaded once, even when they arrive together.
#[tokio::test]
async fn equal_bytes_that_arrive_together_are_uploaded_once() {
    let scene = Scene::start().await;
    let messages: Vec<_> = (0..20).map(|n| image(&scene.provider.url(&format!("/a.png?{n}")))).collect();
    scene.serve(png());
    let replies = crowd(&scene, &messages, 20).await;
    assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
    assert_eq!(scene.counts(), counts(20, 0, 1, 23));
}

/// An image and a video of one link at once: each kind has limits of its own, so each fetches.
#[tokio::test]
async fn kinds_do_not_share_a_flight() {
    let scene = Scene::start().await;
    scene.serve(fresh());
    let link = json!({"link": scene.provider.url("/a.png")});
    let replies = crowd(&scene, &[media("image", &link), media("video", &link)], 2).await;
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [201, 500]);
}
