//! Cases that are only headers: which sends ask the provider, and how.

use std::collections::HashMap;

use super::scene::*;
use crate::stub::Answer;

const AGO: (&str, &str) = ("Last-Modified", "Mon, 14 Nov 2022 22:13:20 GMT");
const SINCE: (&str, &str) = ("Last-Modified", "Tue, 14 Nov 2023 21:00:00 GMT");
const TAG: (&str, &str) = ("ETag", "\"a\"");
const NO_CACHE: (&str, &str) = cc("no-cache");
const MINUTE_LONG: (&str, &str) = cc("max-age=60");

const fn cc(value: &str) -> (&str, &str) {
    ("Cache-Control", value)
}

/// A case: the headers of the answer, the seconds before each send, and what both profiles make of it.
struct Row {
    case: &'static str,
    headers: &'static [(&'static str, &'static str)],
    pauses: &'static [i64],
    documented: (usize, usize, usize),
    rfc: (usize, usize, usize),
}

/// The same under both profiles.
const fn row(
    case: &'static str,
    headers: &'static [(&'static str, &'static str)],
    pauses: &'static [i64],
    both: (usize, usize, usize),
) -> Row {
    Row { case, headers, pauses, documented: both, rfc: both }
}

impl Row {
    const fn rfc(self, rfc: (usize, usize, usize)) -> Self {
        Self { rfc, ..self }
    }
}

/// The provider gives the same bytes at each time, and a 304 when it is asked for changes.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("24", &[("Expires", "Tue, 14 Nov 2023 23:13:20 GMT")], &[0, 1], (2, 0, 1)).rfc((1, 0, 1)),
    row("24r RFC 850", &[("Expires", "Tuesday, 14-Nov-23 23:13:20 GMT")], &[0, 1], (2, 0, 1)).rfc((1, 0, 1)),
    row("24r asctime", &[("Expires", "Tue Nov 14 23:13:20 2023")], &[0, 1], (2, 0, 1)).rfc((1, 0, 1)),
    row("24 past", &[("Expires", "Tue, 14 Nov 2023 22:13:20 GMT")], &[0, 1], (2, 0, 1)),
    row("24 junk", &[("Expires", "0")], &[0, 1], (2, 0, 1)),
    row("1", &[], &[0, 0, 0], (3, 0, 1)),
    row("3", &[cc("max-age=604800")], &[0, 1, 6 * DAY], (1, 0, 1)),
    row("4", &[MINUTE_LONG], &[0, 59, 2], (2, 0, 1)),
    row("6", &[MINUTE_LONG, TAG], &[0, 61], (2, 0, 1)).rfc((1, 1, 1)),
    row("7", &[MINUTE_LONG, TAG, SINCE], &[0, 61, 1], (1, 1, 1)),
    row("10", &[NO_CACHE, SINCE], &[0, 1, 1, 1], (1, 3, 1)),
    row("13", &[NO_CACHE], &[0, 1], (2, 0, 1)),
    row("14", &[NO_CACHE, TAG], &[0, 1], (2, 0, 1)).rfc((1, 1, 1)),
    row("15", &[cc("no-store")], &[0, 1, 1], (3, 0, 3)),
    row("15 long", &[cc("no-store, max-age=9999")], &[0, 1, 1], (3, 0, 3)),
    row("15 letters", &[cc("No-Store, max-age=9999"), TAG, SINCE], &[0, 1, 1], (3, 0, 3)),
    row("15 lines", &[cc("max-age=9999"), cc("NO-STORE")], &[0, 1, 1], (3, 0, 3)),
    row("16", &[cc("private, max-age=3600")], &[0, 1], (2, 0, 2)),
    row("16 validators", &[cc("Private, max-age=3600"), TAG, SINCE], &[0, 1], (2, 0, 2)),
    row("17", &[cc("max-age=0")], &[0, 0], (2, 0, 1)),
    row("19", &[cc("max-age=3600"), ("Age", "7200")], &[0, 0], (2, 0, 1)),
    row("19 young", &[cc("max-age=3600"), ("Age", "3599")], &[0, 0, 1], (2, 0, 1)),
    row("20", &[cc("MAX-AGE=60")], &[0, 1], (1, 0, 1)),
    row("20 quoted", &[cc("Max-Age=\"60\"")], &[0, 1], (1, 0, 1)),
    row("21", &[cc("max-age=1800, max-age=1")], &[0, 2], (2, 0, 1)),
    row("21 reversed", &[cc("max-age=1, max-age=1800")], &[0, 2], (2, 0, 1)),
    row("21 lines", &[cc("max-age=1800"), cc("max-age=1")], &[0, 2], (2, 0, 1)),
    row("21 lines reversed", &[cc("max-age=1"), cc("max-age=1800")], &[0, 2], (2, 0, 1)),
    row("22 word", &[cc("max-age=abc")], &[0, 1], (2, 0, 1)),
    row("22 negative", &[cc("max-age=-1")], &[0, 1], (2, 0, 1)),
    row("22 fraction", &[cc("max-age=3600.5")], &[0, 1], (2, 0, 1)),
    row("22 huge", &[cc("max-age=99999999999999999999")], &[0, 1], (1, 0, 1)),
    // What is alone has no lifetime, and nobody guesses one; asking whether it changed is not a guess.
    row("25", &[AGO], &[0, 1], (2, 0, 1)).rfc((1, 1, 1)),
    row("50", &[cc("max-age=3600"), ("Vary", "*")], &[0, 1], (2, 0, 1)),
    row("50 validators", &[cc("max-age=3600"), TAG, SINCE, ("Vary", "Accept, *")], &[0, 1], (2, 0, 1)),
    row("50 Accept", &[cc("max-age=3600"), ("Vary", "Accept")], &[0, 1], (1, 0, 1)),
];

