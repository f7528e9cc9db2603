//! What each contract's environment is for the routes: which run, with which settings and secrets.

use std::collections::BTreeMap;

use pintle::rehearsal::Part;
use serde_json::{Map, Value};

/// A route, and where its settings and secrets stand in the environment of a case.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

const ROWS: &[Row] = &[
    (
        "google_ads_lead_form",
        "google_ads",
        &[("workflow", "WF_GOOGLE")],
        &[("google_key", "GOOGLE_KEY")],
    ),
    (
        "meta_leadgen",
        "meta_leadgen",
        &[("workflow", "WF_META"), ("graph", "GRAPH")],
        &[
            ("meta_app", "META_APP_SECRET"),
            ("meta_verify_token", "META_VERIFY"),
            ("meta_page_token", "META_PAGE_TOKEN"),
        ],
    ),
    (
        "typeform",
        "typeform",
        &[("workflow", "WF_TYPEFORM")],
        &[("typeform_webhook", "TYPEFORM_SECRET")],
    ),
    (
        "webflow_sdr",
        "webflow_sdr",
        &[("template", "TPL_SDR")],
        &[("webflow_client", "WEBFLOW_SECRET")],
    ),
    (
        "lendswift",
        "lendswift",
        &[
            ("workflow", "WF_LENDSWIFT"),
            ("served_states", "SERVED_STATES"),
            ("chunk", "CHUNK"),
        ],
        &[("lendswift_key", "LENDSWIFT_KEY")],
    ),
    (
        "talmarket",
        "talmarket",
        &[
            ("workflow", "WF_TAL"),
            ("promo_code", "TAL_CODE"),
            ("price", "PRICE"),
            ("debt_min", "MIN_DEBT"),
        ],
        &[("talmarket_key", "TAL_KEY")],
    ),
    (
        "make_outbound_call",
        "make_outbound_call",
        &[("workflow", "WF_DEFAULT")],
        &[("outbound_calls_token", "API_TOKEN")],
    ),
    (
        "make_outbound_call",
        "call_completed",
        &[],
        &[("callback", "CALLBACK_SECRET")],
    ),
    (
        "leadconduit",
        "leadconduit",
        &[("workflow", "WF_LC")],
        &[("leadconduit", "LC_TOKEN")],
    ),
    (
        "leadspedia_buyer",
        "leadspedia_ping",
        &[
            ("campaign", "LP_ID"),
            ("served_states", "SERVED_STATES"),
            ("debt_min", "MIN_DEBT"),
        ],
        &[("leadspedia_buyer_key", "LP_KEY")],
    ),
    (
        "leadspedia_buyer",
        "leadspedia_post",
        &[("campaign", "LP_ID"), ("workflow", "WF_LP")],
        &[("leadspedia_buyer_key", "LP_KEY")],
    ),
    (
        "hubspot_workflow",
        "hubspot_workflow",
        &[("workflow", "WF_HS")],
        &[("hubspot_client", "HS_SECRET")],
    ),
    (
        "salesforce_om",
        "salesforce_om",
        &[("workflow", "WF_SF")],
        &[("salesforce_organization", "SF_ORG")],
    ),
    (
        "boberdoo_direct",
        "boberdoo_direct",
        &[
            ("url", "BBD_URL"),
            ("type", "TYPE"),
            ("src", "SRC"),
            ("landing_page", "LANDING"),
            ("default_ip", "DEFAULT_IP"),
        ],
        &[],
    ),
    (
        "boberdoo_pingpost",
        "boberdoo_pingpost",
        &[
            ("url", "BBD_JSON_URL"),
            ("type", "TYPE"),
            ("src", "SRC"),
            ("landing_page", "LANDING"),
            ("price_min", "MIN_PRICE"),
        ],
        &[("boberdoo_key", "BBD_KEY")],
    ),
    (
        "leadspedia_out",
        "leadspedia_out",
        &[
            ("ping_url", "LP_PING"),
            ("post_url", "LP_POST"),
            ("campaign", "LP_ID"),
            ("s1", "LP_S1"),
            ("price_min", "MIN_PRICE"),
        ],
        &[("leadspedia_key", "LP_KEY")],
    ),
    (
        "doucet_ping",
        "doucet",
        &[
            ("url", "DOUCET_URL"),
            ("type", "TYPE"),
            ("src", "SRC"),
            ("terminating_phone", "TERMINATING"),
        ],
        &[("doucet_key", "DOUCET_KEY")],
    ),
    (
        "ringba_rtb",
        "ringba",
        &[
            ("base", "RTB_BASE"),
            ("id", "RTB_ID"),
            ("expire_min", "MIN_EXPIRE"),
        ],
        &[],
    ),
    (
        "fanout_call_finished",
        "fanout_call_finished",
        &[("warehouse", "DW"), ("crm", "CRM")],
        &[],
    ),
];

/// The routes of a contract with what the environment gives them; what it leaves out, a handshake
/// alone for instance, is filled with what nobody uses.
pub(crate) fn parts(contract: &str, env: &Map<String, Value>) -> Vec<Part> {
    let rows = ROWS.iter().filter(|(of, ..)| *of == contract);
    let parts: Vec<Part> = rows
        .map(|(_, route, settings, secrets)| {
            let given = |name: &str| env.get(name).cloned().unwrap_or_else(|| "unused".into());
            let mut settings: Map<String, Value> = settings
                .iter()
                .map(|(name, from)| ((*name).to_owned(), given(from)))
                .collect();
            if *route == "call_completed" {
                let allowed = Value::from(vec!["https://partner.example/"]);
                settings.insert("callback_allow".to_owned(), allowed);
            }
            let secret = |(name, from): &(&str, &str)| {
                let text = given(from);
                let text = text
                    .as_str()
                    .map_or_else(|| text.to_string(), str::to_owned);
                ((*name).to_owned(), text)
            };
            Part {
                route: (*route).to_owned(),
                settings: Value::Object(settings),
                secrets: secrets.iter().map(secret).collect::<BTreeMap<_, _>>(),
            }
        })
        .collect();
    assert!(!parts.is_empty(), "no route carries {contract}");
    parts
}
