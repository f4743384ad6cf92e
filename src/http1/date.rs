//! The `Date` field (RFC 9110 section 6.6.1), formatted once a second.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

thread_local! {
    static DATE: RefCell<Date> = const { RefCell::new(Date { text: String::new(), until: None }) };
}

/// The time of day as HTTP writes it, valid until the second is over.
struct Date {
    text: String,
    until: Option<Instant>,
}

/// Passes the time of day to `write`; `now` is the present.
pub(super) fn with_date(now: Instant, write: impl FnOnce(&str)) {
    DATE.with_borrow_mut(|date| write(date.text(now)));
}

impl Date {
    fn text(&mut self, now: Instant) -> &str {
        if self.until.is_none_or(|until| until <= now) {
            let time = SystemTime::now();
            self.text = httpdate::fmt_http_date(time);
            let past = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
            self.until = Some(now + Duration::from_secs(1) - Duration::from_nanos(past.into()));
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_of_this_second() {
        let (now, mut date) = (Instant::now(), Date { text: String::new(), until: None });
        httpdate::parse_http_date(date.text(now)).unwrap();
        let until = date.until.unwrap();
        assert!(until > now && until <= now + Duration::from_secs(1));
        date.text = "kept".to_owned();
        assert_eq!(date.text(until - Duration::from_nanos(1)), "kept");
        assert_ne!(date.text(until), "kept");
    }
}
