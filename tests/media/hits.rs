//! A link that was hit often is judged like one that was hit once: what ends an entry ends it at each of them.

use serde_json::json;

use super::scene::*;

/// How often a link is sent before something happens: the first fetches, the second asks the cache, the third has it
/// at hand.
const SENDS: [usize; 4] = [1, 2, 3, 6];
const PROFILES: [&str; 2] = ["documented", "rfc"];

/// Sends the link so many times and gives the id, which is always the same.
async fn sent(scene: &Scene, times: usize) -> String {
    let id = scene.sent().await;
    for _ in 1..times {
        assert_eq!(scene.sent().await, id);
    }
    id
}

#[tokio::test]
async fn its_lifetime_ends_to_the_second() {
    for profile in PROFILES {
        for times in SENDS {
            let scene = Scene::under(profile).await;
            scene.serve(fresh());
            sent(&scene, times).await;
            scene.advance(3599);
            sent(&scene, times).await;
            assert_eq!(scene.counts(), counts(1, 0, 1, 2 * times), "{profile} {times}");
            scene.advance(1);
            sent(&scene, times).await;
            assert_eq!(scene.counts(), counts(2, 0, 1, 3 * times), "{profile} {times}");
        }
    }
}

#[tokio::test]
async fn what_is_confirmed_lives_on() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(fresh().header("ETag", "\"a\"").revalidating([("Cache-Control", "max-age=60")]));
        let id = sent(&scene, times).await;
        scene.advance(3600);
        assert_eq!(sent(&scene, times).await, id);
        assert_eq!(scene.counts(), counts(1, 1, 1, 2 * times), "{times}");
        scene.advance(60);
        assert_eq!(sent(&scene, times).await, id);
        assert_eq!(scene.counts(), counts(1, 2, 1, 3 * times), "{times}");
    }
}

#[tokio::test]
async fn the_id_lapses_before_the_link_does() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(png().header("Cache-Control", "max-age=31536000"));
        let id = sent(&scene, times).await;
        scene.advance(28 * DAY);
        assert_eq!(sent(&scene, times).await, id);
        scene.advance(2 * DAY);
        assert_ne!(sent(&scene, times).await, id);
        assert_eq!(scene.counts(), counts(2, 0, 2, 3 * times), "{times}");
    }
}

#[tokio::test]
async fn a_dead_id_is_replaced_at_once() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(fresh());
        let id = sent(&scene, times).await;
        assert!(scene.proxy.mock.expire_media(&id));
        assert_ne!(sent(&scene, times).await, id);
        // The first send afterwards goes out twice.
        assert_eq!(scene.counts(), counts(2, 0, 2, 2 * times + 1), "{times}");
    }
}

#[tokio::test]
async fn what_cloud_could_not_use_is_fetched_anew() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(fresh());
        let id = sent(&scene, times).await;
        let reply = scene.send().await;
        let wamid = reply.json()["messages"][0]["id"].as_str().unwrap().to_owned();
        scene.proxy.app.state().relay.media.forget_sent(&wamid).await;
        assert_ne!(sent(&scene, times).await, id);
        assert_eq!(scene.counts(), counts(2, 0, 2, 2 * times + 1), "{times}");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_noticed() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(fresh());
        sent(&scene, times).await;
        scene.advance(-1);
        sent(&scene, times).await;
        assert_eq!(scene.counts(), counts(2, 0, 1, 2 * times), "{times}");
    }
}

#[tokio::test]
async fn a_provider_that_was_set_anew_or_deleted_is_another() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(fresh());
        let object = json!({"link": scene.provider.url("/a.png"), "provider": {"name": "cdn"}});
        for (set, credentials) in [json!({"bearer": "one"}), json!({"bearer": "one"})].iter().enumerate() {
            scene.set_provider("cdn", credentials).await;
            for _ in 0..times {
                scene.sent_image(&object).await;
            }
            assert_eq!(scene.counts(), counts(set + 1, 0, 1, (set + 1) * times), "{times}");
        }
        scene.delete_provider("cdn").await;
        let reply = scene.send_image(&object).await;
        assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
        assert_eq!(scene.counts(), counts(2, 0, 1, 2 * times), "{times}");
        sent(&scene, times).await;
        assert_eq!(scene.counts(), counts(3, 0, 1, 3 * times), "without a provider it is another entry");
    }
}

#[tokio::test]
async fn kinds_names_and_links_are_told_apart() {
    for times in SENDS {
        let scene = Scene::start().await;
        scene.serve(fresh());
        scene.provider.serve("/b.png", fresh());
        let id = sent(&scene, times).await;
        let link = scene.provider.url("/a.png");
        let reply = scene.proxy.send(&media("video", &json!({"link": link}))).await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{reply:?}");
        for name in ["a.png", "b.pdf"] {
            let object = json!({"link": link, "filename": name});
            for _ in 0..times {
                let sent = scene.sent_message(&media("document", &object)).await;
                assert_eq!(sent["document"], json!({"id": id, "filename": name}));
            }
        }
        assert_eq!(scene.counts(), counts(1, 0, 1, 3 * times), "{times}");
        scene.sent_image(&json!({"link": scene.provider.url("/b.png")})).await;
        assert_eq!(scene.counts(), counts(2, 0, 1, 3 * times + 1), "{times}");
    }
}

#[tokio::test]
async fn numbers_share_nothing_however_often_they_send() {
    let scene = Scene::of_two_numbers("").await;
    scene.serve(fresh());
    let message = image(&scene.provider.url("/a.png"));
    for _ in 0..4 {
        for name in ["support", "sales"] {
            assert_eq!(scene.send_as(name, &message).await.status, 201);
        }
    }
    assert_eq!(scene.counts(), counts(2, 0, 2, 8));
}

#[tokio::test]
async fn each_hit_is_counted() {
    let scene = Scene::start().await;
    scene.serve(fresh());
    sent(&scene, 5).await;
    let object = json!({"link": scene.provider.url("/a.png"), "caption": "é \"quoted\"\n"});
    let sent = scene.sent_message(&media("image", &object)).await;
    assert_eq!(sent["image"]["caption"], "é \"quoted\"\n");
    let metrics = scene.proxy.app.state().metrics.render();
    for line in [
        r#"media_cache_events_total{level="source",result="hit",reason="fresh"} 5"#,
        r#"media_cache_events_total{level="upload",result="hit",reason="known"} 5"#,
        r#"media_cache_events_total{level="upload",result="miss",reason="uploaded"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}
