use proptest::prelude::*;

use super::*;
use crate::session::{MacKey, NumberAccess};

#[test]
fn what_was_verified_is_known_again_for_its_number_and_scheme() {
    let remembered = Remembered::default();
    let text = "a".repeat(100);
    remembered.remember(key("support", &text), api_key("support"));
    assert!(knows(&remembered, key("support", &text)));
    assert!(!knows(&remembered, key("sales", &text)));
    assert!(!knows(&remembered, Presented { as_token: true, ..key("support", &text) }));
    for other in [text[1..].to_owned(), format!("{text}a"), format!("b{}", &text[1..]), String::new()] {
        assert!(!knows(&remembered, key("support", &other)), "{other}");
    }
}

/// The signature chooses the place, the whole text decides.
#[test]
fn a_token_with_the_signature_of_another_is_not_that_one() {
    let remembered = Remembered::default();
    let (one, other) = (format!("one{}", "s".repeat(SIGNATURE)), format!("two{}", "s".repeat(SIGNATURE)));
    let presented = |text| Presented { number: "support", text, as_token: true };
    assert_eq!(remembered.hash(presented(&one)), remembered.hash(presented(&other)));
    remembered.remember(presented(&one), token("support"));
    assert!(!knows(&remembered, presented(&other)));
    remembered.remember(presented(&other), token("support"));
    assert!(knows(&remembered, presented(&one)) && knows(&remembered, presented(&other)));
    assert!(!knows(&remembered, key("support", &one)));
}

#[test]
fn what_is_refused_is_forgotten() {
    let remembered = Remembered::default();
    let presented = key("support", "0123456789abcdef");
    remembered.remember(presented, api_key("support"));
    assert_eq!(remembered.judge(presented, |_| Err::<(), _>("no")), Some(Err("no")));
    assert!(!knows(&remembered, presented));
    remembered.remember(presented, api_key("support"));
    remembered.retain(|verified| &*verified.user != "api-key:1");
    assert!(!knows(&remembered, presented));
}

#[test]
fn nothing_of_it_is_printed() {
    let remembered = Remembered::default();
    remembered.remember(key("support", "0123456789abcdef"), api_key("support"));
    assert_eq!(format!("{remembered:?}"), "Remembered(Recent { .. })");
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    #[test]
    fn same_is_equality(one in prop::collection::vec(0..3_u8, 0..40), other in prop::collection::vec(0..3_u8, 0..40)) {
        prop_assert_eq!(same(&one, &other), one == other);
    }

    #[test]
    fn one_bit_makes_another(text in prop::collection::vec(any::<u8>(), 1..300), at in any::<prop::sample::Index>()) {
        prop_assert!(same(&text, &text.clone()));
        let mut altered = text.clone();
        let bit = at.index(8 * text.len());
        altered[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!same(&text, &altered));
    }
}

fn key<'a>(number: &'a str, text: &'a str) -> Presented<'a> {
    Presented { number, text, as_token: false }
}

fn api_key(number: &str) -> Verified {
    Verified { accounts: accounts(number), user: "api-key:1".into(), kind: Kind::ApiKey(Role::User) }
}

fn token(number: &str) -> Verified {
    let id = TokenId { jti: [7; 16], expires_at: 100 };
    Verified {
        accounts: accounts(number),
        user: "alice".into(),
        kind: Kind::Token { id, epoch: 1, standing: None },
    }
}

fn accounts(number: &str) -> Arc<Deployment> {
    let access = NumberAccess { name: number.to_owned(), users: Vec::new(), api_keys: Vec::new() };
    Arc::new(Deployment::new(&access, None, &MacKey::new(&[1; 32])).unwrap())
}

fn knows(remembered: &Remembered, presented: Presented<'_>) -> bool {
    remembered.judge(presented, |_| Ok::<_, ()>(())).is_some()
}
