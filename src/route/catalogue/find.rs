//! Finding an entry by path or by name.

use std::sync::Arc;

use http::Method;

use super::{Catalogue, Entry, Kind};

/// What the catalogue knows of a path or name.
#[derive(Debug)]
pub enum Found<'c> {
    /// The operation.
    Operation(&'c Arc<Entry>),
    /// The path or name is known, with other methods.
    OtherMethod(Vec<&'c Method>),
    /// The operation is known and its path is not.
    NoPath(&'c Arc<Entry>),
    /// A reserved operation stands at this path, whatever the method.
    Reserved(&'c Arc<Entry>),
    /// Not in the catalogue.
    Unlisted,
}

impl Catalogue {
    /// Looks a path up, decoded and without a slash at its end.
    ///
    /// A reserved path is found also in other letter case and with any method, since an upstream
    /// may be lax where we are strict.
    pub fn by_path(&self, method: &Method, path: &str) -> Found<'_> {
        if let Some(entries) = self.by_path.get(path) {
            if let Some(reserved) = entries.iter().find(|entry| entry.reserved) {
                return Found::Reserved(reserved);
            }
            let fits = |entry: &&Arc<Entry>| entry.method.as_ref().is_none_or(|m| m == method);
            return entries.iter().find(fits).map_or_else(
                || Found::OtherMethod(entries.iter().filter_map(|e| e.method.as_ref()).collect()),
                Found::Operation,
            );
        }
        self.reserved_in_other_case(path)
            .map_or(Found::Unlisted, Found::Reserved)
    }

    /// The operation of a name, whatever is known of it.
    pub fn entry(&self, name: &str) -> Option<&Arc<Entry>> {
        let entry = self.by_name.get(name)?;
        (entry.kind == Kind::Operation).then_some(entry)
    }

    /// Looks an operation up by its name.
    pub fn by_name(&self, method: &Method, name: &str) -> Found<'_> {
        let Some(entry) = self
            .by_name
            .get(name)
            .filter(|entry| entry.kind == Kind::Operation)
        else {
            return Found::Unlisted;
        };
        match &entry.method {
            _ if entry.reserved => Found::Reserved(entry),
            Some(known) if known != method => Found::OtherMethod(vec![known]),
            _ if entry.path.is_none() => Found::NoPath(entry),
            _ => Found::Operation(entry),
        }
    }

    fn reserved_in_other_case(&self, path: &str) -> Option<&Arc<Entry>> {
        self.reserved.iter().find(|entry| {
            entry
                .path
                .as_deref()
                .is_some_and(|known| known.eq_ignore_ascii_case(path))
        })
    }
}
