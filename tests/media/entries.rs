//! Whose an entry is and how long it lives: numbers, credentials, URLs, ids that lapse, restarts.

use serde_json::json;

use super::scene::*;
use crate::stub::Answer;

const PROFILES: [&str; 2] = ["documented", "rfc"];

#[tokio::test]
async fn case_27_an_id_that_lapsed_is_not_used() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(png().header("Cache-Control", "max-age=31536000"));
        let first = scene.sent().await;
        scene.advance(28 * DAY);
        assert_eq!(scene.sent().await, first);
        scene.advance(2 * DAY);
        assert_ne!(scene.sent().await, first);
        assert_eq!(scene.counts(), counts(2, 0, 2, 3), "{profile}");
    }
}

#[tokio::test]
async fn case_28_numbers_share_nothing() {
    let scene = Scene::of_two_numbers("").await;
    scene.serve(fresh());
    let message = image(&scene.provider.url("/a.png"));
    for name in ["support", "sales", "support", "sales"] {
        assert_eq!(scene.send_as(name, &message).await.status, 201);
    }
    assert_eq!(scene.counts(), counts(2, 0, 2, 4));
    let edges: Vec<_> = scene.uploads().into_iter().map(|upload| upload.phone_number_id.unwrap()).collect();
    assert_eq!(edges, [crate::support::PHONE_NUMBER_ID, SALES_ID]);
}

#[tokio::test]
async fn case_30_new_credentials_are_a_new_entry() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        let object = json!({"link": scene.provider.url("/a.png"), "provider": {"name": "cdn"}});
        scene.set_provider("cdn", &json!({"bearer": "one"})).await;
        let first = scene.sent_image(&object).await;
        scene.set_provider("cdn", &json!({"bearer": "two"})).await;
        assert_eq!(scene.sent_image(&object).await, first, "the same bytes");
        assert_eq!(scene.counts(), counts(2, 0, 1, 2), "{profile}");
        let sent: Vec<_> =
            scene.provider.seen().requests.iter().map(|seen| seen.headers["authorization"].clone()).collect();
        assert_eq!(sent, ["Bearer one", "Bearer two"]);
        scene.delete_provider("cdn").await;
        let reply = scene.send_image(&object).await;
        assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
        // Without a provider it is another entry too.
        scene.sent().await;
        assert_eq!(scene.counts(), counts(3, 0, 1, 3), "{profile}");
    }
}

#[tokio::test]
async fn case_31_the_query_belongs_to_the_key_and_the_fragment_does_not() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        for query in ["?x=1", "?x=2", "?x=1#y", "?x=2#"] {
            scene.sent_image(&json!({"link": scene.provider.url(&format!("/a.png{query}"))})).await;
        }
        assert_eq!(scene.counts(), counts(2, 0, 1, 4), "{profile}");
        assert_eq!(scene.provider.seen().requests[1].query.as_deref(), Some("x=2"));
    }
}

#[tokio::test]
async fn case_40_a_graceful_restart_forgets_nothing() {
    for profile in PROFILES {
        let scene = Scene::stored(&format!("cache_profile = \"{profile}\"\n")).await;
        scene.serve(fresh());
        let first = scene.sent().await;
        let scene = scene.restart().await;
        assert_eq!(scene.sent().await, first);
        assert_eq!(scene.counts(), counts(1, 0, 1, 2), "{profile}");
        // What is stale is asked about, not fetched.
        scene.serve(fresh().header("ETag", "\"a\"").header("Last-Modified", DATE).revalidating([]));
        scene.advance(3600);
        scene.sent().await;
        let scene = scene.restart().await;
        scene.advance(3600);
        assert_eq!(scene.sent().await, first);
        assert_eq!(scene.counts(), counts(2, 1, 1, 4), "{profile}");
    }
}

const DATE: &str = "Tue, 14 Nov 2023 21:00:00 GMT";

#[tokio::test]
async fn an_entry_of_one_profile_is_none_of_the_other() {
    let scene = Scene::stored("").await;
    scene.serve(fresh());
    scene.sent().await;
    let scene = scene.restart_as("[media]", "[media]\ncache_profile = \"documented\"").await;
    scene.sent().await;
    assert_eq!(scene.counts(), counts(2, 0, 1, 2));
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_entries_stale() {
    let scene = Scene::start().await;
    scene.serve(fresh());
    scene.sent().await;
    scene.advance(-60);
    scene.sent().await;
    assert_eq!(scene.counts(), counts(2, 0, 1, 2));
}

#[tokio::test]
async fn case_52_the_oldest_entries_go_first() {
    const LINKS: usize = 1000;
    let scene = Scene::with("max_entries = 10\n", "").await;
    for n in 0..LINKS {
        let answer = Answer::ok(image_bytes(&n.to_string())).content_type("image/png");
        scene.provider.serve(&format!("/{n}"), answer.header("Cache-Control", "max-age=3600"));
    }
    let link = |n: usize| json!({"link": scene.provider.url(&format!("/{n}"))});
    for n in 0..LINKS {
        assert_eq!(scene.send_image(&link(n)).await.status, 201);
    }
    scene.sent_image(&link(LINKS - 1)).await;
    assert_eq!(scene.counts(), counts(LINKS, 0, LINKS, LINKS + 1), "the newest is there");
    scene.sent_image(&link(0)).await;
    assert_eq!(scene.counts(), counts(LINKS + 1, 0, LINKS + 1, LINKS + 2), "the oldest is gone");
}

#[tokio::test]
async fn case_54_the_kind_of_message_is_no_part_of_the_key() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        let id = scene.sent().await;
        let object = json!({"link": scene.provider.url("/a.png"), "filename": "a.png", "caption": "c"});
        let sent = scene.sent_message(&media("document", &object)).await;
        assert_eq!(sent["document"], json!({"id": id, "filename": "a.png", "caption": "c"}));
        assert_eq!(scene.counts(), counts(1, 0, 1, 2), "{profile}");
        // As a video it is refused from memory, without asking anybody.
        let reply = scene.proxy.send(&media("video", &json!({"link": scene.provider.url("/a.png")}))).await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{reply:?}");
        assert_eq!(scene.counts(), counts(1, 0, 1, 2), "{profile}");
    }
}
