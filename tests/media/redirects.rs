//! Redirects of links: followed by hand, credentials for the named origin alone, every hop vetted.

use std::net::TcpListener;

use serde_json::json;

use super::scene::*;
use crate::stub::{Answer, Provider};

fn to(location: &str) -> Answer {
    Answer::new(302).header("Location", location)
}

/// The paths and credentials that a provider was asked with.
fn asked(provider: &Provider) -> Vec<(String, Option<String>)> {
    let requests = provider.seen().requests;
    requests.into_iter().map(|mut seen| (seen.path, seen.headers.remove("authorization"))).collect()
}

#[tokio::test]
async fn case_46_another_host_gets_no_credentials() {
    for (profile, credentials, authorization) in [
        ("documented", json!({"bearer": "secret"}), "Bearer secret"),
        ("rfc", json!({"bearer": "secret"}), "Bearer secret"),
        ("rfc", json!({"basic": {"username": "u", "password": "p"}}), "Basic dTpw"),
    ] {
        let scene = Scene::under(profile).await;
        let other = Provider::start().await;
        other.serve("/b.png", fresh());
        scene.set_provider("cdn", &credentials).await;
        scene.serve(to(&other.url("/b.png")));
        let object = json!({"link": scene.provider.url("/a.png"), "provider": "cdn"});
        scene.sent_image(&object).await;
        scene.advance(1);
        scene.sent_image(&object).await;
        assert_eq!(scene.counts(), counts(2, 0, 1, 2), "{profile}");
        let ours = ("/a.png".to_owned(), Some(authorization.to_owned()));
        assert_eq!(asked(&scene.provider), [ours.clone(), ours]);
        assert_eq!(asked(&other), [("/b.png".to_owned(), None), ("/b.png".to_owned(), None)]);
        let foreign: Vec<_> = other.seen().requests.remove(0).headers.into_keys().collect();
        assert_eq!(foreign, ["accept", "accept-encoding", "host", "user-agent"], "nothing else of ours");
    }
}

#[tokio::test]
async fn the_same_origin_gets_them_at_each_hop() {
    for (credentials, authorization) in [
        (json!({"bearer": "secret"}), "Bearer secret"),
        (json!({"basic": {"username": "u", "password": "p"}}), "Basic dTpw"),
    ] {
        let scene = Scene::start().await;
        scene.set_provider("cdn", &credentials).await;
        scene.provider.serve("/d/a", to("b?x=1"));
        scene.provider.serve("/d/b", to("/c#fragment"));
        scene.provider.serve("/c", to(&scene.provider.url("/a.png").replace("http:", "")));
        scene.serve(fresh());
        let link = scene.provider.url("/d/a");
        scene.sent_image(&json!({"link": format!("cdn/{link}")})).await;
        let expected = ["/d/a", "/d/b", "/c", "/a.png"];
        let expected = expected.map(|path| (path.to_owned(), Some(authorization.to_owned())));
        assert_eq!(asked(&scene.provider), expected);
        assert_eq!(scene.provider.seen().requests[1].query.as_deref(), Some("x=1"));
    }
}

#[tokio::test]
async fn s15_the_eleventh_hop_and_a_loop_end_the_fetch() {
    let scene = Scene::start().await;
    for n in 0..11 {
        scene.provider.serve(&format!("/{n}"), to(&format!("/{}", n + 1)));
    }
    scene.provider.serve("/11", png());
    scene.sent_image(&json!({"link": scene.provider.url("/1")})).await;
    assert_eq!(scene.counts(), counts(11, 0, 1, 1));
    scene.provider.serve("/loop", to("/loop"));
    for path in ["/0", "/loop"] {
        let before = scene.counts();
        let reply = scene.send_image(&json!({"link": scene.provider.url(path)})).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (500, 1014), "{reply:?}");
        assert!(details.contains("more than 10 times"), "{details}");
        assert_eq!(scene.counts() - before, counts(11, 0, 0, 0));
    }
}

