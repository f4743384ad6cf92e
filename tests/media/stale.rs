//! Whatever the order of sends, changes and pauses: nobody gets bytes that are older than the provider allowed.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::scene::*;
use crate::stub::Answer;

/// How long an answer may be used, and whether it has an `ETag`.
type Kind = (i64, bool);
/// Seconds before a send, and whether the file has changed by then.
type Step = (i64, bool);

async fn check(profile: &str, (lifetime, has_tag): Kind, steps: &[Step]) {
    let scene = Scene::under(profile).await;
    let mut version = 0;
    let serve = |version: usize| {
        let answer = Answer::ok(image_bytes(&version.to_string())).content_type("image/png");
        let answer = answer.header("Cache-Control", &format!("max-age={lifetime}"));
        let answer = if has_tag {
            let dated = answer.header("ETag", &format!("\"{version}\""));
            let date = format!("Tue, 14 Nov 2023 21:00:{:02} GMT", version % 60);
            dated.header("Last-Modified", &date).revalidating([])
        } else {
            answer
        };
        scene.serve(answer);
    };
    serve(version);
    let mut now = 0;
    // When each version was last the provider's, which it is until it changes.
    let mut current = vec![0];
    let mut versions = HashMap::new();
    for (pause, changes) in steps {
        now += pause;
        scene.advance(*pause);
        current[version] = now;
        if *changes {
            version += 1;
            current.push(now);
            serve(version);
        }
        let (uploads, asked) = (scene.uploads().len(), scene.provider.seen().requests.len());
        let id = scene.sent().await;
        if scene.uploads().len() > uploads {
            versions.insert(id.clone(), version);
        }
        let is_asked = scene.provider.seen().requests.len() > asked;
        let sent = versions[&id];
        assert!(!is_asked || sent == version, "who asks gets what is there: {sent}, not {version}");
        assert!(sent == version || current[sent] > now - lifetime, "{sent} instead of {version} at {now}");
    }
}

#[test]
fn nothing_is_used_for_longer_than_its_lifetime() {
    let steps = prop::collection::vec((0..8_i64, any::<bool>()), 1..15);
    let cases = (prop_oneof!["rfc", "documented"], (0..10_i64, any::<bool>()), steps);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    TestRunner::new(crate::support::seeded::config(24))
        .run(&cases, |(profile, kind, steps)| {
            runtime.block_on(check(&profile, kind, &steps));
            Ok(())
        })
        .unwrap();
}
