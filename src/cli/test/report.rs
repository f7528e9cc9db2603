//! What `pintle test` tells: for people, as JSON, as the XML of `JUnit`.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Cover, Outcome, TestArguments};
use crate::cli::print;

/// Tells how it went, and with which status to end.
pub(super) fn tell(outcomes: &[Outcome], covers: &[Cover], arguments: &TestArguments) -> ExitCode {
    if let Some(path) = &arguments.junit
        && let Err(error) = std::fs::write(path, junit(outcomes))
    {
        print::error(&format!("cannot write {}: {error}", path.display()));
        return ExitCode::FAILURE;
    }
    let short = covers.iter().filter(|cover| {
        let min = arguments.cover_min.map(usize::from);
        min.is_some_and(|min| cover.percent() < min)
    });
    let short: Vec<&Cover> = short.collect();
    if arguments.json {
        print::line(&format!("{:#}", document(outcomes, covers)));
    } else {
        people(outcomes, covers, &short);
    }
    let is_good = outcomes.iter().all(Outcome::is_good) && short.is_empty();
    if outcomes.is_empty() {
        print::error("no route has examples: write them under `examples:` in the route's file");
        return ExitCode::FAILURE;
    }
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn people(outcomes: &[Outcome], covers: &[Cover], short: &[&Cover]) {
    for outcome in outcomes {
        let word = if outcome.is_good() {
            "ok    "
        } else {
            "FAILED"
        };
        let took = outcome.took.as_millis();
        print::line(&format!(
            "{word} {}: {} ({took} ms)",
            outcome.route, outcome.example
        ));
        if let Some(why) = &outcome.broken {
            print::line(&format!("         {why}"));
        }
        for (turn, difference) in &outcome.wrong {
            print::line(&format!("         turn {}: {}", turn + 1, difference.at));
            let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
            print::line(&format!(
                "           expected  {}",
                text(&difference.expected)
            ));
            print::line(&format!("           seen      {}", text(&difference.seen)));
        }
    }
    for cover in covers {
        let unused: Vec<String> = cover.unused.iter().map(ToString::to_string).collect();
        let rest = if unused.is_empty() {
            String::new()
        } else {
            format!("; not used: line {}", unused.join(", "))
        };
        print::line(&format!(
            "cover  {}: {} %{rest}",
            cover.route,
            cover.percent()
        ));
    }
    for cover in short {
        print::error(&format!(
            "the examples of `{}` use {} % of its lines",
            cover.route,
            cover.percent()
        ));
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.is_good()).count();
    print::line(&format!(
        "{}, {} failed",
        print::count(outcomes.len(), "example"),
        failed
    ));
}

fn document(outcomes: &[Outcome], covers: &[Cover]) -> Value {
    let examples: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let wrong: Vec<Value> = outcome
                .wrong
                .iter()
                .map(|(turn, difference)| {
                    json!({
                        "turn": turn + 1,
                        "at": difference.at,
                        "expected": difference.expected,
                        "seen": difference.seen,
                    })
                })
                .collect();
            json!({
                "route": outcome.route,
                "example": outcome.example,
                "good": outcome.is_good(),
                "ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
                "differences": wrong,
                "broken": outcome.broken,
            })
        })
        .collect();
    let covers: Vec<Value> = covers
        .iter()
        .map(|cover| json!({ "route": cover.route, "percent": cover.percent(), "unused_lines": cover.unused }))
        .collect();
    json!({ "examples": examples, "cover": covers })
}

/// The report that CI systems read.
fn junit(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| !outcome.is_good()).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let total = outcomes.len();
    let _never = writeln!(
        text,
        "<testsuite name=\"pintle\" tests=\"{total}\" failures=\"{failed}\">"
    );
    for outcome in outcomes {
        let seconds = outcome.took.as_secs_f64();
        let _never = write!(
            text,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
            escaped(&outcome.route),
            escaped(&outcome.example)
        );
        if outcome.is_good() {
            text.push_str("/>\n");
            continue;
        }
        let mut told = outcome.broken.clone().unwrap_or_default();
        for (turn, difference) in &outcome.wrong {
            let _never = writeln!(
                told,
                "turn {}: {}\n  expected {}\n  seen {}",
                turn + 1,
                difference.at,
                difference.expected.as_deref().unwrap_or("nothing"),
                difference.seen.as_deref().unwrap_or("nothing")
            );
        }
        let _never = write!(
            text,
            ">\n    <failure message=\"not as expected\">{}</failure>\n  </testcase>\n",
            escaped(&told)
        );
    }
    text.push_str("</testsuite>\n");
    text
}

/// A text between tags or quotes of XML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => escaped.push(c),
        }
    }
    escaped
}