#[tokio::test]
async fn s15_a_hop_to_a_denied_place_is_refused_before_it_is_dialled() {
    let scene = Scene::start().await;
    let door = TcpListener::bind("127.0.0.2:0").unwrap();
    door.set_nonblocking(true).unwrap();
    let port = door.local_addr().unwrap().port();
    let own = format!("http://{}/v1/media", scene.proxy.api);
    for (n, location) in [
        &format!("http://127.0.0.2:{port}/"),
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:1/",
        &own,
    ]
    .into_iter()
    .enumerate()
    {
        scene.serve(to(location));
        let reply = scene.send().await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009), "{location}: {reply:?}");
        assert!(details.contains("denied"), "{details}");
        assert_eq!(scene.metric("prembridge_egress_denied_total").await, n as u64 + 1, "{location}");
    }
    assert!(door.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    assert_eq!(scene.counts(), counts(5, 0, 0, 0));
}

/// However many hops went well before.
#[tokio::test]
async fn s15_the_last_hop_is_judged_as_the_first() {
    let scene = Scene::start().await;
    for n in 0..9 {
        scene.provider.serve(&format!("/{n}"), to(&format!("/{}", n + 1)));
    }
    scene.provider.serve("/9", to("http://169.254.169.254/latest/meta-data/"));
    let reply = scene.send_image(&json!({"link": scene.provider.url("/0")})).await;
    assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
    assert_eq!(scene.counts(), counts(10, 0, 0, 0));
    assert_eq!(scene.metric("prembridge_egress_denied_total").await, 1);
}

#[tokio::test]
async fn s15_what_is_no_link_is_not_followed() {
    let scene = Scene::start().await;
    let addr = scene.provider.addr;
    for location in [
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
        &format!("http://user:secret@{addr}/b"),
        "http://",
        "/a b",
        "http://[::1/",
    ] {
        scene.serve(to(location));
        let reply = scene.send().await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (500, 1014), "{location}: {reply:?}");
        assert!(details.contains("redirect") && !details.contains("secret"), "{details}");
    }
    scene.serve(Answer::new(302));
    let reply = scene.send().await;
    assert_eq!((reply.status, reply.code()), (500, 1014), "{reply:?}");
    scene.serve(Answer::new(300).header("Location", "/b"));
    assert_eq!(scene.send().await.code(), 1014, "a choice is nobody's to make");
    assert_eq!(scene.counts(), counts(9, 0, 0, 0));
}

/// The shortest hop decides how long the file may be used, and validators stay with their URL.
#[tokio::test]
async fn redirects_limit_what_is_remembered() {
    for profile in ["documented", "rfc"] {
        let scene = Scene::under(profile).await;
        for (status, headers, gets) in [
            (301, None, 1),
            (308, None, 1),
            (302, None, 2),
            (303, None, 2),
            (307, None, 2),
            (307, Some("max-age=60"), 1),
            (301, Some("max-age=1"), 2),
            (301, Some("no-store"), 2),
        ] {
            let case = format!("/{status}-{}", headers.unwrap_or_default());
            let target = format!("{case}/target");
            scene.provider.serve(&target, fresh());
            let hop = Answer::new(status).header("Location", &target);
            let hop = headers.into_iter().fold(hop, |hop, value| hop.header("Cache-Control", value));
            scene.provider.serve(&case, hop);
            let before = scene.counts().g;
            for _ in 0..2 {
                scene.sent_image(&json!({"link": scene.provider.url(&case)})).await;
                scene.advance(1);
            }
            assert_eq!(scene.counts().g - before, 2 * gets, "{case} under {profile}");
        }
    }
}

#[tokio::test]
async fn conditions_go_to_the_url_that_gave_the_validators() {
    let scene = Scene::start().await;
    scene.serve(to("/one.png"));
    let tagged = || png().header("ETag", "\"a\"").header("Cache-Control", "no-cache");
    scene.provider.serve("/one.png", tagged().revalidating([]));
    scene.provider.serve("/two.png", tagged());
    scene.sent().await;
    scene.sent().await;
    // GET of both, then GET of the redirect, and the question to its target.
    assert_eq!(scene.counts(), counts(3, 1, 1, 2));
    scene.serve(to("/two.png"));
    scene.sent().await;
    assert_eq!(scene.counts(), counts(5, 1, 1, 3), "an equal tag elsewhere means nothing");
}
