//! The file of an export: a first line that says what it is, a record a line, and a last line that
//! says that all of it is there.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::crypto::{hex, sha256};
use crate::store::Record;

/// What a whole file says of itself.
pub(super) struct Export {
    /// Its id, by which a store knows that it has it.
    pub(super) id: String,
}

/// Writes an export.
pub(super) struct Writer<W> {
    to: W,
    records: u64,
    digest: [u8; 32],
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(to: W, id: &str, from: &str) -> Result<Self, String> {
        let mut writer = Self {
            to,
            records: 0,
            digest: [0; 32],
        };
        let first = json!({ "pintle_store": VERSION, "export": id, "from": from });
        writer.put(&first.to_string())?;
        Ok(writer)
    }

    /// Writes a record.
    pub(super) fn line(&mut self, line: &str) -> Result<(), String> {
        self.records += 1;
        self.put(line)
    }

    pub(super) fn end(mut self) -> Result<(), String> {
        let end = json!({ "end": { "records": self.records, "digest": hex(&self.digest) } });
        self.put(&end.to_string())?;
        self.to.flush().map_err(|error| unwritten(&error))
    }

    fn put(&mut self, line: &str) -> Result<(), String> {
        self.digest = chained(&self.digest, line.as_bytes());
        writeln!(self.to, "{line}").map_err(|error| unwritten(&error))
    }
}

/// Reads an export, line by line.
pub(super) struct Reader {
    from: BufReader<File>,
    path: PathBuf,
    id: String,
    line: u64,
    digest: [u8; 32],
    is_over: bool,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let unread = |error| format!("cannot read {}: {error}", path.display());
        let mut reader = Self {
            from: BufReader::new(File::open(path).map_err(unread)?),
            path: path.to_owned(),
            id: String::new(),
            line: 0,
            digest: [0; 32],
            is_over: false,
        };
        let first = reader.next()?.unwrap_or_default();
        let first: Value = serde_json::from_slice(&first).unwrap_or_default();
        let version = first.get("pintle_store").and_then(Value::as_u64);
        let id = first.get("export").and_then(Value::as_str);
        let foreign =
            || reader.fault("is no export of a store: write one with `pintle queue export`");
        let version = version.ok_or_else(foreign)?;
        if version > VERSION {
            return Err(reader.fault(&format!(
                "was written by a later version of pintle (its format is {version}, this one reads \
                 {VERSION}): import it with that one"
            )));
        }
        let id = id.ok_or_else(foreign)?.to_owned();
        reader.id = id;
        Ok(reader)
    }

    /// Reads to the end; tells what it is, where all of it is there and as it was written.
    pub(super) fn check(mut self) -> Result<Export, String> {
        while self.record()?.is_some() {}
        Ok(Export { id: self.id })
    }

    /// The next record; `None` at the end, where there is one.
    pub(super) fn record(&mut self) -> Result<Option<Record>, String> {
        if self.is_over {
            return Ok(None);
        }
        let digest = self.digest;
        let line = self.next()?;
        let line = line.ok_or_else(|| self.fault("is not whole: its last line is missing"))?;
        if let Some(record) = Record::read(&line) {
            return Ok(Some(record));
        }
        let found: Value = serde_json::from_slice(&line).unwrap_or_default();
        let Some(end) = found.get("end") else {
            let what = format!("is damaged: line {} is no record", self.line);
            return Err(self.fault(&what));
        };
        let records = end.get("records").and_then(Value::as_u64);
        let told = end.get("digest").and_then(Value::as_str);
        // The first line and the last are no records.
        let is_whole = records == self.line.checked_sub(2) && told == Some(hex(&digest).as_str());
        if !is_whole || self.next()?.is_some() {
            return Err(self.fault("is damaged: lines were lost, added or changed"));
        }
        self.is_over = true;
        Ok(None)
    }

    /// The next line that is whole.
    fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        let mut limited = self.from.by_ref().take(LINE_MAX);
        let read = limited.read_until(b'\n', &mut line);
        read.map_err(|error| self.fault(&format!("cannot be read: {error}")))?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok(None);
        }
        self.line += 1;
        self.digest = chained(&self.digest, &line);
        Ok(Some(line))
    }

    fn fault(&self, what: &str) -> String {
        format!("{} {what}; nothing more was taken", self.path.display())
    }
}

/// Of each line with all before it.
fn chained(before: &[u8; 32], line: &[u8]) -> [u8; 32] {
    sha256(&[before.as_slice(), line].concat())
}

fn unwritten(error: &std::io::Error) -> String {
    format!("the export cannot be written: {error}")
}

/// The version of the format.
const VERSION: u64 = 1;
/// An event has a body of at most 16 MiB, progress of 1 MiB for each delivery, and answers.
const LINE_MAX: u64 = 1 << 30;
