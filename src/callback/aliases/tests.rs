use std::pin::pin;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::store::{Batch, Sqlite, UserRow};

const NOW: i64 = 1_700_000_000;

/// One number over a store in memory.
struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: TaskTracker,
    aliases: Aliases,
}

async fn over(store: Arc<dyn Store>, clock: Clock, setting: WaId, most: usize) -> Parts {
    let tasks = TaskTracker::new();
    let ending = CancellationToken::new();
    // Nothing waits for company here.
    ending.cancel();
    let writes = Writes::new(Arc::clone(&store), tasks.clone(), ending);
    let aliases = Aliases::open("support".to_owned(), setting, most, writes, clock.clone()).await.unwrap();
    Parts { store, clock, tasks, aliases }
}

async fn parts(setting: WaId) -> Parts {
    over(Arc::new(Sqlite::memory().unwrap()), Clock::fixed(NOW), setting, 100).await
}

impl Parts {
    /// What the client is told after a message.
    async fn send(&self, written: &str, wa_id: Option<&str>) -> String {
        let digits = (!written.contains('.')).then_some(written);
        self.aliases.answered(Sent { input: written, digits }, wa_id).await.into_owned()
    }

    /// What the client sees in a callback.
    fn sees(&self, id: &str) -> String {
        self.aliases.shown(id).unwrap_or_else(|| id.to_owned())
    }

    /// What the client is told when it asks.
    async fn asks(&self, written: &str) -> String {
        self.aliases
            .known_as([written].into_iter())
            .await
            .remove(written)
            .unwrap_or_else(|| written.to_owned())
    }

