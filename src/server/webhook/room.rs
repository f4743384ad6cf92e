//! Memory for the bodies of webhooks.
//!
//! Anybody can send one, and nobody knows whose it is before it is whole. So each takes room for what has arrived of it,
//! not for what it announces, and what does not fit is refused at once: webhooks that waited for each other with half
//! of their bodies here would all come too late. The first bytes of each have room of their own, so that large ones
//! leave the usual ones theirs, and one peer never has all of it. What came whole with its head has none of this: its
//! connection held it already.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::peer_network;

/// Usual webhooks have a few KiB.
const SMALL: usize = 64 * 1024;
/// Bytes of unverified webhooks, of the first [`SMALL`] bytes of each and of what is behind them: sixteen of the largest.
const UNVERIFIED: Amount = Amount { small: 16 << 20, large: 48 << 20 };
/// How much of either one peer may have: a quarter.
const SHARE: Amount = Amount { small: UNVERIFIED.small / 4, large: UNVERIFIED.large / 4 };
/// Bytes of webhooks that are verified and being committed.
const VERIFIED: usize = 64 << 20;

/// How long a body may come as slowly as it likes.
const GRACE: Duration = Duration::from_secs(2);
/// How many bytes it has to bring in each second after that.
const SPEED: u64 = 64 * 1024;
/// How long it may take in all. Cloud takes less than a second for the largest.
const LONGEST: Duration = Duration::from_secs(8);

/// How long a body that nobody has verified may take, of which so much has come.
pub(super) fn patience(received: usize) -> Duration {
    (GRACE + Duration::from_secs(1) * u32::try_from(received as u64 / SPEED).unwrap_or(u32::MAX)).min(LONGEST)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    small: usize,
    large: usize,
}

impl Amount {
    fn of(length: usize) -> Self {
        Self { small: length.min(SMALL), large: length.saturating_sub(SMALL) }
    }

    fn plus(self, more: Self) -> Self {
        Self { small: self.small + more.small, large: self.large + more.large }
    }

    fn minus(self, less: Self) -> Self {
        Self { small: self.small.saturating_sub(less.small), large: self.large.saturating_sub(less.large) }
    }

    fn is_within(self, limit: Self) -> bool {
        self.small <= limit.small && self.large <= limit.large
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Room(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    unverified: Amount,
    verified: usize,
    /// Of what is unverified: no more entries than there are bodies on their way.
    by_peer: HashMap<IpAddr, Amount>,
}

/// One body's part, given back when this goes.
#[derive(Debug)]
pub(super) struct Part<'r> {
    room: &'r Room,
    peer: IpAddr,
    length: usize,
    is_verified: bool,
}

impl Room {
    /// A part for a body from `peer` of which nothing has come yet.
    pub(super) fn part(&self, peer: SocketAddr) -> Part<'_> {
        Part { room: self, peer: peer_network(peer.ip()), length: 0, is_verified: false }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part<'_> {
    /// Takes room for `more` bytes, and says whether there was some.
    pub(super) fn grow(&mut self, more: usize) -> bool {
        // An empty part gives nothing back.
        if more == 0 {
            return true;
        }
        let length = self.length + more;
        let added = Amount::of(length).minus(Amount::of(self.length));
        let mut taken = self.room.taken();
        let all = taken.unverified.plus(added);
        let of_peer = taken.by_peer.get(&self.peer).copied().unwrap_or_default().plus(added);
        let fits = all.is_within(UNVERIFIED) && of_peer.is_within(SHARE);
        if fits {
            taken.unverified = all;
            taken.by_peer.insert(self.peer, of_peer);
            self.length = length;
        }
        fits
    }

    /// Leaves the room of unverified bodies, and says whether there is some among the verified ones.
    pub(super) fn verify(&mut self) -> bool {
        if self.length == 0 {
            return true;
        }
        let mut taken = self.room.taken();
        let verified = taken.verified + self.length;
        let fits = verified <= VERIFIED;
        if fits {
            taken.leave(self.peer, self.length);
            taken.verified = verified;
            self.is_verified = true;
        }
        fits
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        // Most came whole and have none.
        if self.length == 0 {
            return;
        }
        let mut taken = self.room.taken();
        if self.is_verified {
            taken.verified = taken.verified.saturating_sub(self.length);
        } else {
            taken.leave(self.peer, self.length);
        }
    }
}

impl Taken {
    fn leave(&mut self, peer: IpAddr, length: usize) {
        let amount = Amount::of(length);
        self.unverified = self.unverified.minus(amount);
        if let Entry::Occupied(mut entry) = self.by_peer.entry(peer) {
            let left = entry.get().minus(amount);
            if left == Amount::default() {
                entry.remove();
            } else {
                entry.insert(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = 3 << 20;

    fn peer(host: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], 1))
    }

    /// A part that has so much, if there was room for it.
    fn part(room: &Room, host: u8, length: usize) -> Option<Part<'_>> {
        let mut part = room.part(peer(host));
        part.grow(length).then_some(part)
    }

    /// As many as there are room for.
    fn fill(room: &Room, host: u8, length: usize) -> Vec<Part<'_>> {
        std::iter::from_fn(|| part(room, host, length)).collect()
    }

    #[test]
    fn one_peer_has_a_share_and_large_ones_leave_room_for_small_ones() {
        let room = Room::default();
        let large: Vec<_> = (1..=10).flat_map(|host| fill(&room, host, LARGEST)).collect();
        assert_eq!(large.len(), 16, "four of each of four peers");
        let small = fill(&room, 9, 4096);
        assert_eq!(small.len(), 1024, "and one more peer's share of small ones");
        assert!(part(&room, 8, SMALL).is_some() && part(&room, 8, LARGEST).is_none());
        drop((large, small));
        assert_eq!(fill(&room, 1, LARGEST).len(), 4);
        assert!(part(&room, 2, 0).is_some());
        let taken = room.taken();
        assert_eq!((taken.unverified, taken.by_peer.len()), (Amount::default(), 0), "all was given back");
    }

    #[test]
    fn a_part_that_does_not_fit_keeps_what_it_has() {
        let room = Room::default();
        let mut one = part(&room, 1, LARGEST).unwrap();
        let others = fill(&room, 1, LARGEST);
        assert!(!one.grow(LARGEST) && one.grow(1));
        assert_eq!(
            room.taken().unverified,
            Amount::of(LARGEST + 1).plus(Amount { small: 3 * SMALL, large: 3 * (LARGEST - SMALL) })
        );
        drop((one, others));
        assert_eq!(room.taken().unverified, Amount::default());
    }

    #[test]
    fn what_is_verified_leaves_its_room_to_others_and_has_a_limit_too() {
        let room = Room::default();
        let mut verified = Vec::new();
        while let Some(mut part) = part(&room, 1, LARGEST)
            && part.verify()
        {
            verified.push(part);
        }
        assert_eq!(verified.len(), VERIFIED / LARGEST);
        assert_eq!(room.taken().unverified, Amount::default(), "the one too many is gone as well");
        drop(verified);
        assert_eq!(room.taken().verified, 0);
    }

    #[test]
    fn a_body_comes_at_the_lowest_speed_and_within_seconds() {
        let speed = usize::try_from(SPEED).unwrap();
        for (received, seconds) in [(0, 2), (1, 2), (speed, 3), (4 * speed, 6), (6 * speed, 8), (LARGEST, 8)]
        {
            assert_eq!(patience(received), Duration::from_secs(seconds), "{received}");
        }
    }
}
