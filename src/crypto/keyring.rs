//! Keys by id, with the time in which each is valid.

use super::scheme::Keys;
use super::{Beside, OpenFailure, Scheme, SealFailure, Sealed};
use crate::clock::UnixSecond;

/// A key with its id and its time.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// Its id, which may travel with the text.
    pub id: String,
    /// The key.
    pub keys: Keys,
    /// It is not used before.
    pub from: Option<UnixSecond>,
    /// It is not used from then on.
    pub until: Option<UnixSecond>,
}

/// Several keys for one purpose, in the order of the settings.
///
/// The first key that is valid seals; every key that is valid opens. So a new key is put in front,
/// and the one before it stays until nothing sealed with it is under way.
#[derive(Debug, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<NamedKey>,
}

impl NamedKey {
    fn is_valid(&self, now: UnixSecond) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

impl Keyring {
    /// A keyring of these keys.
    pub fn new(keys: Vec<NamedKey>) -> Self {
        Self { keys }
    }

    /// The keys, to put them together with others.
    pub fn into_keys(self) -> Vec<NamedKey> {
        self.keys
    }

    /// Whether every key has one for the tag, too.
    pub fn has_mac(&self) -> bool {
        self.keys.iter().all(|key| key.keys.mac.is_some())
    }

    /// Seals with the first key that is valid; tells its id.
    pub fn seal(
        &self,
        scheme: &Scheme,
        plain: &[u8],
        now: UnixSecond,
    ) -> Result<(&str, Sealed), SealFailure> {
        let key = self
            .keys
            .iter()
            .find(|key| key.is_valid(now))
            .ok_or(SealFailure::NoKey)?;
        Ok((&key.id, scheme.seal(&key.keys, plain)?))
    }

    /// Opens with the key of this id, or, without an id, with whichever valid key fits.
    ///
    /// The failure is that of the first key that was tried.
    pub fn open(
        &self,
        scheme: &Scheme,
        text: &[u8],
        (beside, id): (&Beside<'_>, Option<&str>),
        now: UnixSecond,
    ) -> Result<Vec<u8>, OpenFailure> {
        let mut first = None;
        let fits = |key: &&NamedKey| key.is_valid(now) && id.is_none_or(|id| id == key.id);
        for key in self.keys.iter().filter(fits) {
            match scheme.open(&key.keys, text, beside) {
                Ok(plain) => return Ok(plain),
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        Err(first.unwrap_or(OpenFailure::NoKey))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::AesKey;

    fn key(id: &str, byte: u8, from: Option<i64>, until: Option<i64>) -> NamedKey {
        let cipher = AesKey::new(&[byte; 16]).unwrap();
        NamedKey {
            id: id.to_owned(),
            keys: Keys { cipher, mac: None },
            from,
            until,
        }
    }

    #[test]
    fn the_key_before_opens_while_the_new_one_seals() {
        let ring = Keyring::new(vec![
            key("new", 2, Some(100), None),
            key("old", 1, None, Some(200)),
        ]);
        let scheme = Scheme::Airudder;
        let seal = |now| ring.seal(&scheme, b"{}", now).unwrap();
        let open = |sealed: &Sealed, now| {
            let digest = sealed.digest.clone().unwrap();
            let beside = Beside {
                digest: Some(digest.as_bytes()),
                ..Beside::default()
            };
            ring.open(&scheme, &sealed.text, (&beside, None), now)
        };
        let (id, by_old) = seal(99);
        assert_eq!(id, "old");
        let (id, by_new) = seal(100);
        assert_eq!(id, "new");
        for now in [100, 199] {
            assert_eq!(open(&by_old, now).unwrap(), b"{}");
            assert_eq!(open(&by_new, now).unwrap(), b"{}");
        }
        assert!(open(&by_old, 200).is_err());
        assert!(open(&by_new, 99).is_err());
    }
}
