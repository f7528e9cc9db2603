//! `pintle new`: the first draft of a route, from a sample of what a partner pushes.

use std::io::{Read as _, Write as _, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::print;
use crate::config::{self, embedded};
use crate::mapping::Moment;
use crate::route::Catalogue;
use crate::route::draft::{NoDraft, Sample, outcome};
use crate::yaml::{Fault, Faults, Source};

/// What is written.
#[derive(Debug, clap::Args)]
pub(super) struct NewArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A route that turns a push into contacts of a workflow, with remarks and one example
    ///
    /// The sample is one push as the partner sends it: JSON, XML or a form; which of them is seen
    /// by its text. Fields are guessed by their names and values, and every guess is marked. What
    /// looks like a secret is not copied.
    #[command(
        after_help = "Examples:\n  pintle new route acme --from sample.json\n  \
        pintle new route acme --from lead.form --path /in/acme --out mine/routes/acme.yaml\n\n\
        Then:\n  pintle routes --export mine             # the built-in files, to put yours beside them\n  \
        pintle test --folder mine/routes acme"
    )]
    Route(RouteArguments),
}

#[derive(Debug, clap::Args)]
struct RouteArguments {
    /// Its name: lower-case letters, digits and `_`
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// A sample of what is pushed; `-` reads standard input [default: an invented lead in JSON]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Where it listens on the public listener [default: /in/NAME]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The file that is written; `-` prints it [default: NAME.yaml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &NewArguments) -> ExitCode {
    let What::Route(arguments) = &arguments.what;
    let sample = match sample(arguments) {
        Ok(sample) => sample,
        Err(why) => {
            print::error(&why);
            return ExitCode::FAILURE;
        }
    };
    let draft = match draft(&sample) {
        Ok(draft) => draft,
        Err(faults) => {
            print::faults(&faults, print::colour_on_stderr());
            return ExitCode::FAILURE;
        }
    };
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| format!("{}.yaml", arguments.name).into());
    if out == Path::new("-") {
        print::body(draft.as_bytes());
        return ExitCode::SUCCESS;
    }
    if let Err(error) = write(&out, &draft, arguments.force) {
        let help = match error.kind() {
            std::io::ErrorKind::AlreadyExists => ": choose another with `--out`, or add `--force`",
            _ => "",
        };
        print::error(&format!("cannot write {}: {error}{help}", out.display()));
        return ExitCode::FAILURE;
    }
    print::line(&format!(
        "written: {}\n\
         1. Look at every line that says `a guess`, and choose how the sender is proved.\n\
         2. Put it beside the other routes: `pintle routes --export mine` writes them out.\n\
         3. `pintle test --folder mine/routes {}` plays its example; then name it under `run` in pintle.yaml.",
        out.display(),
        arguments.name,
    ));
    ExitCode::SUCCESS
}

fn sample(arguments: &RouteArguments) -> Result<Sample, String> {
    let mut bytes = Vec::new();
    let read = match arguments.from.as_deref() {
        None => {
            bytes.extend_from_slice(INVENTED);
            Ok(0)
        }
        Some(path) if path == Path::new("-") => stdin()
            .lock()
            .take(SAMPLE_BYTES_MAX)
            .read_to_end(&mut bytes),
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(SAMPLE_BYTES_MAX).read_to_end(&mut bytes)),
    };
    let shown = arguments
        .from
        .as_ref()
        .map_or_else(String::new, |path| path.display().to_string());
    read.map_err(|error| format!("cannot read {shown}: {error}"))?;
    let path = arguments
        .path
        .clone()
        .unwrap_or_else(|| format!("/in/{}", arguments.name));
    Sample::read(&arguments.name, &path, &bytes).map_err(|why| match &why {
        NoDraft::Unreadable(_, source) => format!("{why}: {source}"),
        _ => why.to_string(),
    })
}

