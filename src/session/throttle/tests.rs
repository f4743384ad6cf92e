use super::*;

#[test]
fn the_wait_doubles_up_to_a_minute() {
    let throttle = Throttle::default();
    let mut now = 1_000;
    for _ in 0..4 {
        assert_eq!(wait(&throttle, "alice", 1, now), None);
        fail(&throttle, "alice", 1, now);
    }
    for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        fail(&throttle, "alice", 1, now);
        assert_eq!(wait(&throttle, "alice", 1, now), Some(expected));
        assert_eq!(wait(&throttle, "alice", 1, now + 1).unwrap_or(0), expected - 1);
        now += expected.cast_signed();
    }
    for _ in 0..100 {
        fail(&throttle, "alice", 1, now);
        assert_eq!(wait(&throttle, "alice", 1, now), Some(60), "the wait never wraps around");
        now += 60;
    }
}

#[test]
fn others_are_not_slowed() {
    let throttle = Throttle::default();
    for now in (1_000..=1_540).step_by(60) {
        fail(&throttle, "alice", 1, now);
    }
    assert!(wait(&throttle, "alice", 1, 1_540).is_some());
    assert_eq!(wait(&throttle, "bob", 1, 1_540), None, "another user at the same address");
    assert_eq!(wait(&throttle, "alice", 2, 1_540), None, "the same user at another address");
}

#[test]
fn success_forgives_and_so_does_time() {
    let throttle = Throttle::default();
    (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000));
    throttle.begin("support", "alice", address(1), 1_001).unwrap().succeeded();
    fail(&throttle, "alice", 1, 1_001);
    assert_eq!(wait(&throttle, "alice", 1, 1_001), None);
    (0..4).for_each(|_| fail(&throttle, "bob", 1, 1_000));
    fail(&throttle, "bob", 1, 1_000 + MEMORY);
    assert_eq!(wait(&throttle, "bob", 1, 1_000 + MEMORY), None);
}

#[test]
fn after_a_lock_attempts_go_one_at_a_time() {
    let throttle = Throttle::default();
    (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000));
    let first = throttle.begin("support", "alice", address(1), 1_001).unwrap();
    assert_eq!(wait(&throttle, "alice", 1, 1_001), Some(1));
    drop(first);
    assert_eq!(wait(&throttle, "alice", 1, 1_001), None, "an attempt without a verdict makes room");
}

#[test]
fn a_spread_attack_costs_everybody_five_seconds_at_most() {
    let throttle = Throttle::default();
    (0..49).for_each(|n| fail(&throttle, "alice", n, 1_000));
    assert_eq!(wait(&throttle, "alice", 99, 1_000), None);
    fail(&throttle, "alice", 50, 1_059);
    assert_eq!(wait(&throttle, "alice", 99, 1_059), Some(5));
    assert_eq!(wait(&throttle, "bob", 99, 1_059), None);
    assert_eq!(wait(&throttle, "alice", 99, 1_064), None);
    fail(&throttle, "alice", 51, 1_064);
    assert_eq!(wait(&throttle, "alice", 99, 1_064), None, "a new minute, a new budget");
}

/// Wrong logins from everywhere are how somebody would lock `admin` out.
#[test]
fn a_spread_attack_costs_nobody_anything_who_is_known() {
    let throttle = Throttle::default();
    log_in(&throttle, "alice", 251, 1_000);
    log_in(&throttle, "bob", 252, 1_000);
    attack(&throttle, "alice", 2_000);
    assert_eq!(wait(&throttle, "alice", 251, 2_000), None);
    assert_eq!(wait(&throttle, "alice", 252, 2_000), Some(5), "another user's address");
    assert_eq!(wait(&throttle, "alice", 253, 2_000), Some(5));
    assert_eq!(throttle.begin("sales", "alice", address(251), 2_000).err(), None, "another number's user");
    let week_later = 1_000 + 7 * 86_400;
    attack(&throttle, "alice", week_later - 1);
    assert_eq!(wait(&throttle, "alice", 251, week_later - 1), None);
    attack(&throttle, "alice", week_later + 60);
    assert_eq!(wait(&throttle, "alice", 251, week_later + 60), Some(5), "it is too long ago");
}

