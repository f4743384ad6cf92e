//! Memory to hash passwords in.
//!
//! A hash takes 19 MiB. Taken anew for each and given back, they would stay with the allocator, once for every thread
//! that has hashed. So there are as many as hashes at once, made when they are first needed, and they are kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::password_hash::Error as PhcError;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::Trouble;

/// What no hash uses at the moment.
#[derive(Default)]
pub(super) struct Spare(Mutex<Vec<Vec<Block>>>);

impl Spare {
    /// Does `work` in memory that nobody else has meanwhile.
    pub(super) fn lend<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = Memory(self.blocks().pop().unwrap_or_default());
        let done = work(&mut memory);
        self.blocks().push(memory.0);
        done
    }

    fn blocks(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory of one hash.
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// A new PHC string for the password.
    pub(super) fn hash(&mut self, password: &[u8], salt: &[u8], params: &Params) -> Result<String, Trouble> {
        let output = self.fill(password, salt, Algorithm::Argon2id, Version::V0x13, params)?;
        Ok(phc(params, salt, output).map_err(unusable)?.to_string())
    }

    /// Whether `hash`, a PHC string, is the password's.
    pub(super) fn verify(&mut self, password: &[u8], hash: &str) -> Result<bool, Trouble> {
        let hash = PasswordHash::new(hash).map_err(unusable)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(unusable("it has no salt or no digest"));
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(unusable)?;
        let version = hash.version.map(Version::try_from).transpose().map_err(unusable)?.unwrap_or_default();
        let params = Params::try_from(&hash).map_err(unusable)?;
        // In constant time: `Output` compares so.
        Ok(self.fill(password, salt, algorithm, version, &params)? == *expected)
    }

    fn fill(
        &mut self,
        password: &[u8],
        salt: &[u8],
        algorithm: Algorithm,
        version: Version,
        params: &Params,
    ) -> Result<Output, Trouble> {
        let missing = params.block_count().saturating_sub(self.0.len());
        self.0.try_reserve_exact(missing).map_err(unusable)?;
        self.0.resize(self.0.len() + missing, Block::new());
        let mut digest = [0; Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let digest = digest.get_mut(..length).ok_or_else(|| unusable("its digest is too long"))?;
        let argon2 = Argon2::new(algorithm, version, params.clone());
        argon2.hash_password_into_with_memory(password, salt, digest, &mut self.0).map_err(unusable)?;
        Output::new(digest).map_err(unusable)
    }
}

/// A hash as it is written.
pub(super) fn phc(params: &Params, salt: &[u8], hash: Output) -> Result<PasswordHash, PhcError> {
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(salt)?),
        hash: Some(hash),
    })
}

fn unusable(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(format!("a password hash cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    fn params(memory_kib: u32, passes: u32, lanes: u32) -> Params {
        Params::new(memory_kib, passes, lanes, None).unwrap()
    }

    /// Memory that held another hash, of another size, makes no difference.
    #[test]
    fn the_hash_is_argon2s_own() {
        let spare = Spare::default();
        for (number, params) in
            [params(64, 1, 1), params(8, 3, 1), params(128, 2, 4), params(64, 1, 1)].into_iter().enumerate()
        {
            let (password, salt) = (format!("password {number}"), [7; 16]);
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            let theirs: PasswordHash = argon2.hash_password_with_salt(password.as_bytes(), &salt).unwrap();
            let theirs = theirs.to_string();
            spare.lend(|memory| {
                assert_eq!(memory.hash(password.as_bytes(), &salt, &params).ok(), Some(theirs.clone()));
                assert!(memory.verify(password.as_bytes(), &theirs).ok() == Some(true));
                assert!(memory.verify(b"another", &theirs).ok() == Some(false));
            });
            argon2.verify_password(password.as_bytes(), &*theirs).unwrap();
        }
        assert_eq!(spare.blocks().len(), 1, "one after the other need one");
    }

    #[test]
    fn what_is_no_hash_is_an_error() {
        for hash in [
            "",
            "junk",
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$",
        ] {
            assert!(Spare::default().lend(|memory| memory.verify(b"x", hash)).is_err(), "{hash}");
        }
    }
}
