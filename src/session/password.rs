//! Passwords: the rules for them, and hashing that cannot be used to exhaust the machine.

use std::sync::Arc;

use argon2::Params;
use argon2::password_hash::phc::Output;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::memory::{Memory, Spare, phc};
use super::{HashCost, Trouble, random};

/// How many attempts may wait for a hash. At 20 ms each this is little more than a second, the time after which
/// a client had better hear "too many requests".
pub(super) const QUEUE: usize = 64;

/// Why a new password is refused, if it is. On-prem "Login and Authentication": 8 to 64 characters with a
/// digit, an upper-case letter, a lower-case letter and a special character of ASCII.
pub(super) fn refused_password(password: &str) -> Option<&'static str> {
    let has = |wanted: fn(&char) -> bool| password.chars().any(|c| wanted(&c));
    if !(8..=64).contains(&password.chars().count()) {
        Some("The password must have 8 to 64 characters.")
    } else if !has(char::is_ascii_digit) {
        Some("The password must have a digit.")
    } else if !has(char::is_ascii_uppercase) {
        Some("The password must have an upper-case letter.")
    } else if !has(char::is_ascii_lowercase) {
        Some("The password must have a lower-case letter.")
    } else if !has(char::is_ascii_punctuation) {
        Some("The password must have a special character.")
    } else {
        None
    }
}

/// Why a new user name is refused, if it is. On-prem "Users": 4 to 32 characters. Which ones it does not
/// say; these need no escaping in a path, and no colon because Basic ends the name with it (RFC 7617).
pub(super) fn refused_name(name: &str) -> Option<&'static str> {
    if !(4..=32).contains(&name.chars().count()) {
        Some("The user name must have 4 to 32 characters.")
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+')) {
        Some("The user name may have letters, digits and . _ - @ + only.")
    } else {
        None
    }
}

/// A hash that no password is known for, in the PHC form. It is made without hashing, which would take a password's
/// time and memory at every start.
fn dummy(params: &Params) -> Result<String, Trouble> {
    let (salt, digest): ([u8; 16], [u8; Params::DEFAULT_OUTPUT_LEN]) = (random()?, random()?);
    let hash = Output::new(&digest).map_err(Into::into).and_then(|hash| phc(params, &salt, hash));
    Ok(hash.map_err(|error| Trouble::Failed(format!("the hash of no password: {error}")))?.to_string())
}

/// Hashes off the runtime's threads, few at a time.
pub(super) struct Hasher {
    params: Params,
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// For as many hashes as run at once.
    spare: Arc<Spare>,
    /// What is verified when there is no hash, so that the answer takes as long.
    dummy: Arc<str>,
}

impl Hasher {
    pub(super) fn new(cost: HashCost, concurrency: usize) -> Result<Self, Trouble> {
        let unusable = |error| Trouble::Failed(format!("the cost of password hashes: {error}"));
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(unusable)?;
        let dummy = dummy(&params)?.into();
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS - QUEUE);
        Ok(Self {
            params,
            waiting: Arc::new(Semaphore::new(concurrency + QUEUE)),
            running: Arc::new(Semaphore::new(concurrency)),
            spare: Arc::default(),
            dummy,
        })
    }

    /// Whether `hash` is the password's. Without a hash it takes as long and the answer is no. `held` is
    /// dropped when the hash is done, which may be after the caller has gone away.
    pub(super) async fn verify(
        &self,
        password: &str,
        hash: Option<Arc<str>>,
        held: impl Send + 'static,
    ) -> Result<bool, Trouble> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| Arc::clone(&self.dummy));
        let password = SecretString::from(password);
        let verified = self
            .run(move |memory| {
                let verified = memory.verify(password.expose_secret().as_bytes(), &hash);
                drop(held);
                verified
            })
            .await?;
        Ok(verified && known)
    }

    /// A new PHC string for the password.
    pub(super) async fn hash(&self, password: &str) -> Result<String, Trouble> {
        let password = SecretString::from(password);
        let salt: [u8; 16] = random()?;
        let params = self.params.clone();
        self.run(move |memory| memory.hash(password.expose_secret().as_bytes(), &salt, &params)).await
    }

    /// Fills the queue until the permit is dropped.
    #[cfg(test)]
    pub(super) fn take_all_places(&self) -> OwnedSemaphorePermit {
        let places = u32::try_from(self.waiting.available_permits()).unwrap();
        Arc::clone(&self.waiting).try_acquire_many_owned(places).unwrap()
    }

    /// Lets hashes wait, and none begin, until the permit is dropped.
    #[cfg(test)]
    pub(super) fn take_all_turns(&self) -> OwnedSemaphorePermit {
        let turns = u32::try_from(self.running.available_permits()).unwrap();
        Arc::clone(&self.running).try_acquire_many_owned(turns).unwrap()
    }

    /// The permits travel with the work: a caller who goes away does not make room for one more hash.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let permits = self.permits().await?;
        let spare = Arc::clone(&self.spare);
        let work = tokio::task::spawn_blocking(move || {
            let result = spare.lend(work);
            // Only now is there memory for the next.
            drop(permits);
            result
        });
        work.await
            .unwrap_or_else(|error| Err(Trouble::Failed(format!("a password hash was interrupted: {error}"))))
    }

    async fn permits(&self) -> Result<[OwnedSemaphorePermit; 2], Trouble> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| Trouble::Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Trouble::Busy)?;
        Ok([place, turn])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1, lanes: 1 };

    #[test]
    fn the_password_rule() {
        for good in ["Abcdef1!", "aA1~5678", &format!("Aa1!{}", "x".repeat(60)), "Aa1!ééée"] {
            assert_eq!(refused_password(good), None, "{good}");
        }
        let long = format!("Aa1!{}", "x".repeat(61));
        for bad in
            ["", "Abcde1!", &long, "Abcdefg!", "abcdef1!", "ABCDEF1!", "Abcdefg1", "Abcdef1€", "secret"]
        {
            assert!(refused_password(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_name_rule() {
        for good in ["user", "a.b_c-d@e+f", &"x".repeat(32)] {
            assert_eq!(refused_name(good), None, "{good}");
        }
        for bad in ["", "abc", &"x".repeat(33), "a:bcd", "a b c", "a/bc", "jürgen", "user\n", "user\0"] {
            assert!(refused_name(bad).is_some(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_only() {
        let hasher = Hasher::new(CHEAP, 2).unwrap();
        let hash: Arc<str> = hasher.hash("Abcdef1!").await.unwrap().into();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(hasher.verify("Abcdef1!", Some(Arc::clone(&hash)), ()).await.unwrap());
        assert!(!hasher.verify("Abcdef1?", Some(hash), ()).await.unwrap());
        assert!(!hasher.verify("", None, ()).await.unwrap(), "nobody has the dummy's password");
        assert!(matches!(hasher.verify("x", Some("junk".into()), ()).await, Err(Trouble::Failed(_))));
    }

    #[tokio::test]
    async fn the_default_cost_is_owasps() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        assert!(hasher.dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hasher.dummy);
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_at_once() {
        let hasher = Hasher::new(CHEAP, 1).unwrap();
        let places = hasher.take_all_places();
        assert_eq!(places.num_permits(), 1 + QUEUE);
        assert!(matches!(hasher.hash("x").await, Err(Trouble::Busy)));
        drop(places);
        assert!(hasher.hash("x").await.is_ok());
    }
}
