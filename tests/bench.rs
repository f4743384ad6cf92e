//! `prembridge bench` as it is run: its result, what it starts and ends, and what it refuses.
//!
//! Nothing here is about how fast anything is.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::stub::{Act, Stub, answer, closed_port};
use crate::support::process::{Run, command, run, run_with};
use crate::support::tls;
use crate::temp::TempDir;

/// Whom the stub's answers are about.
const TO: &str = "15551234567";
/// In an invalid network (RFC 5737), so that nothing could be reached by mistake.
const ELSEWHERE: &str = "http://192.0.2.1:9";

fn result(run: &Run) -> Value {
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
}

/// So many messages to a stub, one after the other, with this token.
async fn against(url: &str, token: &str, more: &[&str]) -> Run {
    let options = "bench --rate 100 --duration 100ms --warmup 0ms --connections 1 --url";
    let args: Vec<String> =
        options.split(' ').chain([url]).chain(more.iter().copied()).map(str::to_owned).collect();
    let token = token.to_owned();
    let run = move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run_with(&args, "", &[("PREMBRIDGE_BENCH_TOKEN", &token)])
    };
    spawn_blocking(run).await.unwrap()
}

#[test]
fn the_built_in_parts_carry_messages_and_leave_nothing_behind() {
    let folder = TempDir::new();
    // Meant for another proxy: this one must not listen to it, and must not go to the real Cloud.
    let variables = [
        ("TMPDIR", folder.path().to_str().unwrap()),
        ("PREMBRIDGE__CLOUD__BASE_URL", "http://192.0.2.1:9"),
        ("PREMBRIDGE__NUMBER__0__NAME", "not a name!"),
    ];
    let run = run_with(
        &["bench", "--rate", "200", "--duration", "1s", "--warmup", "100ms", "--json"],
        "",
        &variables,
    );
    let json = result(&run);
    // Nothing is drawn where there is no terminal.
    assert_eq!(run.stderr, "", "{run:?}");
    assert_eq!(
        (&json["sent"], &json["answered"], &json["failed"]),
        (&json!(200), &json!(200), &json!(0)),
        "{json}"
    );
    assert_eq!(
        (&json["failures"], &json["rate"], &json["profile"]),
        (&json!({}), &json!(200.0), &Value::Null)
    );
    assert_eq!((&json["duration_seconds"], &json["connections"]), (&json!(1.0), &json!(64)));
    // A busy machine may miss the rate, and then says so.
    assert_eq!(json["carried"] == true, run.code == Some(0), "{run:?}");
    assert!(run.code == Some(0) || run.code == Some(1));
    for pointer in [
        "/url",
        "/messages_per_second",
        "/latency_ms/min",
        "/latency_ms/mean",
        "/latency_ms/p50",
        "/latency_ms/p90",
        "/latency_ms/p99",
        "/latency_ms/p99_9",
        "/latency_ms/max",
        "/windows/0/second",
        "/windows/0/answered",
        "/windows/0/p50_ms",
        "/windows/0/p99_ms",
        "/pacer_late_ms/p50",
        "/pacer_late_ms/p99",
        "/pacer_late_ms/max",
    ] {
        assert!(json.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}: {json}");
    }
    let names: Vec<_> =
        json["processes"].as_array().unwrap().iter().map(|process| &process["name"]).collect();
    assert_eq!(names, ["proxy", "mock-cloud", "bench"]);
    #[cfg(target_os = "linux")]
    for process in json["processes"].as_array().unwrap() {
        for key in ["cpu_us_per_message", "cpu_seconds", "rss_kib", "peak_rss_kib"] {
            assert!(process[key].as_f64().unwrap() > 0.0, "{key}: {process}");
        }
        assert!(!std::path::Path::new(&format!("/proc/{}", process["pid"])).exists(), "{process}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn as_many_as_possible_are_told_as_such() {
    let run =
        run(&["bench", "--profile", "max", "--duration", "1s", "--warmup", "0ms", "--connections", "2"], "");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("at most ") && run.stdout.contains("(service time)\n"), "{run:?}");
    assert!(run.stdout.contains("\nproxy (") && run.stdout.contains(" µs "), "{run:?}");
}

/// Its children end with it, and so do their files.
#[test]
fn an_interrupt_ends_everything() {
    let folder = TempDir::new();
    let mut bench = command(&["bench", "--duration", "1h"]);
    bench.env("TMPDIR", folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = bench.spawn().unwrap();
    let start = Instant::now();
    let count = || fs::read_dir(folder.path()).unwrap().count();
    // The configuration, or the folder of the proxy's media: it is under way, and watches for signals.
    while count() == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not start");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
    assert_eq!(stderr, "error: stopped before the end, so there is no result\n");
    assert_eq!(count(), 0);
}

#[tokio::test]
async fn an_answer_that_belongs_to_another_message_is_found() {
    let stub = Stub::start([]).await;
    let run = against(&stub.base_url(), "token", &["--made-up", "--json"]).await;
    let json = result(&run);
    assert_eq!((run.code, &json["failures"]), (Some(1), &json!({"wrong recipient": 10})), "{run:?}");
    assert_eq!((&json["answered"], &json["carried"]), (&json!(0), &json!(false)));
    assert_eq!((&json["latency_ms"]["p99"], &json["windows"]), (&Value::Null, &json!([])));
    let text = against(&stub.base_url(), "token", &["--made-up"]).await;
    assert!(text.stdout.starts_with("does not carry 100 messages/s: 0 of 10 answered\n"), "{text:?}");
    assert!(text.stdout.contains("\n  failed: 10 x wrong recipient\n"), "{text:?}");
}

/// As nginx in front of Cloud would answer: 200, and Cloud's own reply.
#[tokio::test]
async fn another_proxy_is_measured_by_its_process() {
    let stub = Stub::start([]).await;
    let pid = std::process::id().to_string();
    let run = against(&stub.base_url(), "token", &["--to", TO, "--pid", &pid, "--json"]).await;
    let json = result(&run);
    assert_eq!((&json["answered"], &json["failures"]), (&json!(10), &json!({})), "{run:?}");
    assert_eq!(
        (&json["processes"][0]["pid"], &json["processes"][1]["name"]),
        (&json!(std::process::id()), &json!("bench"))
    );
    assert_eq!(stub.seen().whole.len(), 10);
}

/// The page has what the text has, and nothing that would have to be loaded or run.
#[tokio::test]
async fn the_page_stands_for_itself() {
    let folder = TempDir::new();
    let (stub, path) = (Stub::start([]).await, folder.join("bench.html"));
    let more = ["--to", TO, "--html", path.to_str().unwrap()];
    // Whether the rate was carried depends on the machine.
    let run = against(&stub.base_url(), "token", &more).await;
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains(run.stdout.lines().next().unwrap()), "{page}");
    assert_eq!(page.matches("<svg ").count(), 3, "{page}");
    for outside in ["<script", "src=", "href=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let more = ["--to", TO, "--html", "/nowhere/at/all.html"];
    let unwritten = against(&stub.base_url(), "token", &more).await;
    assert!(
        unwritten.code == Some(1) && unwritten.stderr.contains("/nowhere/at/all.html: "),
        "{unwritten:?}"
    );
}

#[tokio::test]
async fn the_host_is_what_was_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let more = ["--to", TO, "--host", "support.wa.internal"];
    let asked = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            stream.read_buf(&mut head).await.unwrap();
        }
        // Nobody is there any more, so the run ends.
        drop((stream, listener));
        String::from_utf8(head).unwrap().to_lowercase()
    };
    let (_, head) = tokio::join!(against(&url, "token", &more), asked);
    assert!(head.contains("\r\nhost: support.wa.internal\r\n"), "{head}");
}

