//! Ids that Cloud does not have any more, and uploads that it does not take.

use prembridge::mock::{Act, ErrorAct, FaultRule, Times};
use serde_json::{Value, json};

use super::scene::*;
use crate::support::Reply;

const PROFILES: [&str; 2] = ["documented", "rfc"];
const TEXT: &str = "(#131009) Param template['components'][0]['parameters'][0]['image']['id'] \
                    is not a valid whatsapp business account media attachment ID";

/// What is also seen for a dead id, as the message or as its details.
fn parameter_errors() -> [ErrorAct; 3] {
    let error = ErrorAct { error_data: false, ..ErrorAct::of(131_009) };
    [
        ErrorAct { message: Some(TEXT.to_owned()), ..error.clone() },
        ErrorAct { details: Some(TEXT.to_owned()), error_data: true, ..error },
        ErrorAct { message: Some(TEXT.to_uppercase()), error_data: false, ..ErrorAct::of(100) },
    ]
}

fn once(error: ErrorAct) -> FaultRule {
    FaultRule::new(Act::Error(error)).times(Times::Next(1))
}

#[tokio::test]
async fn case_36_a_dead_id_is_replaced_and_the_message_sent_again_once() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        scene.fault("invalid-media-id:once");
        let first = scene.sent().await;
        assert_eq!(scene.sent().await, first);
        assert_eq!(scene.counts(), counts(2, 0, 2, 3), "{profile}");
        assert_eq!(scene.proxy.mock.accepted(), 2);
        // An id that lives is not touched by an error that is not about it.
        scene.fault("131009:once");
        assert_eq!(scene.send().await.status, 400);
        assert_eq!(scene.counts(), counts(2, 0, 2, 4), "{profile}");
    }
}

#[tokio::test]
async fn case_36_also_when_cloud_words_it_otherwise() {
    let scene = Scene::start().await;
    scene.serve(fresh());
    for error in parameter_errors() {
        scene.proxy.mock.fault(once(error));
        scene.sent().await;
    }
    // The first upload, then one for each dead id.
    assert_eq!(scene.counts(), counts(4, 0, 4, 6));
}

#[tokio::test]
async fn case_37_an_id_that_is_always_dead_ends_in_an_error() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        scene.fault("invalid-media-id");
        let reply = scene.send().await;
        assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
        assert_eq!(scene.counts(), counts(2, 0, 2, 2), "{profile}");
        assert_eq!(scene.proxy.mock.accepted(), 0);
    }
}

/// Cloud forgets what it was given, which only a send can find out.
#[tokio::test]
async fn a_file_that_cloud_forgot_comes_from_the_link_again() {
    let scene = Scene::start().await;
    scene.serve(fresh());
    let first = scene.sent().await;
    assert!(scene.proxy.mock.expire_media(&first));
    assert_ne!(scene.sent().await, first);
    assert_eq!(scene.counts(), counts(2, 0, 2, 3));
}

#[tokio::test]
async fn an_uploaded_file_that_cloud_forgot_comes_from_the_folder_again() {
    let scene = Scene::start().await;
    let ours = json!({"id": scene.upload("image/png", PNG).await});
    let first = scene.sent_image(&ours).await;
    assert!(scene.proxy.mock.expire_media(&first));
    let second = scene.sent_image(&ours).await;
    assert_ne!(second, first);
    assert_eq!(scene.counts(), counts(0, 0, 2, 3));
    for error in parameter_errors() {
        scene.proxy.mock.fault(once(error));
        scene.sent_image(&ours).await;
    }
    assert_eq!(scene.counts(), counts(0, 0, 5, 9));
    scene.fault("invalid-media-id");
    let reply = scene.send_image(&ours).await;
    assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
    assert_eq!(scene.counts(), counts(0, 0, 6, 11));
}

/// An id of Cloud's own that the client sends is the client's affair.
#[tokio::test]
async fn a_dead_id_of_the_client_is_only_told() {
    let scene = Scene::start().await;
    let id = scene.proxy.mock.add_media(crate::support::PHONE_NUMBER_ID, "image/png", PNG);
    scene.sent_image(&json!({"id": id})).await;
    assert!(scene.proxy.mock.expire_media(&id));
    let reply = scene.send_image(&json!({"id": id})).await;
    assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
    assert_eq!(scene.counts(), counts(0, 0, 0, 2));
}

