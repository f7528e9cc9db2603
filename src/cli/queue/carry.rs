//! `pintle queue export` and `import`: all that a store has, into another one.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::file::{Export, Reader, Writer};
use crate::app;
use crate::cli::{ConfigArgument, check, print};
use crate::clock::Clock;
use crate::message::RequestId;
use crate::store::{
    Became, DeliveryId, Filter, HELD_CONFLICT, PARTS, Queue as _, Record, State, Store,
    StoreFailure, UnixMs,
};
use crate::telemetry::chain;

pub(super) const EXAMPLE: &str = "From the journal of one process into the Redis of a fleet, with \
    both stopped:\n  pintle queue export --config journal.yaml --out store.ndjson\n  \
    pintle queue import --config fleet.yaml store.ndjson\n\nThe file holds bodies as they came: \
    it is as secret as the store.";

/// Writes down what the store of the settings has.
pub(super) async fn export(config: &ConfigArgument, out: Option<&Path>) -> Result<(), String> {
    let (store, now_ms) = open(config).await?;
    let written = match out {
        None => write(&store, BufWriter::new(stdout()), now_ms).await,
        Some(path) => {
            // Nobody else's to read, and never in the place of another export.
            let options = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path);
            let file =
                options.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            let written = write(&store, BufWriter::new(file), now_ms).await;
            if written.is_err() {
                // What is not whole would be refused all the same.
                let _is_gone = std::fs::remove_file(path).is_ok();
            }
            written
        }
    };
    store.close().await;
    let counts = written?;
    print::note(&format!("exported: {}", told(counts)));
    Ok(())
}

/// Takes what was written down into the store of the settings.
pub(super) async fn import(config: &ConfigArgument, path: &Path) -> Result<(), String> {
    // All of it is looked at before any of it is taken.
    let export = Reader::open(path)?.check()?;
    let (store, now_ms) = open(config).await?;
    let taken = take(&store, path, &export, now_ms).await;
    store.close().await;
    print::line(&taken?);
    Ok(())
}

async fn open(config: &ConfigArgument) -> Result<(Arc<Store>, UnixMs), String> {
    let config = check::load(config).map_err(|_| String::new())?;
    let clock = Clock::system();
    let opened = app::store(&config, &clock).await;
    let store = opened.map_err(|fault| {
        format!(
            "{}: export and import need a store that no gateway uses",
            chain(&fault)
        )
    })?;
    let store =
        store.ok_or("these settings take no pushes, so they have no store: write `inbound`")?;
    Ok((store, clock.now_ms()))
}

/// How many events, marks, values and counters.
type Counts = [u64; PARTS.len()];

async fn write(store: &Store, to: impl Write, now_ms: UnixMs) -> Result<Counts, String> {
    let held = store.held().unwrap_or(0);
    if held > 0 {
        return Err(format!(
            "{held} pushes are held for Redis in the journal: start the gateway until it has brought \
             them over (`/readyz` says how many are left)"
        ));
    }
    let before = at_rest(store).await?;
    let mut writer = Writer::begin(to, RequestId::fresh().as_str(), store.kind())?;
    let mut counts = Counts::default();
    for (part, count) in PARTS.into_iter().zip(&mut counts) {
        let mut after = Some(0);
        while let Some(place) = after {
            let dumped = store.dump(part, place, now_ms).await;
            let (records, next) = dumped.map_err(|failure| chain(&failure))?;
            for record in records {
                writer.line(&record.write())?;
                *count += 1;
            }
            after = next;
        }
    }
    if at_rest(store).await? != before {
        return Err(BUSY.to_owned());
    }
    writer.end()?;
    Ok(counts)
}

/// The newest delivery and how many there are in each state, where nothing is under way.
async fn at_rest(store: &Store) -> Result<(Option<DeliveryId>, Vec<u64>), String> {
    let mut counts = Vec::new();
    for state in [
        State::Leased,
        State::Waiting,
        State::Done,
        State::Unknown,
        State::Buried,
    ] {
        let filter = Filter {
            state: Some(state),
            ..Filter::default()
        };
        let count = store
            .count(&filter)
            .await
            .map_err(|failure| chain(&failure))?;
        if state == State::Leased && count > 0 {
            return Err(BUSY.to_owned());
        }
        counts.push(count);
    }
    let newest = store.list(&Filter::default(), None, 1).await;
    let newest = newest.map_err(|failure| chain(&failure))?;
    Ok((newest.first().map(|delivery| delivery.id), counts))
}

async fn take(
    store: &Store,
    path: &Path,
    export: &Export,
    now_ms: UnixMs,
) -> Result<String, String> {
    if store
        .was_imported(&export.id, now_ms)
        .await
        .map_err(|failure| why(&failure))?
    {
        return Ok("nothing added: this export was imported before".to_owned());
    }
    let (mut added, mut known, mut aside) = (Counts::default(), 0_u64, 0_u64);
    let mut reader = Reader::open(path)?;
    let mut together = Vec::new();
    loop {
        let record = reader.record()?;
        // What comes after an event waits for it: their order is that of the file.
        let is_event = matches!(record, Some(Record::Event(_)));
        let is_end = record.is_none();
        together.extend(record);
        if !is_event && !is_end && together.len() < TOGETHER {
            continue;
        }
        let carried = together.iter().map(|record| store.carry(record, now_ms));
        let became = try_join_all(carried)
            .await
            .map_err(|failure| why(&failure))?;
        for (became, record) in became.into_iter().zip(&together) {
            match became {
                Became::Added => *of(&mut added, record) += 1,
                Became::Known => known += 1,
                Became::SetAside => aside += 1,
            }
        }
        together.clear();
        if is_end {
            break;
        }
    }
    store
        .note_import(&export.id, now_ms)
        .await
        .map_err(|failure| why(&failure))?;
    let line = format!("added: {}; {known} were there before", told(added));
    if aside == 0 {
        return Ok(line);
    }
    Ok(format!(
        "{line}; {aside} events were set aside, as other pushes have their keys (pintle queue list \
         --class {HELD_CONFLICT})"
    ))
}

fn of<'c>(counts: &'c mut Counts, record: &Record) -> &'c mut u64 {
    let [events, marks, values, counters] = counts;
    match record {
        Record::Event(_) => events,
        Record::Mark(_) => marks,
        Record::Value(_) => values,
        Record::Counter(_) => counters,
    }
}

fn told([events, marks, values, counters]: Counts) -> String {
    format!("{events} events, {marks} marks, {values} values, {counters} counters")
}

/// Why an import stopped. It goes on where it was when it is made again.
fn why(failure: &StoreFailure) -> String {
    let failure = chain(failure);
    format!("{failure}: what was taken is there; import again when this is mended")
}

const BUSY: &str = "the store is in use: stop every gateway that has it, wait until their leases ran \
    out (at most a minute or so), and export again";
/// How many marks, values and counters are written together.
const TOGETHER: usize = 256;