/// The text of the route, which was read once, and whose example was computed from it.
fn draft(sample: &Sample) -> Result<String, Vec<Fault>> {
    let first = sample.draft(None);
    let moment = Moment {
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let catalogue = read(&sample.name, &first)?;
    let flow = catalogue
        .flows()
        .iter()
        .find(|flow| flow.name == sample.name);
    let outcome = flow.and_then(|flow| outcome(flow, sample, &moment).ok());
    let whole = sample.draft(outcome.as_ref());
    read(&sample.name, &whole)?;
    Ok(whole)
}

/// Reads a draft beside the built-in routes, as `pintle check` would.
fn read(name: &str, text: &str) -> Result<Catalogue, Vec<Fault>> {
    let faults = Faults::new();
    let mut sources = embedded::routes();
    sources.push(Source::new(format!("{name}.yaml"), text));
    let catalogue = Catalogue::read(&sources, &config::policies(None), &faults);
    if faults.any_error() {
        return Err(faults.into_sorted());
    }
    Ok(catalogue)
}

fn write(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(text.as_bytes())
}

fn name(text: &str) -> Result<String, String> {
    let is_word = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= NAME_BYTES_MAX
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_word {
        return Ok(text.to_owned());
    }
    Err("write lower-case letters, digits and `_`, a letter first".to_owned())
}

const NAME_BYTES_MAX: usize = 48;
/// As much as a push may have.
const SAMPLE_BYTES_MAX: u64 = 1024 * 1024;
/// The sample of whoever has none.
const INVENTED: &[u8] = br#"{
  "lead_id": "L-1001",
  "submitted_at": "2026-01-01T11:59:00Z",
  "first_name": "Ana",
  "last_name": "Diaz",
  "phone": "(702) 555-0177",
  "email": "ana@example.com",
  "address": { "state": "NV", "zip": "89101" },
  "debt_amount": "$12,500"
}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, sample: &[u8], pieces: &[&str]) {
        let sample = Sample::read(name, &format!("/in/{name}"), sample).unwrap();
        let text = match draft(&sample) {
            Ok(text) => text,
            Err(faults) => panic!("{name}: {faults:?}\n{}", sample.draft(None)),
        };
        for piece in pieces {
            assert!(
                text.contains(piece),
                "{name}: {piece} is missing in\n{text}"
            );
        }
        let catalogue = read(name, &text).unwrap();
        let flow = catalogue
            .flows()
            .iter()
            .find(|flow| flow.name == name)
            .unwrap();
        let faults = Faults::new();
        let scripts = crate::rehearsal::read_scripts(flow, &faults);
        let faults = faults.into_sorted();
        assert!(faults.is_empty(), "{name}: {faults:?}\n{text}");
        assert_eq!(scripts.len(), 1, "{name}");
    }

    #[test]
    fn a_draft_of_any_sample_is_read_without_faults() {
        check(
            "own",
            INVENTED,
            &["callee: \"+17025550177\"", "status: 200"],
        );
        for (name, sample, pieces) in SAMPLES {
            check(name, sample.as_bytes(), pieces);
        }
    }

    #[test]
    fn a_name_that_a_route_cannot_have_is_refused() {
        for text in ["", "Acme", "1acme", "a-b", "a b", "../acme"] {
            assert!(name(text).is_err(), "{text}");
        }
        assert_eq!(name("acme_2"), Ok("acme_2".to_owned()));
    }

    #[test]
    fn a_file_is_never_overwritten_unasked() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("acme.yaml");
        write(&path, "one", false).unwrap();
        assert!(write(&path, "two", false).is_err());
        write(&path, "three", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
    }

    const SAMPLES: &[(&str, &str, &[&str])] = &[
        (
            "spaced",
            r#"{"data":{"Lead ID":"7","First Name":"Ana","Last.Name":"Diaz","Phone [1]":"7025550177","it's":"x","ssn":"123"}}"#,
            &[
                "$.body.data['First Name']",
                "$.body.data['Last.Name']",
                "$.body.data['Phone [1]']",
                "never: [$.data.ssn]",
                "ssn: \"removed\"",
            ],
        ),
        (
            "a_form",
            "lead_id=9&full_name=Ana+Diaz&phone=702-555-0177&tcpa_text=I+agree+to+be+called+by+phone&amount=12%2C500&dob=01%2F31%2F1980&ip=203.0.113.9",
            &[
                "body: form",
                "$.body.full_name",
                "consent:",
                "{ date: \"%m/%d/%Y\" }",
            ],
        ),
        (
            "an_xml",
            "<Lead xmlns='urn:a'><Id>9</Id><Name lang=\"en\">Ana</Name><Phone>7025550177</Phone><E>a@b.example</E></Lead>",
            &["body: xml", "$.body.Lead.Phone", "xml: { response: "],
        ),
        (
            "some_leads",
            r#"[{"leadId":"1","phone":"7025550177","name":"Ana"},{"leadId":"2","phone":"nope","name":"Bo"}]"#,
            &[
                "each: $.body\n",
                "$.item.phone",
                "status: \"refused\"",
                "over: $.rows",
            ],
        ),
        (
            "inner_leads",
            "<batch><lead><id>1</id><phone>7025550177</phone></lead><lead><id>2</id><phone>7025550178</phone></lead></batch>",
            &["each: $.body.batch.lead", "callee: \"+17025550178\""],
        ),
        (
            "name_and_value",
            r#"{"id":"a","fields":[{"name":"Phone","value":"7025550177"},{"name":"what's up?","value":null}]}"#,
            &["$.body.fields[?@.name=='Phone'].value"],
        ),
        (
            "no_phone",
            r#"{"a":{},"b":[],"c":[1,2],"yes":true,"n":1.50,"odd\u2028key":"a\u0000\nb: #"}"#,
            &[
                "no field looks like a phone number",
                "status: 422",
                "calls: []",
            ],
        ),
        (
            "braces",
            r#"{"{id}":"1","phone":"+442071838750","to":"7025550177"}"#,
            &["first_valid_phone", "braces-{$.vars.phone}"],
        ),
    ];
}
