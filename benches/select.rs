//! What a selector takes: nanoseconds for the first value, and for reading a path.
//!
//! `cargo bench --bench select`. The document is a lead of about 1 KiB, as an advertisement's form
//! sends it. The best turn of several counts.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints and may fail"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pintle::mapping::{Fuel, Path};
use serde_json::{Value, json};

const TURNS: usize = 8;
const TURN: Duration = Duration::from_millis(100);
const TOGETHER: u32 = 64;

fn main() {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let document = lead();
    println!("document: {} bytes", document.to_string().len());
    println!("{:<58}{:>10}{:>10}", "path", "read ns", "select ns");
    for text in [
        "$.a.b.c",
        "$.list[?@.column_id=='PHONE_NUMBER'].string_value",
        "$.list[?match(@.column_id, 'PHONE.*')].string_value",
        "$..string_value",
    ] {
        let path = Path::parse(text).unwrap();
        let read = best(|| drop(black_box(Path::parse(black_box(text)))));
        let select = best(|| {
            let mut fuel = Fuel::new(10_000);
            black_box(path.first(black_box(&document), &mut fuel).unwrap());
        });
        println!("{text:<58}{read:>10}{select:>10}");
    }
}

/// Nanoseconds for one time, in the best turn.
fn best(mut work: impl FnMut()) -> u128 {
    let turn = || {
        let start = Instant::now();
        let mut times = 0_u32;
        while start.elapsed() < TURN {
            (0..TOGETHER).for_each(|_| work());
            times += TOGETHER;
        }
        (start.elapsed() / times).as_nanos()
    };
    std::iter::repeat_with(turn).take(TURNS).min().unwrap_or(0)
}

fn lead() -> Value {
    let column = |id: &str, value: &str| json!({"column_id": id, "column_name": id.to_lowercase(), "string_value": value});
    json!({
        "a": {"b": {"c": 1}},
        "lead_id": "TeSter-123-ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz-0123456789",
        "api_version": "1.0",
        "form_id": 40_000_000_000_u64,
        "campaign_id": 123_456_789_000_u64,
        "is_test": true,
        "list": [
            column("FULL_NAME", "FirstName LastName"),
            column("EMAIL", "test@example.com"),
            column("COMPANY_NAME", "Example"),
            column("JOB_TITLE", "Chief Example"),
            column("WORK_EMAIL", "test-work@example.com"),
            column("CITY", "Mountain View"),
            column("PHONE_NUMBER", "+16505550123"),
            column("POSTAL_CODE", "94043"),
            column("STREET_ADDRESS", "1600 Example Parkway"),
            column("COUNTRY", "US"),
        ],
    })
}