#[tokio::test]
async fn failures_are_told_by_kind() {
    let limited = answer("429 Too Many Requests", "", r#"{"errors":[{"code":1015}]}"#);
    let stub = Stub::start([Act::Answer(limited), Act::ResetAfterRead, Act::CloseAfterRead]).await;
    let run = against(&stub.base_url(), "token", &["--to", TO, "--json"]).await;
    let json = result(&run);
    let kinds =
        json!({"http 429, code 1015": 1, "connection reset": 1, "connection closed before the answer": 1});
    assert_eq!((run.code, &json["failures"], &json["answered"]), (Some(1), &kinds, &json!(7)), "{run:?}");
    assert_eq!(stub.seen().whole.len(), 10, "none was sent twice");
}

#[tokio::test]
async fn tls_trusts_what_it_is_told_to() {
    let folder = TempDir::new();
    let (server, authority) = tls::server("localhost");
    let path = folder.join("ca.pem");
    fs::write(&path, authority).unwrap();
    let stub = Stub::tls(server, []).await;
    let url = format!("https://localhost:{}", stub.addr.port());
    let run = against(&url, "token", &["--to", TO, "--ca-file", path.to_str().unwrap(), "--json"]).await;
    assert_eq!(result(&run)["answered"], 10, "{run:?}");
    let distrusted = against(&url, "token", &["--to", TO]).await;
    assert_eq!((distrusted.code, distrusted.stdout.as_str()), (Some(1), ""), "{distrusted:?}");
    assert!(distrusted.stderr.contains("UnknownIssuer"), "{distrusted:?}");
}

#[tokio::test]
async fn nobody_is_messaged_by_accident() {
    let stub = Stub::start([]).await;
    let here = stub.base_url();
    for (url, more, words) in [
        (ELSEWHERE, &[][..], ["is not on this machine", "--to DIGITS"]),
        (ELSEWHERE, &["--made-up"], ["is not on this machine", "--to DIGITS"]),
        (&here, &[], ["--to DIGITS", "--made-up"]),
        (&here, &["--made-up", "--to", TO], ["--to", "cannot be used with"]),
    ] {
        let refused = against(url, "token", more).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        assert!(words.iter().all(|words| refused.stderr.contains(words)), "{refused:?}");
    }
    assert_eq!(stub.seen().whole.len(), 0);
}

#[test]
fn what_is_not_done_is_a_usage_error() {
    for (args, words) in [
        ("--rate 0", "messages per second"),
        ("--rate 1 --profile max", "cannot be used with"),
        ("--profile fast", "multi-shard"),
        ("--duration 0s", "--duration"),
        ("--duration 10", "duration"),
        ("--connections 0", "--connections"),
        ("--url 127.0.0.1:9090", "--url"),
        ("--url http://127.0.0.1:1 --to +1", "--to +1"),
        ("--url http://127.0.0.1:1 --to 1234", "--to 1234"),
        ("--url http://127.0.0.1:1 --made-up --token-env UNSET_BY_ALL", "UNSET_BY_ALL is not set"),
        ("--url http://127.0.0.1:1 --made-up --token-env BAD_TOKEN", "BAD_TOKEN does not hold a token"),
        ("--url https://127.0.0.1:1 --ca-file /nowhere.pem", "/nowhere.pem"),
        ("--url http://127.0.0.1:1 --pacing", "--pacing"),
        ("--token-env UNSET_BY_ALL", "--url"),
        ("--made-up", "--url"),
        ("--pid 4294967295", "--pid 4294967295"),
    ] {
        let args: Vec<_> = ["bench"].into_iter().chain(args.split(' ')).collect();
        let run = run_with(&args, "", &[("BAD_TOKEN", "canary\r\nHost: elsewhere")]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:?}");
        assert!(run.stderr.contains(words) && !run.stderr.contains("canary"), "{args:?}: {run:?}");
    }
}

#[test]
fn nobody_there_is_a_failure_with_a_reason() {
    let (_port, address) = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        closed_port()
    };
    let args = ["bench", "--url", &format!("http://{address}"), "--made-up"];
    let run = run_with(&args, "", &[("PREMBRIDGE_BENCH_TOKEN", "t")]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert_eq!(run.stderr, format!("error: http://{address}: connection refused\n"));
}
