//! Everything that can go wrong, in an order that a seed decides.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{alone, http2};
use crate::stub::http2::{Deed, ENHANCE_YOUR_CALM, Http2Stub, INTERNAL_ERROR, NO_ERROR, Welcome};
use crate::stub::{Act, Client, Proxy, Reply, Stub, accepted, answer};
use crate::support::random::Random;

const CLIENTS: usize = 20;
const EACH: usize = 20;
const SEEDS: [u64; 3] = [1, 2, 3];
const IMPATIENT: &str = "first_byte_timeout = \"500ms\"";

/// Each client sends its messages one by one, over one connection.
async fn crowd(proxy: &Proxy) -> Vec<(String, Reply)> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let addr = proxy.0.addresses().api;
        clients.spawn(async move {
            let mut connection = Client::to(addr).await;
            let mut replies = Vec::new();
            for number in 0..EACH {
                let text = format!("message {client}.{number}");
                let reply = connection.send(&text).await;
                replies.push((text, reply));
            }
            replies
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

/// What the client was told is what the server knows. `taken` tells the ids under which a message was taken.
async fn audit(proxy: &Proxy, replies: &[(String, Reply)], taken: impl Fn(&str) -> Vec<String>) {
    let (mut good, mut doubts, mut unsent, mut refused) = (0, 0, 0, 0);
    for (text, reply) in replies {
        let taken = taken(text);
        assert!(taken.len() <= 1, "{text} was taken twice: {taken:?}");
        match reply.status {
            201 => {
                assert_eq!(reply.id(), taken.first().cloned(), "{text} got another's id");
                good += 1;
            }
            500 | 504 => {
                reply.assert_in_doubt(reply.status);
                doubts += 1;
            }
            503 => {
                reply.assert_unsent();
                assert_eq!(taken, [""; 0], "{text} was sent after all");
                unsent += 1;
            }
            _ => {
                assert_eq!((reply.status, taken.len()), (400, 0), "{text}: {reply:?}");
                refused += 1;
            }
        }
    }
    println!("{good} sent, {doubts} in doubt, {unsent} not sent, {refused} refused");
    assert_eq!(replies.len(), CLIENTS * EACH);
    assert!(good > doubts && doubts > 0 && refused > 0);
    assert_eq!((proxy.in_doubt().await, proxy.calls("unsent").await), (doubts, unsent));
    assert_eq!((proxy.calls("ok").await, proxy.calls("refused").await), (good, refused));
    proxy.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_keeps_its_promises() {
    let early = answer("400 Bad Request", "", r#"{"error":{"message":"no","code":100}}"#);
    let mut half = accepted("wamid.half");
    half.truncate(half.len() - 20);
    let acts = [
        (40, Act::Answer(Vec::new())),
        (10, Act::AnswerAndClose(Vec::new())),
        (5, Act::AnswerAndReset(Vec::new())),
        (5, Act::AnswerAndMore(accepted("wamid.stray"))),
        (3, Act::Drip(Vec::new(), Duration::from_micros(50))),
        (5, Act::AnswerEarly(early)),
        (4, Act::CloseConnection),
        (3, Act::ResetAfterHead),
        (3, Act::ResetAfterRead),
        (3, Act::CloseAfterRead),
        (3, Act::AnswerAndClose(half.clone())),
        (3, Act::AnswerAndReset(half)),
        (1, Act::Silence),
    ];
    for seed in SEEDS {
        let mut random = Random(seed);
        let stub = Stub::start((0..2 * CLIENTS * EACH).map(|_| random.pick(&acts))).await;
        for workers in ["", "[server]\nworkers = 3"] {
            let cloud = if workers.is_empty() { alone(IMPATIENT) } else { format!("{IMPATIENT}\n{workers}") };
            let proxy = Proxy::start(&stub.base_url(), &cloud).await;
            let before = stub.seen().whole.len();
            let replies = crowd(&proxy).await;
            let whole: Vec<_> = (1..).zip(stub.seen().whole).skip(before).collect();
            let taken = |text: &str| {
                let own = whole.iter().filter(|(_, whole)| whole == text);
                own.map(|(number, text)| format!("wamid.{number}.{text}")).collect()
            };
            audit(&proxy, &replies, taken).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_keeps_its_promises() {
    let deeds = [
        (150, Deed::Answer),
        (10, Deed::Hint),
        (10, Deed::Refuse),
        (10, Deed::RefuseLate),
        (5, Deed::Early),
        (3, Deed::Reset(NO_ERROR)),
        (3, Deed::Reset(INTERNAL_ERROR)),
        (3, Deed::HalfAndReset(INTERNAL_ERROR)),
        (2, Deed::HalfAndClose),
        (2, Deed::Close),
        (5, Deed::Leave),
        (5, Deed::Cut(NO_ERROR)),
        (3, Deed::Cut(ENHANCE_YOUR_CALM)),
        (3, Deed::CutAndClose(NO_ERROR)),
        (2, Deed::Silence),
    ];
    let welcomes = [(9, Welcome::Serve), (1, Welcome::Close)];
    for seed in SEEDS {
        for workers in ["", "[server]\nworkers = 3"] {
            let mut random = Random(seed);
            let stub = Http2Stub::start((0..CLIENTS * EACH).map(|_| random.pick(&deeds))).await;
            stub.welcome((0..100).map(|_| random.pick(&welcomes)));
            let cloud = format!("http = \"2\"\n{IMPATIENT}");
            let cloud = if workers.is_empty() { http2(IMPATIENT) } else { format!("{cloud}\n{workers}") };
            let proxy = Proxy::start(&stub.base_url(), &cloud).await;
            let replies = crowd(&proxy).await;
            let seen = stub.seen();
            let taken = |text: &str| {
                let own = seen.taken.iter().filter(|taken| taken.text == text);
                own.map(|taken| taken.id.clone()).collect()
            };
            audit(&proxy, &replies, taken).await;
            assert_eq!(seen.nonsense, [""; 0]);
        }
    }
}
