//! `pintle routes` and `pintle openapi`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{ConfigArgument, RoutesArguments, check, print};
use crate::config::{Config, embedded};
use crate::error::TABLE;
use crate::policy::SealingChoice;
use crate::route::{Entry, openapi as describe};
use crate::yaml::meant;

pub(super) fn run(arguments: &RoutesArguments) -> ExitCode {
    if let Some(folder) = &arguments.export {
        return export(folder);
    }
    let config = match check::load(&arguments.config) {
        Ok(config) => config,
        Err(status) => return status,
    };
    let families = config.catalogue.families();
    if let Some(family) = arguments.family.as_deref()
        && !families.contains_key(family)
    {
        let help = meant(family, families.keys().copied());
        print::error(&format!("there is no family `{family}`: {help}"));
        return ExitCode::FAILURE;
    }
    let wanted = |entry: &Entry| {
        arguments
            .family
            .as_deref()
            .is_none_or(|family| entry.family.name == family)
    };
    let entries: Vec<&Entry> = config
        .catalogue
        .entries()
        .iter()
        .map(AsRef::as_ref)
        .filter(|e| wanted(e))
        .collect();
    if arguments.json {
        let list: Vec<Value> = entries.iter().map(|entry| as_json(entry)).collect();
        print::line(&format!("{:#}", Value::Array(list)));
    } else {
        table(&entries);
    }
    ExitCode::SUCCESS
}

pub(super) fn openapi(argument: &ConfigArgument) -> ExitCode {
    let config = match check::load(argument) {
        Ok(config) => config,
        Err(status) => return status,
    };
    let codes: Vec<&str> = TABLE.iter().map(|row| row.code).collect();
    let document = describe::document(&config.catalogue, &server(&config), &codes);
    print::line(&format!("{document:#}"));
    ExitCode::SUCCESS
}

fn server(config: &Config) -> String {
    let scheme = if config.local.tls.is_some() {
        "https"
    } else {
        "http"
    };
    match config.local.address {
        Some(address) => format!("{scheme}://{address}"),
        None => "http://localhost".to_owned(),
    }
}

fn table(entries: &[&Entry]) {
    let header = ["NAME", "METHOD", "PATH", "EFFECT", "SOURCE", "TITLE"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(entries.iter().map(|entry| row(entry)));
    print::columns(&rows);
    let known = entries.iter().filter(|entry| entry.path.is_some()).count();
    print::line(&format!(
        "\n{} entries, {known} with a known path",
        entries.len()
    ));
}

fn row(entry: &Entry) -> [String; 6] {
    let path = match (&entry.path, entry.kind) {
        (Some(path), _) => path.clone(),
        (None, crate::route::Kind::Callback) => "(calls us)".to_owned(),
        (None, crate::route::Kind::Operation) => format!("unknown: {}", entry.line),
    };
    [
        entry.name.clone(),
        entry
            .method
            .as_ref()
            .map_or("-", http::Method::as_str)
            .to_owned(),
        path,
        entry.effect.as_str().to_owned(),
        entry.provenance.as_str().to_owned(),
        entry.titles.first().cloned().unwrap_or_default(),
    ]
}

/// What the entry itself says of sealing; `null` where its family or the account decides.
fn sealing(choice: &SealingChoice) -> Option<&str> {
    match choice {
        SealingChoice::Inherited => None,
        SealingChoice::Plain => Some("none"),
        SealingChoice::By(sealing) => Some(&sealing.name),
    }
}

fn as_json(entry: &Entry) -> Value {
    json!({
        "name": entry.name,
        "kind": entry.kind.as_str(),
        "family": entry.family.name,
        "titles": entry.titles,
        "pages": entry.pages,
        "method": entry.method.as_ref().map(http::Method::as_str),
        "path": entry.path,
        "effect": entry.effect.as_str(),
        "same_as": entry.same_as,
        "sealing": sealing(&entry.sealing),
        "reserved": entry.reserved,
        "source": entry.provenance.as_str(),
        "note": entry.note,
        "file": entry.line.file,
        "line": entry.line.line,
    })
}

/// Writes the built-in files out. A file that is there already is never overwritten.
fn export(folder: &Path) -> ExitCode {
    for source in embedded::routes().iter().chain(&embedded::policies()) {
        let path = folder.join(&source.name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| {
                std::fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(&path)
            })
            .and_then(|mut file| std::io::Write::write_all(&mut file, source.text.as_bytes()));
        if let Err(error) = written {
            print::error(&format!("cannot write {}: {error}", path.display()));
            return ExitCode::FAILURE;
        }
    }
    let shown = folder.display();
    print::line(&format!(
        "written: {shown}/routes and {shown}/policies; name them in the settings:\n  \
         routes: {shown}/routes\n  policies: {shown}/policies"
    ));
    ExitCode::SUCCESS
}
