//! The result as one page: no script, and nothing that has to be loaded.

use std::fmt::Write as _;
use std::time::Duration;

use super::counters::Row;
use super::report::Report;
use super::text::{grouped, mebibytes, milliseconds, rounded, time};

/// Width and height of a chart.
const SIZE: (f64, f64) = (720.0, 220.0);
/// What is left beside it for the figures of its axes: left, bottom.
const MARGIN: (f64, f64) = (64.0, 28.0);
/// How many bars the distribution has.
const BARS: u32 = 36;

/// The page.
pub fn page(report: &Report<'_>) -> String {
    let mut page = String::with_capacity(16 << 10);
    let verdict = escaped(&report.verdict());
    let _ = write!(page, "{HEAD}<title>{verdict}</title>\n<body>\n<h1>prembridge bench</h1>\n");
    let class = if report.is_carried() { "good" } else { "bad" };
    let _ = writeln!(page, "<p class=\"{class}\">{verdict}</p>");
    let _ = writeln!(
        page,
        "<p>{} messages/s achieved, {} connections to {}.</p>",
        rounded(report.counters.per_second(report.duration)),
        report.connections,
        escaped(report.url)
    );
    for (kind, count) in report.counters.failures() {
        let _ = writeln!(page, "<p class=\"bad\">failed: {} x {}</p>", grouped(*count), escaped(kind));
    }
    latencies(report, &mut page);
    seconds(report, &mut page);
    processes(report, &mut page);
    page.push_str("</body>\n</html>\n");
    page
}

fn latencies(report: &Report<'_>, page: &mut String) {
    let Some(times) = report.counters.latency() else { return };
    let _ = writeln!(page, "<h2>{}</h2>\n<table><tr>", report.latency_is());
    let columns = [
        ("p50", times.p50),
        ("p90", times.p90),
        ("p99", times.p99),
        ("p99.9", times.p99_9),
        ("max", times.max),
    ];
    columns.iter().for_each(|(name, _)| page.push_str(&format!("<th>{name}</th>")));
    page.push_str("</tr><tr>");
    columns.iter().for_each(|(_, value)| page.push_str(&format!("<td>{}</td>", time(*value))));
    page.push_str("</tr></table>\n");
    let rows = report.counters.rows(BARS);
    let max = rows.iter().map(|row| row.count).max().unwrap_or_default().max(1) as f64;
    let mut chart = Chart::new("answers by latency", max, |value| grouped(value as u64));
    let width = SIZE.0 / f64::from(BARS);
    for (at, Row { from, to, count }) in rows.iter().enumerate() {
        let tooltip = format!("{} to {}: {}", time(*from), time(*to), grouped(*count));
        chart.bar(at as f64 * width, width, *count as f64, &tooltip);
    }
    // The rows are equally wide in a logarithmic measure.
    let edges = rows.iter().map(|row| row.from).chain(rows.last().map(|row| row.to));
    for (at, edge) in edges.enumerate().filter(|(at, _)| at % 9 == 0) {
        chart.mark(at as f64 * width, &time(edge));
    }
    page.push_str(&chart.finish());
}

fn seconds(report: &Report<'_>, page: &mut String) {
    let windows = report.counters.windows();
    let Some(last) = windows.last() else { return };
    let count = (last.second + 1) as f64;
    let width = SIZE.0 / count;
    let step = (count / 10.0).ceil() as usize;
    let max = windows.iter().map(|window| window.answered).max().unwrap_or_default().max(1) as f64;
    let longest = windows.iter().map(|window| window.p99).max().unwrap_or(Duration::ZERO);
    let mut rate = Chart::new("answers by second", max, |value| grouped(value as u64));
    let unit = |value: f64| format!("{} ms", rounded(value));
    let mut latency = Chart::new("p99 by second, and p50 in front", milliseconds(longest), unit);
    for window in windows {
        let (at, second) = (window.second as f64 * width, window.second);
        rate.bar(
            at,
            width,
            window.answered as f64,
            &format!("second {second}: {}", grouped(window.answered)),
        );
        latency.bar(
            at,
            width,
            milliseconds(window.p99),
            &format!("second {second}: p99 {}", time(window.p99)),
        );
        latency.front(
            at,
            width,
            milliseconds(window.p50),
            &format!("second {second}: p50 {}", time(window.p50)),
        );
        if usize::try_from(second).is_ok_and(|second| second.is_multiple_of(step)) {
            rate.mark(at, &format!("{second} s"));
            latency.mark(at, &format!("{second} s"));
        }
    }
    let _ = write!(page, "<h2>Over time</h2>\n{}{}", rate.finish(), latency.finish());
}

