//! Printing: to a terminal with colours, to a pipe without.

use std::io::{IsTerminal, Write, stderr, stdout};

use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::yaml::{Fault, Severity};

/// Prints a line to standard output.
pub(super) fn line(text: &str) {
    put(&mut stdout(), text);
}

/// Prints a line to standard error.
pub(super) fn error(text: &str) {
    put(&mut stderr(), &format!("pintle: {text}"));
}

/// Prints a line to standard error that is no fault.
pub(super) fn note(text: &str) {
    put(&mut stderr(), text);
}

/// Prints a body as it is; to a terminal with a line break behind it.
pub(super) fn body(bytes: &[u8]) {
    let mut to = stdout();
    let end: &[u8] = if to.is_terminal() { b"\n" } else { b"" };
    let _gone = to.write_all(bytes).and_then(|()| to.write_all(end));
}

/// Prints rows in columns as wide as their widest cell.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        line(cells.join("  ").trim_end());
    }
}

/// A reader that has gone (`pintle routes | head`) is no fault: there is nobody left to tell.
fn put(to: &mut impl Write, text: &str) {
    let _gone = writeln!(to, "{text}");
}

/// Prints every fault with its place, and one line that counts them.
pub(super) fn faults(faults: &[Fault], colour: bool) {
    for fault in faults {
        put(&mut stderr(), &rendered(fault, colour));
    }
    if !faults.is_empty() {
        put(&mut stderr(), &counted(faults));
    }
}

/// A fault as a person reads it. Only the line itself is shown: its neighbours may hold secrets.
pub(super) fn rendered(fault: &Fault, colour: bool) -> String {
    let theme = if colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_context_lines(0)
        .with_width(100);
    let mut text = String::new();
    match handler.render_report(&mut text, fault) {
        Ok(()) => text,
        Err(_) => fault.to_string(),
    }
}

/// `2 faults, 1 warning`.
pub(super) fn counted(faults: &[Fault]) -> String {
    let warnings = faults
        .iter()
        .filter(|fault| fault.level() == Severity::Warning)
        .count();
    let errors = faults.len() - warnings;
    match (errors, warnings) {
        (errors, 0) => count(errors, "fault"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", count(errors, "fault"), count(warnings, "warning")),
    }
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// Whether standard error is read by a person who likes colours (<https://no-color.org>).
pub(super) fn colour_on_stderr() -> bool {
    stderr().is_terminal() && !no_color()
}

/// Whether standard output is read by a person who likes colours.
pub(super) fn colour_on_stdout() -> bool {
    stdout().is_terminal() && !no_color()
}

#[expect(
    clippy::disallowed_methods,
    reason = "no setting: a habit of the person's terminal"
)]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