fn answer(row: &Row) -> Answer {
    let plain = Answer::ok(image_bytes(row.case)).content_type("image/png");
    let answer = row.headers.iter().fold(plain, |answer, (name, value)| answer.header(name, value));
    answer.revalidating([])
}

async fn check(profile: &str) {
    let scene = Scene::under(profile).await;
    for (at, row) in ROWS.iter().enumerate() {
        let path = format!("/{at}.png");
        scene.provider.serve(&path, answer(row));
        let before = scene.counts();
        let mut ids = Vec::new();
        for pause in row.pauses {
            scene.advance(*pause);
            ids.push(scene.sent_message(&image(&scene.provider.url(&path))).await["image"]["id"].take());
        }
        let (g, c, u) = if profile == "rfc" { row.rfc } else { row.documented };
        let expected = counts(g, c, u, row.pauses.len());
        assert_eq!(scene.counts() - before, expected, "case {} under {profile}", row.case);
        ids.dedup();
        assert_eq!(ids.len(), u, "case {} under {profile}: as many ids as uploads", row.case);
    }
    // Conditions go out as their answers had them.
    let sent = ["7", "10", "6", "14", "25"].map(|case| {
        let path = format!("/{}.png", ROWS.iter().position(|row| row.case == case).unwrap());
        let requests = scene.provider.seen().requests;
        let asked = requests.into_iter().find(|seen| seen.path == path && seen.is_conditional);
        asked.map(|asked| asked.headers).unwrap_or_default()
    });
    let conditions = |headers: &HashMap<_, _>| {
        ["if-none-match", "if-modified-since"].map(|name| headers.get(name).cloned().unwrap_or_default())
    };
    let sent = sent.map(|headers| conditions(&headers.into_iter().collect()));
    let rfc = |value: &'static str| if profile == "rfc" { value } else { "" };
    let expected = [[TAG.1, SINCE.1], ["", SINCE.1], [rfc(TAG.1), ""], [rfc(TAG.1), ""], ["", rfc(AGO.1)]];
    assert_eq!(sent, expected.map(|pair| pair.map(str::to_owned)), "{profile}");
}

#[tokio::test]
async fn cases_of_headers_alone_as_documented() {
    check("documented").await;
}

#[tokio::test]
async fn cases_of_headers_alone_by_the_rfc() {
    check("rfc").await;
}

/// Answers that differ from one time to the next.
#[tokio::test]
async fn case_02_05_09_11_what_the_provider_changes() {
    let new = |label: &str| Answer::ok(image_bytes(label)).content_type("image/png");
    for profile in ["documented", "rfc"] {
        let scene = Scene::under(profile).await;
        let case = async |path: &str, answers: Vec<Answer>, pauses: &[i64], expected: Counts| {
            scene.provider.script(path, answers);
            let before = scene.counts();
            for pause in pauses {
                scene.advance(*pause);
                scene.sent_message(&image(&scene.provider.url(path))).await;
            }
            assert_eq!(scene.counts() - before, expected, "{path} under {profile}");
        };
        case("/02", vec![new("a"), new("b"), new("c")], &[0, 0, 0], counts(3, 0, 3, 3)).await;
        let minute = |label: &str| new(label).header("Cache-Control", "max-age=60");
        case("/05", vec![minute("d"), minute("e")], &[0, 61], counts(2, 0, 2, 2)).await;
        let dated = |label: &str, tag: &str, date: &str| {
            minute(label).header("ETag", tag).header("Last-Modified", date)
        };
        let both = vec![dated("f", TAG.1, AGO.1), dated("g", "\"b\"", SINCE.1)];
        case("/09", both, &[0, 61, 59], counts(1, 1, 2, 3)).await;
        // The provider ignores the condition; its body is not waited for.
        let same = new("h").header("Cache-Control", "no-cache").header("Last-Modified", SINCE.1);
        let unread = || same.clone().stall_after(0);
        case("/11", vec![same.clone(), unread(), unread()], &[0, 0, 0], counts(1, 2, 1, 3)).await;
    }
}

/// A 304 may say for how long from now on; one about something else is not believed.
#[tokio::test]
async fn a_304_updates_what_is_remembered_or_is_asked_again() {
    for profile in ["documented", "rfc"] {
        let scene = Scene::under(profile).await;
        let first = png().header("Cache-Control", "max-age=60").header("ETag", "\"a\"").header(AGO.0, AGO.1);
        let longer = [("Cache-Control", "max-age=600"), ("ETag", "\"a\"")];
        scene.serve(first.clone().revalidating(longer));
        scene.sent().await;
        scene.advance(MINUTE);
        scene.sent().await;
        scene.advance(599);
        scene.sent().await;
        assert_eq!(scene.counts(), counts(1, 1, 1, 3), "{profile}");
        scene.advance(1);
        scene.serve(first.revalidating([("ETag", "\"b\"")]));
        scene.sent().await;
        assert_eq!(scene.counts(), counts(2, 2, 1, 4), "{profile}: once more, without a condition");
        scene.serve(Answer::new(304));
        scene.advance(MINUTE);
        assert_eq!(scene.send().await.status, 201, "a bare 304 confirms");
        scene.advance(30 * DAY);
        let reply = scene.send().await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "a 304 to no question");
        assert!(reply.error().2.contains("304"), "{reply:?}");
    }
}
