//! What a second look at the rules found: files that must not be shared, waits that must end, folders that are taken.

use std::fs;

use prembridge::app::{App, StartError};
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use serde_json::json;

use super::scene::*;
use crate::stub::Answer;
use crate::support::{NOW, PHONE_NUMBER_ID, TO, config, number};
use crate::temp::TempDir;

const SINCE: &str = "Wed, 21 Oct 2015 07:28:00 GMT";

/// The same `Last-Modified` says nothing about bytes that are for one recipient from now on.
#[tokio::test]
async fn what_has_become_private_is_read_anew_and_kept_from_others() {
    for profile in ["documented", "rfc"] {
        let scene = Scene::under(profile).await;
        let dated = |cache_control| fresh_with(cache_control).header("Last-Modified", SINCE);
        scene.serve(dated("no-cache"));
        let public = scene.sent().await;
        scene.serve(dated("private"));
        let private = scene.sent().await;
        assert_ne!(private, public, "{profile}: what everyone shared was not asked for");
        assert_ne!(scene.sent().await, private, "{profile}: and it is not remembered");
        assert_eq!(scene.counts(), counts(2, 1, 3, 3), "{profile}");
    }
}

/// A 304 that says `private` is for whoever asked; the others ask for themselves.
#[tokio::test]
async fn a_confirmation_that_is_private_ends_what_was_shared() {
    let scene = Scene::start().await;
    let tagged = fresh_with("no-cache").header("ETag", "\"a\"");
    scene.serve(tagged.clone());
    let shared = scene.sent().await;
    scene.serve(tagged.revalidating([("Cache-Control", "private")]));
    assert_eq!(scene.sent().await, shared, "confirmed for this one");
    assert_ne!(scene.sent().await, shared, "and fetched anew for the next");
}

#[tokio::test]
async fn a_message_waits_no_longer_than_its_client() {
    let scene = Scene::with("wait_timeout = \"200ms\"\n", "").await;
    scene.serve(fresh());
    scene.provider.hold();
    let reply = scene.send().await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (503, 1016), "{reply:?}");
    assert!(details.contains("nothing was sent") && reply.header("retry-after").is_some(), "{reply:?}");
    scene.provider.release();
    scene.sent().await;
    assert_eq!(scene.counts(), counts(1, 0, 1, 1), "the fetch went on for the next try");
}

#[tokio::test]
async fn a_message_may_not_name_any_number_of_files() {
    let scene = Scene::start().await;
    let parameter = json!({"type": "image", "image": {"link": scene.provider.url("/a.png")}});
    let template = |count: usize| {
        let components = vec![json!({"type": "header", "parameters": [parameter]}); count];
        json!({"to": TO, "type": "template", "template": {"name": "t", "language": {"code": "en"},
            "components": components}})
    };
    scene.serve(fresh());
    let reply = scene.proxy.send(&template(32)).await;
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    let reply = scene.proxy.send(&template(33)).await;
    assert_eq!((reply.status, reply.error().0), (400, 1009), "{reply:?}");
    assert_eq!(scene.counts(), counts(1, 0, 1, 1));
}

/// Cloud does not say which of two files is dead, so the last copy of a client's own is not given up for it.
#[tokio::test]
async fn the_last_copy_of_a_file_survives_doubt_about_another() {
    let scene = Scene::with("keep = \"64KiB\"\n", "").await;
    let bytes = |label: u8| [PNG, &vec![label; 40 << 10]].concat();
    let first = scene.upload("image/png", &bytes(1)).await;
    let at_cloud = scene.sent_image(&json!({"id": first})).await;
    let second = scene.upload("image/png", &bytes(2)).await;
    scene.sent_image(&json!({"id": second})).await;
    assert_eq!(scene.files().len(), 1, "the first one's bytes made room");
    let both = json!({"to": TO, "type": "template", "template": {"name": "t", "language": {"code": "en"},
        "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"id": first}}]},
            {"type": "header", "parameters": [{"type": "image", "image": {"id": second}}]}]}});
    scene.fault("invalid-media-id:once");
    let reply = scene.proxy.send(&both).await;
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(scene.sent_image(&json!({"id": first})).await, at_cloud);
}

#[tokio::test]
async fn the_folder_of_another_store_is_refused() {
    let folder = TempDir::new();
    let start = async |store: &str| {
        let store = format!("sqlite:{}", folder.join(store).display());
        let media = format!("[media]\nfolder = {:?}\n", folder.join("files"));
        let text = config("http://127.0.0.1:9", &media, &number("support", PHONE_NUMBER_ID, ""));
        let text = text.replace("memory:", &store);
        App::start(Config::parse(&text, &Env::default()).unwrap().config, Clock::fixed(NOW)).await
    };
    assert!(start("one.db").await.unwrap().drain().await);
    let refused = start("two.db").await.err().unwrap();
    assert!(matches!(refused, StartError::Media(_)), "{refused}");
    assert!(refused.to_string().contains("belongs to another store"), "{refused}");
    assert!(start("one.db").await.unwrap().drain().await);
    // A mark that was cut off is nobody's.
    fs::write(folder.join("files/.prembridge"), "").unwrap();
    assert!(start("one.db").await.unwrap().drain().await);
    assert!(start("two.db").await.is_err());
    // One that cannot be read may be anybody's.
    fs::write(folder.join("files/.prembridge"), b"\xff").unwrap();
    assert!(start("one.db").await.is_err());
}

fn fresh_with(cache_control: &str) -> Answer {
    Answer::ok(PNG).content_type("image/png").header("Cache-Control", cache_control)
}