    async fn written(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn rows(&self) -> Vec<(String, String)> {
        self.written().await;
        let rows = self.store.aliases("support", self.aliases.setting, 100).await.unwrap();
        let mut rows: Vec<_> = rows.into_iter().map(|row| (row.id, row.shown.unwrap())).collect();
        rows.sort();
        rows
    }

    async fn again(self) -> Self {
        self.written().await;
        let (setting, most) = (self.aliases.setting, self.aliases.most);
        over(self.store, self.clock, setting, most).await
    }

    async fn pair(&self, user_id: &str, wa_id: &str) {
        let user = UserRow {
            number: "support".to_owned(),
            user_id: user_id.to_owned(),
            wa_id: Some(wa_id.to_owned()),
        };
        self.store.queue_callbacks(Batch { at: NOW, users: vec![user], ..Batch::default() }).await.unwrap();
        self.aliases.paired(user_id, wa_id);
    }
}

fn pair(id: &str, shown: &str) -> (String, String) {
    (id.to_owned(), shown.to_owned())
}

#[tokio::test]
async fn as_cloud_remembers_spellings_that_differ() {
    let parts = parts(WaId::AsCloud).await;
    assert_eq!(parts.send("551187654321", Some("551187654321")).await, "551187654321");
    assert_eq!(parts.asks("5511987654321").await, "5511987654321", "nobody has named them");
    assert_eq!(parts.send("5511987654321", Some("551187654321")).await, "551187654321");
    assert_eq!(parts.sees("551187654321"), "551187654321");
    assert_eq!(parts.send("5511987654321", None).await, "551187654321", "where Cloud names nobody");
    assert_eq!(parts.rows().await, [pair("5511987654321", "551187654321")]);
    let parts = parts.again().await;
    assert_eq!(parts.asks("5511987654321").await, "551187654321");
    assert_eq!(parts.asks("551187654321").await, "551187654321");
}

/// As when a user's account gets the ninth digit.
#[tokio::test]
async fn as_cloud_the_last_answer_counts() {
    let parts = parts(WaId::AsCloud).await;
    parts.send("5511987654321", Some("551187654321")).await;
    parts.send("05511987654321", Some("551187654321")).await;
    assert_eq!(parts.send("551187654321", Some("5511987654321")).await, "5511987654321");
    for id in ["5511987654321", "551187654321", "05511987654321"] {
        assert_eq!(parts.asks(id).await, "5511987654321", "{id}");
    }
    assert_eq!(parts.send("5511987654321", Some("551187654321")).await, "551187654321", "and back");
    for id in ["5511987654321", "551187654321", "05511987654321"] {
        assert_eq!(parts.asks(id).await, "551187654321", "{id}");
    }
}

#[tokio::test]
async fn as_sent_the_first_spelling_stands_for_all() {
    let parts = parts(WaId::AsSent).await;
    assert_eq!(parts.sees("551187654321"), "551187654321");
    assert_eq!(parts.send("551187654321", Some("551187654321")).await, "551187654321");
    assert_eq!(
        parts.send("5511987654321", Some("551187654321")).await,
        "551187654321",
        "Cloud's own was first"
    );
    assert_eq!(parts.send("5215512345678", Some("525512345678")).await, "5215512345678");
    assert_eq!(parts.send("525512345678", Some("525512345678")).await, "5215512345678");
    let parts = parts.again().await;
    for (id, shown) in [
        ("551187654321", "551187654321"),
        ("5511987654321", "551187654321"),
        ("5215512345678", "5215512345678"),
        ("525512345678", "5215512345678"),
    ] {
        assert_eq!((parts.sees(id), parts.asks(id).await), (shown.to_owned(), shown.to_owned()), "{id}");
    }
    assert_eq!(parts.send("551187654321", Some("551187654321")).await, "551187654321");
}

#[tokio::test]
async fn business_scoped_ids_are_ids_of_the_same_user() {
    for (setting, by_id, by_number) in
        [(WaId::AsCloud, "16505551234", "16505551234"), (WaId::AsSent, "US.1", "US.1")]
    {
        let parts = parts(setting).await;
        assert_eq!(parts.send("US.1", None).await, "US.1", "nobody knows the number");
        parts.pair("US.1", "16505551234").await;
        assert_eq!(parts.send("US.1", None).await, by_id, "{setting:?}");
        assert_eq!(parts.asks("US.1").await, by_id, "{setting:?}");
        assert_eq!(parts.sees("16505551234"), by_number, "{setting:?}");
        assert_eq!(parts.send("16505551234", Some("16505551234")).await, by_number, "{setting:?}");
    }
    let parts = parts(WaId::AsSent).await;
    parts.pair("US.1", "16505551234").await;
    assert_eq!(parts.asks("US.1").await, "16505551234");
    assert_eq!(parts.send("US.1", None).await, "US.1", "written first");
    assert_eq!(parts.sees("16505551234"), "US.1");
}

/// A user who takes another number along, or an id that Cloud names beside the wrong one.
#[tokio::test]
async fn no_number_is_shown_as_another_for_a_business_scoped_id() {
    let (one, two) = ("16505551234", "16505550192");
    let parts = parts(WaId::AsSent).await;
    parts.send(one, Some(one)).await;
    parts.pair("US.1", one).await;
    parts.pair("US.1", two).await;
    assert_eq!(parts.sees(two), two);
    assert_eq!(
        parts.send("US.1", None).await,
        "US.1",
        "the number behind it is not that of the first message"
    );
    assert_eq!((parts.sees("US.1"), parts.sees(one)), ("US.1".to_owned(), one.to_owned()));

    for setting in [WaId::AsSent, WaId::AsCloud] {
        let parts = self::parts(setting).await;
        parts.send(one, Some(one)).await;
        parts.send("US.1", Some(one)).await;
        parts.send(two, Some(two)).await;
        assert_eq!(parts.send("US.1", Some(two)).await, two, "{setting:?}");
        assert_eq!((parts.sees(one).as_str(), parts.asks(one).await.as_str()), (one, one), "{setting:?}");
    }

    let parts = self::parts(WaId::AsSent).await;
    parts.send("US.1", Some(one)).await;
    parts.send(two, Some(two)).await;
    assert_eq!(parts.sees(one), "US.1");
    parts.pair("US.1", two).await;
    assert_eq!(parts.sees(one), "US.1", "not by a detour");
}

#[tokio::test]
async fn an_id_that_is_over_stands_for_nobody() {
    let number = "16505551234";
    for is_told in [true, false] {
        let parts = parts(WaId::AsSent).await;
        parts.send("US.1", None).await;
        parts.pair("US.1", number).await;
        parts.send("01116505551234", Some(number)).await;
        assert_eq!(parts.sees("01116505551234"), "US.1");
        if is_told {
            parts.aliases.ended("US.1");
            assert_eq!(parts.rows().await, []);
        }
        // Another user, or the same one under another id.
        parts.pair("US.3", number).await;
        for id in ["US.3", number] {
            assert_ne!(parts.sees(id), "US.1", "{is_told}");
        }
        parts.send("US.3", None).await;
        let parts = parts.again().await;
        assert_eq!(parts.sees(number) == "US.3", is_told, "otherwise the client knows the number");
    }
    let parts = parts(WaId::AsCloud).await;
    parts.send("US.1", Some(number)).await;
    parts.aliases.known.invalidate("US.1");
    parts.aliases.ended("US.1");
    assert_eq!(parts.rows().await, [], "also where memory has no room for it");
}

#[tokio::test]
async fn an_id_that_is_over_goes_out_of_the_store_as_well() {
    let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    let parts = over(store, Clock::fixed(NOW), WaId::AsSent, 3).await;
    parts.send("US.1", Some("16505551234")).await;
    for n in 0..9 {
        let id = format!("1631555100{n}");
        parts.send(&id, Some(&id)).await;
        parts.aliases.known.run_pending_tasks();
    }
    assert!(!parts.aliases.known.contains_key("16505551234"));
    let parts = parts.again().await;
    parts.aliases.ended("US.1");
    parts.aliases.settle(&["16505551234".to_owned()], Instant::now()).await.unwrap();
    assert_eq!(parts.sees("16505551234"), "16505551234", "not even before it is gone");
    assert_eq!(parts.rows().await.len(), 9);
}

#[tokio::test]
async fn an_id_is_forgotten_400_days_after_its_last_use() {
    let parts = parts(WaId::AsSent).await;
    parts.send("5511987654321", Some("551187654321")).await;
    parts.clock.advance(399 * DAY);
    assert_eq!(parts.sees("551187654321"), "5511987654321", "used");
    parts.clock.advance(KEPT_FOR);
    let parts = parts.again().await;
    assert_eq!(parts.sees("551187654321"), "5511987654321", "the use was written down");
    parts.clock.advance(KEPT_FOR + 1);
    assert_eq!(parts.sees("551187654321"), "551187654321");
    assert_eq!(
        parts.send("551187654321", Some("551187654321")).await,
        "551187654321",
        "now this is the first"
    );
}

#[tokio::test]
async fn a_use_is_written_down_once_a_day() {
    let parts = parts(WaId::AsSent).await;
    parts.send("5511987654321", Some("551187654321")).await;
    parts.written().await;
    let used_at = async || parts.store.aliases("support", WaId::AsSent, 9).await.unwrap()[0].used_at;
    for (later, expected) in [(DAY - 1, NOW), (1, NOW + DAY), (DAY - 1, NOW + DAY)] {
        parts.clock.advance(later);
        parts.sees("551187654321");
        parts.written().await;
        assert_eq!(used_at().await, expected);
    }
}

#[tokio::test]
async fn what_webhooks_repeat_is_written_down_once_a_day() {
    for setting in [WaId::AsSent, WaId::AsCloud] {
        let parts = parts(setting).await;
        parts.send("US.1", Some("16505551234")).await;
        for (later, expected) in [(0, NOW), (DAY - 1, NOW), (1, NOW + DAY), (DAY - 1, NOW + DAY)] {
            parts.clock.advance(later);
            parts.aliases.paired("US.1", "16505551234");
            parts.written().await;
            for row in parts.store.aliases("support", setting, 9).await.unwrap() {
                assert_eq!(row.used_at, expected, "{setting:?} {row:?}");
            }
        }
    }
}

/// A number with more users than memory has room for.
#[tokio::test]
async fn what_memory_has_no_room_for_is_in_the_store() {
    for setting in [WaId::AsSent, WaId::AsCloud] {
        let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
        let parts = over(store, Clock::fixed(NOW), setting, 3).await;
        let ids = |n: usize| (format!("55119876543{n:02}"), format!("5511876543{n:02}"));
        for n in 0..10 {
            let (written, cloud) = ids(n);
            parts.send(&written, Some(&cloud)).await;
            parts.aliases.known.run_pending_tasks();
        }
        let parts = parts.again().await;
        for n in 0..10 {
            let (written, cloud) = ids(n);
            let shown = if setting == WaId::AsSent { &written } else { &cloud };
            assert_eq!(&parts.asks(&written).await, shown, "{setting:?} {n}");
            assert_eq!(&parts.send(&cloud, Some(&cloud)).await, shown, "{setting:?} {n}");
            if setting == WaId::AsSent {
                assert!(parts.aliases.is_unsure());
                parts.aliases.settle(std::slice::from_ref(&cloud), Instant::now()).await.unwrap();
                assert_eq!(&parts.sees(&cloud), shown);
            }
        }
    }
}

#[tokio::test]
async fn what_waits_to_be_written_counts_before_the_store() {
    let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    let parts = over(store, Clock::fixed(NOW), WaId::AsSent, 3).await;
    for n in 0..9 {
        parts.send(&format!("01116315551{n:03}"), Some(&format!("16315551{n:03}"))).await;
    }
    let parts = parts.again().await;
    assert!(parts.aliases.is_partial());
    parts.aliases.put("16505551234", "01116505551234");
    parts.aliases.known.invalidate("16505551234");
    let gone = (0..9).map(|n| format!("16315551{n:03}")).find(|id| parts.aliases.lacks(id)).unwrap();
    parts.aliases.forget(&gone);
    let asked = ["16505551234".to_owned(), gone.clone()];
    let settled = parts.aliases.settle(&asked, Instant::now());
    assert!(settled.now_or_never().is_some(), "the store need not be asked");
    assert_eq!(parts.sees("16505551234"), "01116505551234");
    assert_eq!(parts.sees(&gone), gone);
}

#[tokio::test]
async fn a_webhook_waits_for_the_answer_of_who_may_be_the_same() {
    let mut parts = parts(WaId::AsSent).await;
    let flight = parts.aliases.sending("5511987654321").unwrap();
    assert!(parts.aliases.is_unsure());
    let [others, same] = [["16505551234".to_owned()], ["551187654321".to_owned()]];
    assert!(parts.aliases.settle(&others, Instant::now()).now_or_never().is_some(), "somebody else");
    {
        let mut waiting = pin!(parts.aliases.settle(&same, Instant::now()));
        assert!(waiting.as_mut().now_or_never().is_none());
        parts.send("5511987654321", Some("551187654321")).await;
        drop(flight);
        assert!(waiting.as_mut().now_or_never().is_some());
    }
    assert!(!parts.aliases.is_unsure());
    assert_eq!(parts.sees("551187654321"), "5511987654321");

    parts.aliases.flights.patience = Duration::from_millis(1);
    let _lost = parts.aliases.sending("551187654321");
    // But not for ever.
    parts.aliases.settle(&same, Instant::now()).await.unwrap();
}

#[tokio::test]
async fn as_cloud_no_webhook_waits() {
    let parts = parts(WaId::AsCloud).await;
    assert!(parts.aliases.sending("5511987654321").is_none());
    assert!(!parts.aliases.is_unsure());
}
