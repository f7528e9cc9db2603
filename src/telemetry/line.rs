//! A line of the log. Each call has one, so it is put together plainly.

use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object of JSON for each line.
    Json,
}

/// Writes the lines of a log.
#[derive(Debug)]
pub struct LogLine {
    format: LogFormat,
    /// A second and how it is written: most lines are of the same one as the line before.
    second: Mutex<(i64, String)>,
}

impl LogLine {
    /// Lines of a format.
    pub fn new(format: LogFormat) -> Self {
        Self {
            format,
            second: Mutex::new((i64::MIN, String::new())),
        }
    }

    /// `2026-11-23T17:15:22.000123Z` (RFC 3339).
    fn time(&self, into: &mut String) -> fmt::Result {
        #[expect(
            clippy::disallowed_methods,
            reason = "what the log says is no decision"
        )]
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != now {
            let written = jiff::Timestamp::from_second(now).unwrap_or_default();
            *second = (now, written.to_string().trim_end_matches('Z').to_owned());
        }
        into.write_str(&second.1)?;
        drop(second);
        // The leading digit keeps the zeros.
        let mut digits = itoa::Buffer::new();
        let micros = digits.format(1_000_000 + since.subsec_micros());
        into.write_char('.')?;
        into.write_str(micros.get(1..).unwrap_or_default())?;
        into.write_char('Z')
    }
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(LINE_BYTES);
        let about = event.metadata();
        let (level, target) = (about.level().as_str(), about.target());
        match self.format {
            LogFormat::Text => {
                self.time(&mut line)?;
                // The levels are of four letters and of five.
                line.push_str(if level.len() < 5 { "  " } else { " " });
                for part in [level, " ", target, ":"] {
                    line.push_str(part);
                }
                let mut fields = Text(&mut line, Ok(()));
                event.record(&mut fields);
                fields.1?;
            }
            LogFormat::Json => {
                line.push_str("{\"timestamp\":\"");
                self.time(&mut line)?;
                for part in ["\",\"level\":\"", level, "\""] {
                    line.push_str(part);
                }
                let mut fields = Json(&mut line, Ok(()));
                event.record(&mut fields);
                fields.1?;
                for part in [",\"target\":\"", target, "\"}"] {
                    line.push_str(part);
                }
            }
        }
        line.push('\n');
        writer.write_str(&line)
    }
}

/// Fields as ` name=value`; the message alone has no name.
struct Text<'l>(&'l mut String, fmt::Result);

impl Text<'_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut String) -> fmt::Result) {
        if self.1.is_ok() {
            self.1 = self.write(field, value);
        }
    }

    fn write(
        &mut self,
        field: &Field,
        value: impl FnOnce(&mut String) -> fmt::Result,
    ) -> fmt::Result {
        self.0.write_char(' ')?;
        if field.name() != MESSAGE {
            self.0.write_str(field.name())?;
            self.0.write_char('=')?;
        }
        value(self.0)
    }
}

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| {
            if field.name() == MESSAGE {
                Tame(writer).write_str(value)
            } else {
                quoted(writer, value, |writer| write!(writer, "{value:?}"))
            }
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |writer| number(writer, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |writer| number(writer, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |writer| writer.write_str(word(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| write!(Tame(writer), "{value:?}"));
    }
}

/// Text without anything that a terminal acts on or that begins a line: it may be a peer's.
struct Tame<'l>(&'l mut String);

impl Write for Tame<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            let mut letters = part.chars();
            match letters.next_back().filter(|letter| letter.is_control()) {
                None => self.0.write_str(part)?,
                Some(control) => {
                    self.0.write_str(letters.as_str())?;
                    write!(self.0, "{}", control.escape_debug())?;
                }
            }
        }
        Ok(())
    }
}

/// Fields as `,"name":value`.
struct Json<'l>(&'l mut String, fmt::Result);

impl Json<'_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut String) -> fmt::Result) {
        if self.1.is_ok() {
            self.1 = self.write(field, value);
        }
    }

    fn write(
        &mut self,
        field: &Field,
        value: impl FnOnce(&mut String) -> fmt::Result,
    ) -> fmt::Result {
        // The names are ours: none needs an escape.
        for part in [",\"", field.name(), "\":"] {
            self.0.write_str(part)?;
        }
        value(self.0)
    }
}

impl Visit for Json<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| json(writer, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |writer| number(writer, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |writer| number(writer, value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |writer| {
            let value = serde_json::to_string(&value).map_err(|_| fmt::Error)?;
            writer.write_str(&value)
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |writer| writer.write_str(word(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| json(writer, &format!("{value:?}")));
    }
}

fn number(writer: &mut String, value: impl itoa::Integer) -> fmt::Result {
    writer.write_str(itoa::Buffer::new().format(value))
}

fn word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn json(writer: &mut String, value: &str) -> fmt::Result {
    quoted(writer, value, |writer| {
        let value = serde_json::to_string(value).map_err(|_| fmt::Error)?;
        writer.write_str(&value)
    })
}

/// A text in quotes, with `escaped` for one that needs more than quotes.
fn quoted(
    writer: &mut String,
    value: &str,
    escaped: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if !value.bytes().all(is_plain) {
        return escaped(writer);
    }
    for part in ["\"", value, "\""] {
        writer.write_str(part)?;
    }
    Ok(())
}

/// What a line takes, mostly.
const LINE_BYTES: usize = 512;
/// The field of what is said.
const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of a few lines.
    fn logged(format: LogFormat) -> Vec<String> {
        let sink = Sink::default();
        let writer = sink.clone();
        let log = tracing_subscriber::fmt()
            .event_format(LogLine::new(format))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            let nothing: Option<&str> = None;
            let error = io::Error::other("it \"broke\"\u{1b}[2J\nWARN");
            tracing::info!(target: "pintle::call", path = "/a", nothing, count = 7_u64, ok = true, "call");
            tracing::warn!(odd = "a\"b\\c\n\u{7}ü", below = -3_i64, %error, "said {}", "\"so\"");
        });
        let bytes = sink.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_of_text_is_as_people_know_it() {
        let lines = logged(LogFormat::Text);
        assert_eq!(lines.len(), 2);
        let (time, rest) = lines[0].split_at(27);
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(
            rest,
            "  INFO pintle::call: call path=\"/a\" count=7 ok=true"
        );
        assert!(
            lines[1].ends_with(
                r#" WARN pintle::telemetry::line::tests: said "so" odd="a\"b\\c\n\u{7}ü" below=-3 error=it "broke"\u{1b}[2J\nWARN"#
            ),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn a_line_of_json_is_json() {
        let lines = logged(LogFormat::Json);
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let (first, second) = (read(&lines[0]), read(&lines[1]));
        let time = first["timestamp"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(first["level"], "INFO");
        assert_eq!(first["target"], "pintle::call");
        assert_eq!(first["message"], "call");
        assert_eq!(
            (&first["path"], &first["count"], &first["ok"]),
            (&"/a".into(), &7.into(), &true.into())
        );
        assert!(first.get("nothing").is_none());
        assert_eq!(second["odd"], "a\"b\\c\n\u{7}ü");
        assert_eq!(second["below"], -3);
        assert_eq!(second["error"], "it \"broke\"\u{1b}[2J\nWARN");
        assert_eq!(second["message"], "said \"so\"");
    }
}
