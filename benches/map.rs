//! What mapping a lead takes: values, checks, mark, record of consent and the body of the call.
//!
//! `cargo bench --bench map`. One core, the shortest of many turns: the machine may be busy.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panic")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pintle::codec::{Format, Limits, decode};
use pintle::config;
use pintle::mapping::path::Fuel;
use pintle::mapping::{Document, Moment};
use pintle::route::flow::outline::call;
use pintle::route::flow::plan::{Planned, Planner};
use pintle::yaml::Faults;
use serde_json::json;

/// A lead of 25 fields, about 1 KiB.
const LEAD: &str = "key=k&lead_mode=1&promo_code=77&sub_id=A-12&datetime_stamp=2026-03-09+20%3A28%3A11&\
    tcpa_optin=1&tcpa_text=By+clicking+Get+My+Options+I+agree+that+Example+Lending+LLC+may+call+me+at+\
    the+number+given%2C+including+with+automated+or+artificial-voice+calls.+Consent+is+not+a+condition+\
    of+purchase.&universal_leadid=00000000-0000-4000-8000-0000000000a1&trustedformcerturl=\
    https%3A%2F%2Fcert.trustedform.com%2F0000000000000000000000000000000000000a02&ipaddress=203.0.113.7&\
    user_agent=Mozilla%2F5.0+%28synthetic%29&vendor_lead_id=667500001&url=https%3A%2F%2Fdebt.example.com\
    %2F%3Fa%3D1%26b%3D2&first_name=Riley&last_name=Sample&email=riley.sample%40example.com&address=\
    4+Example+Plaza&phone=4045550139&state=GA&zip=30303&employment_type=3&income=54000&credit_rating=4&\
    dob=1988-02-29&debt_amount=18500";

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let faults = Faults::new();
    let catalogue = config::catalogue(None, &config::policies(None), &faults);
    let mut flows = catalogue.flows().iter();
    let flow = flows.find(|flow| flow.name == "talmarket").unwrap();
    let settings =
        json!({ "workflow": "w", "promo_code": "77", "price": "12.50", "debt_min": 10_000 });
    let settings = Arc::new(settings);
    let moment = Moment::at_ms(1_773_158_400_000);
    let seen = BTreeSet::new();
    let planner = Planner {
        flow,
        moment: &moment,
        seen: &seen,
    };
    let body = || {
        decode(
            Format::Form,
            None,
            None,
            LEAD.as_bytes(),
            &Limits::default(),
        )
        .unwrap()
    };
    let push = json!({ "id": "evt_1", "sha256": "00", "received": "2026-03-10T16:00:00Z" });
    let mut whole = Vec::new();
    for _ in 0..TURNS {
        let mut documents: Vec<Document> = (0..BATCH)
            .map(|_| {
                let mut document = Document::default();
                document.share("settings", &settings);
                document.put("body", body());
                document.put("push", push.clone());
                document
            })
            .collect();
        let start = Instant::now();
        for document in &mut documents {
            let planned = planner.plan(document, &mut Fuel::default()).unwrap();
            assert!(matches!(planned, Planned::Goes(_)));
            let mut calls = Vec::new();
            for step in &flow.steps {
                call(step, (&planner, document), &mut calls);
            }
            black_box((planned, calls));
        }
        whole.push(start.elapsed() / BATCH);
    }
    whole.sort_unstable();
    let (least, middle) = (whole.first().unwrap(), whole.get(whole.len() / 2).unwrap());
    println!("map a 25-field lead to a call: least {least:?}, median {middle:?} a push");
    let held = Duration::from_micros(8);
    println!(
        "goal {held:?}: {}",
        if *middle < held { "held" } else { "not held" }
    );
}

const TURNS: usize = 2_000;
/// Few enough that a push is still at hand when it is mapped, as it is when it has just been read.
const BATCH: u32 = 10;
