//! Messages that come faster than Cloud takes them: fault rows 17 to 19, and that nothing is sent twice for them.

use std::collections::HashSet;

use futures_util::future::join_all;
use prembridge::mock::{self, FaultRule};
use serde_json::Value;

use crate::support::{KEY, PHONE_NUMBER_ID, Proxy, Reply, TO, number, text, until};

/// The id of the second number of [`pair`].
const SALES_ID: &str = "106540352242923";
/// Nobody waits: what cannot go at once is refused at once.
const NO_WAIT: &str = "[pacing]\nmax_wait = \"0s\"\nmessages_per_second = 1000\n";

/// A proxy that is paced in this way.
async fn paced(sections: &str) -> Proxy {
    Proxy::with(sections).await
}

/// The same with two numbers, of which the second is called by the name of `sales`.
async fn pair(sections: &str) -> Proxy {
    let numbers = [
        number("support", PHONE_NUMBER_ID, "hosts = [\"support\"]"),
        number("sales", SALES_ID, "hosts = [\"sales\"]"),
    ];
    Proxy::numbers(sections, &numbers.concat()).await
}

/// Sends a text by way of `host`.
async fn send(proxy: &Proxy, host: &str, to: &str) -> Reply {
    let key = if host == "sales" { format!("{KEY}-sales") } else { KEY.to_owned() };
    let headers = [("Host", host), ("Authorization", &*format!("Bearer {key}"))];
    proxy.connect().await.call("POST", "/v1/messages", &headers, text(to).to_string().as_bytes()).await
}

fn fault(proxy: &Proxy, line: &str) {
    proxy.mock.fault(line.parse().unwrap());
}

/// Asserts that it is our refusal, and gives its details.
fn refused_here(reply: &Reply) -> String {
    let (code, title, details) = reply.error();
    assert_eq!((reply.status, code, title.as_str()), (429, 1015, "Too many requests"), "{reply:?}");
    assert!(details.ends_with("; nothing was sent") && !details.contains("cloud "), "{details}");
    assert!(retry_after(reply) >= 1, "{reply:?}");
    details
}

fn retry_after(reply: &Reply) -> u64 {
    reply.header("retry-after").unwrap().parse().unwrap()
}

