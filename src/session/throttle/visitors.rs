//! Who has logged in from an address lately.
//!
//! Whoever fails with one user's name from everywhere makes that user wait everywhere, but not where the user is known.
//! An address that several users log in from may be a load balancer's, which strangers share: it makes nobody known.
//! Nor does one where many logins fail.

/// How long a login counts: as long as its token.
const WEEK: i64 = 7 * 24 * 60 * 60;
/// Users of one number behind one address, beyond which it is taken for shared.
const MOST: usize = 8;

/// The users of one number that logged in from one address, with the time of their last login, oldest first. One more
/// than may be is enough to know.
#[derive(Default)]
pub(super) struct Visitors(Vec<(u64, i64)>);

impl Visitors {
    /// A user has logged in.
    pub(super) fn add(&mut self, user: u64, now: i64) {
        self.0.retain(|(known, at)| *known != user && is_lately(*at, now));
        if self.0.len() > MOST {
            self.0.remove(0);
        }
        self.0.push((user, now));
    }

    /// Whether a user is known here.
    pub(super) fn has(&self, user: u64, now: i64) -> bool {
        let lately = || self.0.iter().filter(|(_, at)| is_lately(*at, now));
        lately().count() <= MOST && lately().any(|(known, _)| *known == user)
    }
}

/// Logins in the future come from a clock that was moved back, and are void.
fn is_lately(at: i64, now: i64) -> bool {
    (0..WEEK).contains(&now.saturating_sub(at))
}