/// 131053 comes by webhook, after the message: the next one has to bring a new file, this one is not repeated.
#[tokio::test]
async fn a_file_that_cloud_could_not_use_is_fetched_anew_by_the_next_message() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        let reply = scene.send().await;
        let wamid = reply.json()["messages"][0]["id"].as_str().unwrap().to_owned();
        let media = &scene.proxy.app.state().relay.media;
        media.forget_sent("wamid.unknown").await;
        scene.sent().await;
        assert_eq!(scene.counts(), counts(1, 0, 1, 2), "{profile}");
        media.forget_sent(&wamid).await;
        assert_eq!(scene.counts(), counts(1, 0, 1, 2), "{profile}: nothing is sent again");
        let id = scene.sent().await;
        assert_eq!(scene.counts(), counts(2, 0, 2, 3), "{profile}");
        // Once is enough: it has been replaced.
        media.forget_sent(&wamid).await;
        assert_eq!(scene.sent().await, id);
        assert_eq!(scene.counts(), counts(2, 0, 2, 4), "{profile}");
    }
    let scene = Scene::start().await;
    let ours = json!({"id": scene.upload("image/png", PNG).await});
    let reply = scene.send_image(&ours).await;
    let wamid = reply.json()["messages"][0]["id"].as_str().unwrap().to_owned();
    scene.proxy.app.state().relay.media.forget_sent(&wamid).await;
    scene.sent_image(&ours).await;
    assert_eq!(scene.counts(), counts(0, 0, 2, 2));
}

#[tokio::test]
async fn case_39_an_upload_is_tried_twice() {
    for profile in PROFILES {
        let scene = Scene::under(profile).await;
        scene.serve(fresh());
        scene.fault("http 500@media-upload:next 2");
        let reply = scene.send().await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code, reply.header("retry-after")), (503, 1016, Some("1")), "{reply:?}");
        assert!(details.contains("nothing was sent"), "{details}");
        assert_eq!(scene.counts(), counts(1, 0, 2, 0), "{profile}");
        scene.sent().await;
        assert_eq!(scene.counts(), counts(2, 0, 3, 1), "{profile}");
    }
    // One failure is not seen.
    for rule in ["http 503", "131000", "reset-before-read", "reset-after-read", "truncate"] {
        let scene = Scene::start().await;
        scene.serve(fresh());
        scene.fault(&format!("{rule}@media-upload:once"));
        scene.sent().await;
        assert_eq!(scene.counts(), counts(1, 0, 2, 1), "{rule}");
    }
}

/// The error, and that no message went out.
async fn refused(scene: &Scene, object: &Value) -> Reply {
    let before = scene.counts().s;
    let reply = scene.send_image(object).await;
    assert!(reply.status >= 400, "{reply:?}");
    assert_eq!(scene.counts().s, before);
    reply
}

#[tokio::test]
async fn what_cloud_says_of_an_upload_is_told() {
    let scene = Scene::start().await;
    scene.serve(png());
    let link = json!({"link": scene.provider.url("/a.png")});
    let types = ErrorAct {
        message: Some(
            "(#100) Param file must be a file with one of the following types: audio/aac, image/png. \
             Received file of type 'image/png'."
                .to_owned(),
        ),
        error_data: false,
        ..ErrorAct::of(100)
    };
    let upload =
        prembridge::mock::Matcher { op: Some(prembridge::mock::Op::MediaUpload), ..Default::default() };
    let refusal = |error: ErrorAct| once(error).when(upload.clone());
    for (error, status, code, tries) in
        [(types, 400, 1009, 1), (ErrorAct::of(190), 500, 1014, 1), (ErrorAct::of(130_429), 429, 1015, 1)]
    {
        let before = scene.counts().u;
        scene.proxy.mock.fault(refusal(error));
        let reply = refused(&scene, &link).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{reply:?}");
        assert_eq!(scene.counts().u, before + tries, "{reply:?}");
    }
    // An uploaded file has its id before Cloud says no, so the message learns it.
    let ours = json!({"id": scene.upload("image/png", &image_bytes("ours")).await});
    scene.sent_image(&ours).await;
}

#[tokio::test]
async fn a_success_without_an_id_is_no_success() {
    for body in ["garbage", "empty", "no-messages"] {
        let scene = Scene::start().await;
        scene.serve(fresh());
        scene.fault(&format!("http 200 {body}@media-upload:once"));
        let link = json!({"link": scene.provider.url("/a.png")});
        let reply = refused(&scene, &link).await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{body}: {reply:?}");
        scene.sent().await;
        assert_eq!(scene.counts(), counts(2, 0, 2, 1), "{body}: nothing was remembered");
    }
}

#[tokio::test]
async fn an_unreachable_cloud_means_that_nothing_was_sent() {
    let scene = Scene::start().await;
    scene.serve(png());
    scene.fault("reset-before-read@media-upload");
    let reply = refused(&scene, &json!({"link": scene.provider.url("/a.png")})).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code, reply.header("retry-after")), (503, 1016, Some("1")), "{reply:?}");
    assert!(details.starts_with("image: ") && details.contains("nothing was sent"), "{details}");
    assert_eq!(scene.counts(), counts(1, 0, 2, 0));
    assert!(scene.files().is_empty());
    // The bytes of an uploaded file stay, and its next message brings them.
    let ours = json!({"id": scene.upload("image/png", &image_bytes("ours")).await});
    let reply = refused(&scene, &ours).await;
    assert_eq!((reply.status, reply.code()), (503, 1016), "{reply:?}");
    scene.proxy.mock.clear_faults();
    scene.sent_image(&ours).await;
}