/// The value of one sample; absent ones are 0.
async fn metric(proxy: &Proxy, sample: &str) -> u64 {
    let metrics = proxy.metrics().await;
    let value = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

async fn count(proxy: &Proxy, outcome: &str) -> u64 {
    metric(proxy, &format!("prembridge_paced_messages_total{{outcome=\"{outcome}\"}}")).await
}

#[tokio::test]
async fn what_comes_too_fast_waits_and_what_would_wait_too_long_is_refused() {
    let proxy = pair("[pacing]\nmax_wait = \"1s\"\nmessages_per_second = 2\n").await;
    let mine = join_all((0..8).map(|user| {
        let (proxy, to) = (&proxy, format!("1631555123{user}"));
        async move { send(proxy, "support", &to).await }
    }));
    // Each of its own waits for nobody but its own.
    let others = async { [send(&proxy, "sales", TO).await, send(&proxy, "sales", TO).await] };
    let (mine, others) = tokio::join!(mine, others);
    assert!(others.iter().all(|reply| reply.status == 201), "{others:?}");
    let (sent, refused): (Vec<_>, Vec<_>) = mine.into_iter().partition(|reply| reply.status == 201);
    // One at once, one after half a second and maybe one after a whole; more only if the requests came in slowly.
    assert!(sent.len() >= 2 && !refused.is_empty(), "{} {}", sent.len(), refused.len());
    for reply in &refused {
        let details = refused_here(reply);
        assert!(
            details.contains("2 messages per second") && details.contains("pacing.max_wait"),
            "{details}"
        );
    }
    assert_eq!(proxy.mock.accepted(), sent.len() as u64 + 2, "nothing was sent of what was refused");
    assert_eq!(count(&proxy, "refused").await, refused.len() as u64);
    assert!(count(&proxy, "waited").await >= 1);
    let waits = metric(&proxy, "prembridge_pacing_wait_seconds_count").await;
    assert_eq!(waits, count(&proxy, "waited").await);
}

#[tokio::test]
async fn a_number_may_have_a_rate_of_its_own() {
    let number = number("support", PHONE_NUMBER_ID, "messages_per_second = 3");
    let proxy = Proxy::numbers("[pacing]\nmessages_per_second = 20\n", &number).await;
    assert_eq!(proxy.app.state().numbers.load().all()[0].pacer.as_ref().unwrap().per_second(), 3);
    assert_eq!(proxy.mock.seen(), 0, "nobody has to be asked");
}

#[tokio::test]
async fn graph_tells_the_rate() {
    for (level, per_second) in [("STANDARD", 80), ("HIGH", 1000), ("NOT_APPLICABLE", 80)] {
        let options = mock::Options { throughput: level.to_owned(), ..mock::Options::default() };
        let number = number("support", PHONE_NUMBER_ID, "");
        let proxy = Proxy::behind(options, "[pacing]\n", &number).await;
        let pacer = proxy.app.state().numbers.load().all()[0].pacer.clone().unwrap();
        until(|| !proxy.mock.recorded().is_empty()).await;
        until(|| pacer.per_second() == per_second).await;
        let asked = &proxy.mock.recorded()[0];
        assert_eq!((asked.method.as_str(), asked.query.as_deref()), ("GET", Some("fields=throughput")));
        assert_eq!(asked.path, format!("/v26.0/{PHONE_NUMBER_ID}"));
        assert_eq!(proxy.mock.recorded().len(), 1, "it is asked once in an hour");
    }
}

#[tokio::test]
async fn a_question_that_failed_is_soon_asked_again() {
    let faults = vec!["http 500@any:once".parse::<FaultRule>().unwrap()];
    let options = mock::Options { throughput: "HIGH".to_owned(), faults, ..mock::Options::default() };
    let proxy = Proxy::behind(options, "[pacing]\n", &number("support", PHONE_NUMBER_ID, "")).await;
    let pacer = proxy.app.state().numbers.load().all()[0].pacer.clone().unwrap();
    until(|| pacer.per_second() == 1000).await;
    assert_eq!(proxy.mock.seen(), 2);
}

/// It is no call for `/v1/health`, whatever comes of it, and the end does not wait for it.
#[tokio::test]
async fn asking_for_the_rate_is_nobodys_business() {
    for line in ["190@any", "http 500@any", "stall@any"] {
        let options =
            mock::Options { faults: vec![line.parse::<FaultRule>().unwrap()], ..mock::Options::default() };
        let number = number("support", PHONE_NUMBER_ID, "");
        let sections = "[pacing]\n[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"1s\"\n";
        let proxy = Proxy::behind(options, sections, &number).await;
        until(|| proxy.mock.seen() == 1).await;
        proxy.mock.clear_faults();
        let number = std::sync::Arc::clone(&proxy.app.state().numbers.load().all()[0]);
        assert_eq!(number.health.standing(), prembridge::upstream::Standing::Unknown, "{line}");
        assert_eq!(number.pacer.as_ref().unwrap().per_second(), 80, "{line}");
        assert_eq!(proxy.send(&text(TO)).await.status, 201, "{line}");
        assert!(proxy.app.drain().await, "{line}");
    }
}

#[tokio::test]
async fn switched_off_there_is_nothing_of_it() {
    let proxy = paced("[pacing]\nenabled = false\nmax_wait = \"0s\"\nmessages_per_second = 1\n").await;
    for _ in 0..60 {
        assert_eq!(proxy.send(&text(TO)).await.status, 201);
    }
    for (line, seen) in [("130429", 61), ("131056", 62), ("http 429 empty retry-after 100", 63)] {
        fault(&proxy, &format!("{line}:once"));
        let reply = proxy.send(&text(TO)).await;
        assert_eq!((reply.status, reply.code(), proxy.mock.seen()), (429, 1015, seen), "{line}");
        proxy.mock.clear_faults();
    }
    assert_eq!(proxy.send(&text(TO)).await.status, 201);
    assert!(!proxy.metrics().await.contains("paced_messages_total{"));
}

/// Row 17.
#[tokio::test]
async fn a_pause_that_cloud_asks_for_is_kept_by_its_number_alone() {
    let proxy = pair("[pacing]\nmax_wait = \"1s\"\nmessages_per_second = 1000\n").await;
    let act = serde_json::json!({"http": {"status": 400, "content_type": "application/json",
        "body": r#"{"error":{"message":"m","code":130429}}"#, "headers": {"retry-after": "1000"}}});
    let rule: Value = serde_json::json!({"act": act, "times": {"next": 1}});
    proxy.mock.fault(serde_json::from_value(rule).unwrap());
    let reply = send(&proxy, "support", TO).await;
    // Longer than any message waits: the client is told what Cloud said.
    assert_eq!((reply.status, reply.code(), retry_after(&reply)), (429, 1015, 1000));
    let reply = send(&proxy, "support", "16315550000").await;
    assert!(refused_here(&reply).contains("the Cloud API throttles this number"), "{reply:?}");
    assert!((900..=1000).contains(&retry_after(&reply)), "{reply:?}");
    assert_eq!(proxy.mock.seen(), 1);
    assert_eq!(send(&proxy, "sales", TO).await.status, 201);
    let headers = [("Host", "support"), ("Authorization", &*format!("Bearer {KEY}"))];
    let read = br#"{"status":"read"}"#;
    let receipt = proxy.connect().await.call("PUT", "/v1/messages/wamid.x", &headers, read).await;
    assert_eq!(receipt.status, 200, "receipts are not paced");
}

#[tokio::test]
async fn what_is_not_graphs_closes_a_number_for_a_minute_at_most() {
    let proxy = paced("[pacing]\nmax_wait = \"1s\"\nmessages_per_second = 1000\n").await;
    fault(&proxy, "http 429 html retry-after 1000:once");
    assert_eq!(proxy.send(&text(TO)).await.status, 429);
    let reply = proxy.send(&text(TO)).await;
    assert!(refused_here(&reply).contains("the Cloud API throttles this number"), "{reply:?}");
    assert!((2..=60).contains(&retry_after(&reply)), "{reply:?}");
    assert_eq!(proxy.mock.seen(), 1);
}

#[tokio::test]
async fn a_pause_that_is_short_enough_is_waited_for() {
    let proxy = paced("[pacing]\nmessages_per_second = 1000\n").await;
    fault(&proxy, "http 429 empty retry-after 1:once");
    let begun = std::time::Instant::now();
    assert_eq!(proxy.send(&text(TO)).await.status, 201);
    assert!(begun.elapsed().as_secs() >= 1);
    assert_eq!((proxy.mock.seen(), proxy.mock.accepted()), (2, 1));
    assert_eq!((count(&proxy, "repeated").await, count(&proxy, "waited").await), (1, 1));
    let calls =
        |outcome| format!("prembridge_upstream_requests_total{{op=\"messages\",outcome=\"{outcome}\"}}");
    assert_eq!((metric(&proxy, &calls("refused")).await, metric(&proxy, &calls("ok")).await), (1, 1));
}

/// Row 18.
#[tokio::test]
async fn a_storm_of_throttling_is_weathered() {
    let proxy = pair("[pacing]\nmessages_per_second = 1000\n").await;
    fault(&proxy, "130429:every 2");
    let replies = join_all((0..12).map(|user| {
        let (proxy, to) = (&proxy, format!("163155512{user:02}"));
        async move { send(proxy, "support", &to).await }
    }))
    .await;
    let (sent, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!(proxy.mock.accepted(), sent.len() as u64);
    let ids: HashSet<_> = sent.iter().map(|reply| reply.json()["messages"][0]["id"].to_string()).collect();
    assert_eq!(ids.len(), sent.len(), "each is another message");
    let users: HashSet<_> = proxy.mock.accepted_messages().into_iter().map(|message| message.to).collect();
    assert_eq!(users.len(), sent.len(), "nobody got two");
    for reply in refused {
        assert_eq!((reply.status, reply.code()), (429, 1015), "{reply:?}");
    }
    assert!(sent.len() >= 6, "{}", sent.len());
    assert!(count(&proxy, "repeated").await >= 1);
}

/// The third refusal is the client's to hear.
#[tokio::test]
async fn a_message_is_sent_three_times_at_most_and_never_taken_twice() {
    let proxy = paced("[pacing]\nmessages_per_second = 1000\n").await;
    fault(&proxy, "130429");
    let reply = proxy.send(&text(TO)).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code, retry_after(&reply)), (429, 1015, 1));
    assert!(details.contains("(cloud 130429, trace "), "{details}");
    assert_eq!((proxy.mock.seen(), proxy.mock.accepted()), (3, 0));
}

#[tokio::test]
async fn nothing_but_throttling_is_repeated() {
    let proxy = paced("[pacing]\nmessages_per_second = 1000\n").await;
    let lines = [
        "131056",
        "131048",
        "131047",
        "131000",
        "131016/503",
        "2/503",
        "1/500",
        "http 500 html",
        "http 502 html retry-after 1",
        "http 503 empty retry-after 1",
        "http 302 html",
        "http 200 garbage",
        "http 200 no-messages",
        "truncate",
        "reset-after-read",
        "reset-before-read",
    ];
    for (at, line) in lines.into_iter().enumerate() {
        proxy.mock.clear();
        proxy.mock.clear_faults();
        fault(&proxy, line);
        let reply = proxy.send(&text(&format!("163155512{at:02}"))).await;
        assert!(reply.status >= 400, "{line}: {reply:?}");
        assert_eq!((proxy.mock.seen(), proxy.mock.accepted() <= 1), (1, true), "{line}");
    }
    assert_eq!(count(&proxy, "repeated").await, 0);
}

/// Row 19.
#[tokio::test]
async fn a_pair_that_cloud_refuses_slows_nobody_else() {
    let proxy = paced(NO_WAIT).await;
    let act = serde_json::json!({"http": {"status": 400, "content_type": "application/json",
        "body": r#"{"error":{"message":"m","code":131056}}"#, "headers": {"retry-after": "1000"}}});
    let rule: Value = serde_json::json!({"act": act, "times": {"next": 1}});
    proxy.mock.fault(serde_json::from_value(rule).unwrap());
    let reply = proxy.send(&text(TO)).await;
    assert_eq!((reply.status, reply.code(), retry_after(&reply)), (429, 1015, 1000), "as Cloud said");
    for spelling in [TO, "+1 (631) 555-1234"] {
        let details = refused_here(&proxy.send(&text(spelling)).await);
        assert!(details.contains("131056"), "{details}");
    }
    assert_eq!((proxy.mock.seen(), proxy.send(&text("16315559999")).await.status), (1, 201));
}

#[tokio::test]
async fn the_forty_sixth_message_to_a_user_is_refused() {
    let proxy = paced(NO_WAIT).await;
    for user in [TO, "US.13491208655302741918"] {
        for message in 0..45 {
            assert_eq!(proxy.send(&text(user)).await.status, 201, "{user} {message}");
        }
        // Where this machine takes long for the forty-five, one more may go in each six seconds of that.
        let mut refused = Vec::new();
        for _ in 0..20 {
            let reply = proxy.send(&text(user)).await;
            if reply.status != 201 {
                refused.push(reply);
            }
        }
        let details = refused_here(refused.first().unwrap());
        assert!(details.contains("45 messages at once") && details.contains("pacing.enabled"), "{details}");
        assert!(retry_after(&refused[0]) <= 6, "{:?}", refused[0]);
    }
    assert_eq!(proxy.send(&text("16315559999")).await.status, 201);
}

#[tokio::test]
async fn maintenance_closes_the_number() {
    let proxy = pair(NO_WAIT).await;
    fault(&proxy, "131057:once");
    let reply = send(&proxy, "support", TO).await;
    assert_eq!((reply.status, reply.code(), retry_after(&reply)), (503, 1011, 60), "as without pacing");
    let reply = send(&proxy, "support", TO).await;
    assert!(refused_here(&reply).contains("throttles"), "{reply:?}");
    assert!(retry_after(&reply) <= 3, "{reply:?}");
    assert_eq!(send(&proxy, "sales", TO).await.status, 201);
    assert_eq!(proxy.mock.seen(), 2);
}
