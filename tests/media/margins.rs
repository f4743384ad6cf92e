//! Until when Cloud's ids are used: it keeps an upload for thirty days, and its last day is left out, since the message
//! that carries the id may take a while to be sent.

use serde_json::json;

use super::scene::*;
use crate::support::until;

/// How long an id is used.
const USABLE: i64 = 29 * DAY;

/// A file that its origin lets be used for longer than Cloud keeps it.
fn lasting() -> crate::stub::Answer {
    png().header("Cache-Control", "max-age=31536000")
}

#[tokio::test]
async fn an_id_is_used_to_the_second_before_its_last_day() {
    for is_kept_here in [false, true] {
        let scene = Scene::start().await;
        scene.serve(lasting());
        let object = if is_kept_here {
            json!({"id": scene.upload("image/png", PNG).await})
        } else {
            json!({"link": scene.provider.url("/a.png")})
        };
        let first = scene.sent_image(&object).await;
        scene.advance(USABLE - 1);
        assert_eq!(scene.sent_image(&object).await, first);
        assert_eq!(scene.counts().u, 1);
        scene.advance(1);
        assert_ne!(scene.sent_image(&object).await, first, "kept here: {is_kept_here}");
        assert_eq!(scene.counts().u, 2);
    }
}

/// Nobody knows at which moment of an upload Cloud begins to count; its beginning is on the safe side.
#[tokio::test]
async fn an_upload_counts_from_its_beginning() {
    let scene = Scene::start().await;
    scene.serve(lasting());
    scene.fault("delay 1s@media-upload:once");
    let later = async {
        until(|| scene.counts().u == 1).await;
        scene.advance(DAY);
    };
    let (first, ()) = tokio::join!(scene.sent(), later);
    scene.advance(USABLE - DAY - 1);
    assert_eq!(scene.sent().await, first);
    scene.advance(1);
    assert_ne!(scene.sent().await, first);
    assert_eq!(scene.counts().u, 2);
}

/// The same when the first try failed: the second may have found what the first left.
#[tokio::test]
async fn an_upload_counts_from_its_first_try() {
    let scene = Scene::start().await;
    scene.serve(lasting());
    scene.fault("http 500@media-upload:once");
    scene.fault("delay 1s@media-upload:once");
    let later = async {
        until(|| scene.counts().u == 2).await;
        scene.advance(DAY);
    };
    let (first, ()) = tokio::join!(scene.sent(), later);
    scene.advance(USABLE - DAY);
    assert_ne!(scene.sent().await, first);
}
