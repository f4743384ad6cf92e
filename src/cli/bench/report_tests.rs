use serde_json::Value;

use super::super::counters::Exchange;
use super::super::failure::Failure;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// So many answers in ten seconds, each after 2 ms.
fn counters(answered: u64) -> Counters {
    let mut counters = Counters::new().unwrap();
    for index in 0..answered {
        let taken = SECOND * 10 * u32::try_from(index).unwrap() / u32::try_from(answered).unwrap();
        let latency = Duration::from_millis(2);
        let late = Some(Duration::from_micros(70));
        counters.add(&Exchange { latency, late, taken, ended: taken + latency, outcome: Ok(()) });
    }
    counters.close_window();
    counters
}

fn report<'a>(counters: &'a Counters, rate: Option<u32>) -> Report<'a> {
    let mut memory = Sample::default();
    (memory.rss_kib, memory.peak_rss_kib) = (2048, 3072);
    let processes = vec![
        Usage { process: Process { name: "proxy".to_owned(), pid: 7 }, taken: Some((SECOND / 10, memory)) },
        Usage { process: Process { name: "gone".to_owned(), pid: 8 }, taken: None },
    ];
    Report {
        profile: None,
        url: "http://127.0.0.1:9090",
        rate: rate.map(Rate::new),
        duration: SECOND * 10,
        connections: 64,
        counters,
        processes,
    }
}

fn verdict(report: &Report<'_>) -> String {
    report.text().lines().next().unwrap().to_owned()
}

#[test]
fn the_verdict_comes_first() {
    let full = counters(2500);
    assert_eq!(
        verdict(&report(&full, Some(250))),
        "carries 250 messages/s: 2,500 of 2,500 answered, p99 2.00 ms"
    );
    assert_eq!(
        verdict(&report(&full, None)),
        "at most 250 messages/s: 2,500 of 2,500 answered, p99 2.00 ms (service time)"
    );
    // Too slow by more than a hundredth.
    assert!(report(&full, Some(252)).is_carried());
    assert!(verdict(&report(&full, Some(253))).starts_with("does not carry 253 messages/s: "));
    let mut failed = counters(2500);
    failed.add_failures(&Failure::WrongRecipient, 3);
    let text = report(&failed, Some(250)).text();
    assert!(text.starts_with("does not carry 250 messages/s: 2,500 of 2,503 answered"), "{text}");
    assert!(text.contains("\n  failed: 3 x wrong recipient\n"), "{text}");
    assert!(!report(&failed, None).is_carried() && !report(&Counters::new().unwrap(), None).is_carried());
}

#[test]
fn the_text_has_a_histogram_and_who_took_what() {
    let full = counters(100);
    let text = report(&full, Some(10)).text();
    for part in [
        "latency, from when a message was due to its answer\n  p50      2.00 ms",
        "\nachieved  10.0 messages/s in 10s, 64 connections to http://127.0.0.1:9090\n",
        "\nlateness  p50 0.070 ms, p99 0.070 ms, max 0.070 ms:",
        "\nproxy (7)                       1,000 µs        0.10 s    2.00 MiB    3.00 MiB\n",
        "\ngone (8)                  could not be read\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let rows = text.lines().filter(|line| line.contains(" ms to ")).count();
    assert!((10..=15).contains(&rows), "{text}");
    // The load has no times of its own when nothing is due.
    assert!(report(&full, None).text().contains("service time, from when a message was sent"));
}

#[test]
fn json_has_every_key_even_without_an_answer() {
    let (full, nothing) = (counters(2500), Counters::new().unwrap());
    let json: Value = serde_json::from_str(&report(&full, Some(250)).json()).unwrap();
    assert_eq!(json["latency_ms"]["p99"].as_f64().unwrap().round(), 2.0);
    assert_eq!((json["rate"].as_f64(), json["messages_per_second"].as_f64()), (Some(250.0), Some(250.0)));
    assert_eq!((json["windows"].as_array().unwrap().len(), &json["carried"]), (10, &Value::Bool(true)));
    assert_eq!(json["processes"][0]["cpu_us_per_message"], 40.0);
    assert_eq!(json["processes"][1]["rss_kib"], Value::Null);
    let keys = |json: &Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let empty: Value = serde_json::from_str(&report(&nothing, None).json()).unwrap();
    assert_eq!(keys(&empty), keys(&json));
    assert_eq!(keys(&empty["latency_ms"]), keys(&json["latency_ms"]));
    assert_eq!((&empty["rate"], &empty["latency_ms"]["p99"]), (&Value::Null, &Value::Null));
}