fn processes(report: &Report<'_>, page: &mut String) {
    if report.processes.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Processes</h2>\n<table><tr><th>process</th><th>CPU per message</th><th>memory</th></tr>\n",
    );
    for usage in &report.processes {
        let (cpu, memory) = match &usage.taken {
            Some((cpu, sample)) => (
                report.each(*cpu).map(|micros| format!("{} µs", rounded(micros))).unwrap_or_default(),
                mebibytes(sample.rss_kib),
            ),
            None => Default::default(),
        };
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{cpu}</td><td>{memory}</td></tr>",
            escaped(&usage.process.name)
        );
    }
    page.push_str("</table>\n");
}

/// Bars over an axis.
struct Chart {
    max: f64,
    svg: String,
}

impl Chart {
    fn new(title: &str, max: f64, shown: impl Fn(f64) -> String) -> Self {
        let (width, height) = (SIZE.0 + MARGIN.0 + 16.0, SIZE.1 + MARGIN.1 + 10.0);
        let mut svg = format!(
            "<figure><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{title}\">\n"
        );
        let left = MARGIN.0 - 8.0;
        for part in [0.0, 0.5, 1.0] {
            let y = top(part, 1.0);
            let _ = writeln!(
                svg,
                "<line x1=\"{}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{left}\" y=\"{:.1}\" \
                 class=\"left\">{}</text>",
                MARGIN.0,
                MARGIN.0 + SIZE.0,
                y + 4.0,
                shown(max * part)
            );
        }
        Self { max: max.max(f64::MIN_POSITIVE), svg }
    }

    fn bar(&mut self, at: f64, width: f64, value: f64, tooltip: &str) {
        self.rect("", at, width, value, tooltip);
    }

    fn front(&mut self, at: f64, width: f64, value: f64, tooltip: &str) {
        self.rect(" class=\"front\"", at, width, value, tooltip);
    }

    fn rect(&mut self, class: &str, at: f64, width: f64, value: f64, tooltip: &str) {
        let y = top(value, self.max);
        // A gap of a tenth between bars, where they are wide enough to see it.
        let _ = writeln!(
            self.svg,
            "<rect{class} x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{tooltip}</title></rect>",
            MARGIN.0 + at,
            (width * 0.9).max(0.5),
            top(0.0, 1.0) - y
        );
    }

    fn mark(&mut self, at: f64, text: &str) {
        // The last one ends where the axis does.
        let class = if at >= SIZE.0 - 1.0 { " class=\"left\"" } else { "" };
        let _ = writeln!(
            self.svg,
            "<text{class} x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            MARGIN.0 + at,
            SIZE.1 + MARGIN.1
        );
    }

    fn finish(self) -> String {
        self.svg + "</svg></figure>\n"
    }
}

/// The height at which a value ends.
fn top(value: f64, max: f64) -> f64 {
    10.0 + SIZE.1 * (1.0 - (value / max).clamp(0.0, 1.0))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<style>
  :root { color-scheme: light dark; --ink: #1b1f24; --faint: #d5dae0; --bar: #6aa8e0; --front: #1f5f9e; --good: #19713b; --bad: #b3261e }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e4e8ed; --faint: #3c434b; --bar: #3f73a6; --front: #9fcbf2; --good: #6ccf8e; --bad: #ff8a80 }
  }
  body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 820px; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin-top: 2rem }
  .good { color: var(--good); font-weight: 600 } .bad { color: var(--bad); font-weight: 600 }
  table { border-collapse: collapse } th, td { text-align: right; padding: .2rem .9rem .2rem 0; font-variant-numeric: tabular-nums }
  th:first-child, td:first-child { text-align: left }
  figure { margin: 1rem 0 } figcaption { font-size: .85rem } svg { width: 100%; height: auto }
  line { stroke: var(--faint) } rect { fill: var(--bar) } .front { fill: var(--front) }
  text { fill: var(--ink); font-size: 11px } .left { text-anchor: end }
</style>
";
