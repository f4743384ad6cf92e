//! Numbers as people read them.

use std::time::Duration;

/// With a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With so many digits as say something, two or three.
pub fn rounded(number: f64) -> String {
    match number {
        // Grouped, because the digits behind the point are noise.
        number if number >= 100.0 => grouped(number.round() as u64),
        number if number >= 10.0 => format!("{number:.1}"),
        number if number >= 0.1 => format!("{number:.2}"),
        number => format!("{number:.3}"),
    }
}

/// In milliseconds, and beyond ten seconds in seconds.
pub fn time(time: Duration) -> String {
    if time >= Duration::from_secs(10) {
        format!("{} s", rounded(time.as_secs_f64()))
    } else {
        format!("{} ms", rounded(milliseconds(time)))
    }
}

/// A time that somebody chose, without digits that are not there.
pub fn span(time: Duration) -> String {
    format!("{time:?}")
}

/// Milliseconds with their fraction.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// KiB as MiB.
pub fn mebibytes(kib: u64) -> String {
    format!("{} MiB", rounded(kib as f64 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
        for (number, text) in [
            (0.0, "0.000"),
            (0.0123, "0.012"),
            (1.9449, "1.94"),
            (45.67, "45.7"),
            (249.98, "250"),
            (18_214.4, "18,214"),
        ] {
            assert_eq!(rounded(number), text);
        }
        assert_eq!(time(Duration::from_micros(1940)), "1.94 ms");
        assert_eq!(time(Duration::from_millis(30_400)), "30.4 s");
        assert_eq!(
            (span(Duration::from_secs(30)), mebibytes(14_848)),
            ("30s".to_owned(), "14.5 MiB".to_owned())
        );
    }
}
