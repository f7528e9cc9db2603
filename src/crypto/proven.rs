//! What was proved to be its sender's.

use super::verifier::{Evidence, ProofFailure, Verifier};

/// A value that a verifier has let through. Nothing else makes one, so whatever asks for it cannot
/// be given what was not proved.
#[derive(Debug)]
#[must_use = "what was proved is to be used"]
pub struct Proven<T>(T);

impl Verifier {
    /// Proves a value by its evidence.
    pub fn prove<T>(&self, evidence: &Evidence<'_>, value: T) -> Result<Proven<T>, ProofFailure> {
        self.verify(evidence)?;
        Ok(Proven(value))
    }
}

impl<T> Proven<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, for whoever stores it.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Another value made of it: what was proved stays proved.
    pub fn try_map<U, E>(self, make: impl FnOnce(T) -> Result<U, E>) -> Result<Proven<U>, E> {
        make(self.0).map(Proven)
    }
}