/// Behind a load balancer a stranger has the same address.
#[test]
fn an_address_that_is_shared_makes_nobody_known() {
    let throttle = Throttle::default();
    for user in ["alice", "a", "b", "c", "d", "e", "f", "g"] {
        log_in(&throttle, user, 251, 1_000);
        log_in(&throttle, user, 251, 1_000);
    }
    attack(&throttle, "alice", 2_000);
    assert_eq!(wait(&throttle, "alice", 251, 2_000), None, "eight users");
    log_in(&throttle, "h", 251, 2_000);
    assert_eq!(wait(&throttle, "alice", 251, 2_000), Some(5), "nine");
    (0..1_000).for_each(|n| log_in(&throttle, &format!("user{n}"), 251, 2_000));
    let mut tables = throttle.tables();
    let visited = throttle.keys.hash_one(("support", address(251)));
    assert!(
        !tables.visitors.get(visited).unwrap().has(throttle.keys.hash_one(("support", "user999")), 2_000)
    );
    drop(tables);

    let throttle = Throttle::default();
    log_in(&throttle, "alice", 251, 1_000);
    (0..21).for_each(|n| fail(&throttle, &format!("user{n}"), 251, 2_000));
    attack(&throttle, "alice", 2_000);
    assert_eq!(wait(&throttle, "alice", 251, 2_000), Some(5), "many fail there");
}

#[test]
fn a_clock_moved_back_locks_nobody() {
    let throttle = Throttle::default();
    (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000_000));
    assert_eq!(wait(&throttle, "alice", 1, 1_000), None);
}

#[test]
fn a_noisy_network_is_slowed_whoever_it_names_and_others_are_not() {
    let throttle = Throttle::default();
    (0..21).for_each(|n| fail(&throttle, &format!("user{n}"), 1, 1_000));
    let first = throttle.begin("support", "alice", address(1), 1_000).unwrap();
    assert_eq!(wait(&throttle, "bob", 1, 1_000), Some(1));
    assert_eq!(throttle.begin("sales", "bob", address(1), 1_000).err(), Some(Duration::from_secs(1)));
    assert_eq!(wait(&throttle, "alice", 2, 1_000), None);
    let hash = first.place();
    first.succeeded();
    assert_eq!(wait(&throttle, "bob", 1, 1_000), Some(1), "the hash is still being computed");
    drop(hash);
    assert_eq!(wait(&throttle, "bob", 1, 1_000), None);
}

#[test]
fn hanging_up_makes_a_network_noisy_and_being_turned_away_does_not() {
    let throttle = Throttle::default();
    let begin = |host| throttle.begin("support", "alice", address(host), 1_000);
    (0..30).for_each(|_| begin(1).unwrap().turned_away());
    (0..30).for_each(|_| drop(begin(2)));
    let _under_way = [begin(1), begin(2)];
    assert_eq!(wait(&throttle, "bob", 1, 1_000), None);
    assert_eq!(wait(&throttle, "bob", 2, 1_000), Some(1));
    assert_eq!(wait(&throttle, "alice", 3, 1_000), None, "the user has no failures");
}

#[test]
fn a_noisy_network_leaves_the_pair_as_it_was() {
    let throttle = Throttle::default();
    (0..30).for_each(|n| fail(&throttle, &format!("user{n}"), 1, 1_000));
    (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000));
    let other = throttle.begin("support", "bob", address(1), 1_001).unwrap();
    assert_eq!(wait(&throttle, "alice", 1, 1_001), Some(1));
    drop(other);
    assert_eq!(wait(&throttle, "alice", 1, 1_001), None, "nobody waits for an attempt that never began");
}

fn wait(throttle: &Throttle, user: &str, host: u8, now: i64) -> Option<u64> {
    throttle.begin("support", user, address(host), now).err().map(|wait| wait.as_secs())
}

fn fail(throttle: &Throttle, user: &str, host: u8, now: i64) {
    attempt(throttle, user, host, now).unwrap();
}

/// Wrong logins from 250 addresses.
fn attack(throttle: &Throttle, user: &str, now: i64) {
    for host in 0..250 {
        let _ = attempt(throttle, user, host, now);
    }
}

/// A wrong login, if it has its turn.
fn attempt(throttle: &Throttle, user: &str, host: u8, now: i64) -> Result<(), Duration> {
    throttle.begin("support", user, address(host), now).map(|attempt| attempt.failed(now))
}

fn log_in(throttle: &Throttle, user: &str, host: u8, now: i64) {
    throttle.begin("support", user, address(host), now).unwrap().succeeded();
}

fn address(host: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, host])
}
