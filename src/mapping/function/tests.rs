//! What holds for every function, and what the examples do not show.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::yaml::{Faults, Source, parse};

fn moment() -> Moment {
    Moment::at_ms(1_751_389_200_000)
}

/// Reads a list of functions, or tells the faults with their help.
fn read(list: &str) -> Result<Pipeline, Vec<String>> {
    let mut tables = Tables::default();
    let table = Table([("own".to_owned(), "Owner".to_owned())].into());
    tables.0.insert("homes".to_owned(), Arc::new(table));
    let faults = Faults::new();
    let source = Source::new("t.yaml", format!("then: {list}\n"));
    let node = parse(&source, &faults);
    let pipeline =
        node.and_then(|node| Pipeline::read_with(node.child("then").unwrap(), &tables, &faults));
    let told: Vec<String> = faults
        .into_sorted()
        .iter()
        .map(|fault| format!("{fault}; {}", fault.help_text()))
        .collect();
    assert!(pipeline.is_some() || !told.is_empty(), "{list} is lost");
    pipeline.filter(|_| told.is_empty()).ok_or(told)
}

fn run(list: &str, input: Value) -> Option<Value> {
    read(list)
        .unwrap_or_else(|told| panic!("{list}: {told:?}"))
        .apply(Cow::Owned(input), &moment())
}

pub(super) fn check(list: &str, input: impl Into<Value>, expected: impl Into<Option<Value>>) {
    let input: Value = input.into();
    let given = run(list, input.clone());
    assert_eq!(given, expected.into(), "{list} of {input}");
}

fn fault(list: &str) -> String {
    read(list).expect_err(list).join("\n")
}

fn entry(function: &Function, argument: &str) -> String {
    match argument {
        "" => format!("[ {} ]", function.name),
        argument => format!("[ {{ {}: {argument} }} ]", function.name),
    }
}

#[test]
fn every_example_is_true() {
    for function in functions() {
        for example in function.examples {
            let input: Value = serde_json::from_str(example.input).unwrap();
            let output = example
                .output
                .map(|output| serde_json::from_str(output).unwrap());
            let list = entry(function, example.argument);
            let given = run(&list, input);
            assert_eq!(given, output, "{list} of {}", example.input);
            // Numbers are equal only where their digits are.
            let digits = |value: &Option<Value>| value.as_ref().map(Value::to_string);
            assert_eq!(
                digits(&given),
                digits(&output),
                "{list} of {}",
                example.input
            );
        }
    }
}

#[test]
fn every_function_says_what_it_is() {
    let mut names = BTreeSet::new();
    for function in functions() {
        let Function {
            name,
            about,
            examples,
            ..
        } = function;
        assert!(names.insert(name), "{name} is there twice");
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        );
        assert!(
            about.ends_with('.') && !about.contains("  "),
            "{name}: {about}"
        );
        assert!(examples.len() >= 2, "{name} has too few examples");
        assert!(function.cost > 0);
        let absents = examples.iter().filter(|example| example.output.is_none());
        assert_eq!(
            absents.count() == 0,
            *name == "now",
            "{name} shows what is absent"
        );
        let takes_one = examples.iter().any(|example| !example.argument.is_empty());
        assert_eq!(takes_one, !function.argument.is_empty(), "{name}");
        for example in *examples {
            let pieces = [
                example.argument,
                example.input,
                example.output.unwrap_or_default(),
            ];
            assert!(pieces.iter().all(|piece| !piece.contains('`')), "{name}");
        }
    }
    let text = markdown();
    for name in names {
        assert!(text.contains(&format!("### `{name}`\n")), "{name}");
    }
}

#[test]
fn what_a_function_gives_is_of_its_kind() {
    for function in functions() {
        for example in function.examples {
            let kind = |text: &str| match serde_json::from_str(text).unwrap() {
                Value::Null => Kind::Any,
                Value::Bool(_) => Kind::Bool,
                Value::Number(_) => Kind::Number,
                Value::String(_) => Kind::Text,
                Value::Array(_) => Kind::List,
                Value::Object(_) => Kind::Object,
            };
            let Some(output) = example.output else {
                continue;
            };
            let fits = match function.gives {
                Kind::Any => true,
                Kind::Scalar => kind(output).fits(Kind::Scalar),
                exact => kind(output) == exact,
            };
            assert!(fits, "{} gives {output}", function.name);
            assert!(
                kind(example.input).fits(function.takes),
                "{}",
                function.name
            );
        }
    }
}

#[test]
fn nothing_comes_of_null() {
    for function in functions().filter(|function| function.name != "now") {
        let list = entry(function, function.examples[0].argument);
        check(&list, Value::Null, None);
    }
}

#[test]
fn a_list_of_functions_knows_its_kinds_and_cost() {
    let pipeline = read("[ { to_e164: US }, { last: 4 } ]").unwrap();
    assert_eq!(pipeline.names().collect::<Vec<_>>(), ["to_e164", "last"]);
    assert_eq!(
        (pipeline.takes(), pipeline.gives()),
        (Kind::Text, Kind::Text)
    );
    assert_eq!(pipeline.cost(), 65);
    assert!(read("[]").unwrap().is_empty());
    assert!(fault(&format!("[ {} ]", "trim, ".repeat(33))).starts_with("more than 32 functions"));
}

#[test]
fn a_fault_says_what_to_write() {
    for (list, expected) in [
        (
            "[ trimm ]",
            "unknown function `trimm`; did you mean `trim`?",
        ),
        (
            "[ { take: 3 } ]",
            "unknown function `take`; here it is called `first`",
        ),
        (
            "[ { trim: 4 } ]",
            "`trim` takes no argument; write `trim` alone",
        ),
        (
            "[ join ]",
            "`join` needs an argument; write `join: \", \"`: it takes what to put between them",
        ),
        (
            "[ { last: x } ]",
            "`x` is not a whole number from 1 to 1000000; write for example `100`",
        ),
        (
            "[ { last: 4, trim: 1 } ]",
            "a function is one key; write `- trim`, or `- last: 4`, one a line",
        ),
        (
            "trim",
            "expected a list of functions, found a single value; write `[ trim, { last: 4 } ]`",
        ),
        (
            "[ { split: x }, { last: 4 } ]",
            "`last` takes a text, and `split` gives a list; put `join` or `first_item` between them",
        ),
        (
            "[ { contains: x }, trim ]",
            "`trim` takes a text, and `contains` gives a truth value; put `to_text` between them",
        ),
        (
            "[ { time_in: { zone: Mars/Base, format: '%Y' } } ]",
            "`Mars/Base` is not a time zone; write its name as in the IANA database, such as `America/New_York` or `UTC`",
        ),
        (
            "[ { date: '%!' } ]",
            "`%!` is not a format of a time; write for example `%Y-%m-%d %H:%M:%S` or `%m/%d/%Y`",
        ),
        (
            "[ { instant: { epoch: h } } ]",
            "`h` is not a unit of time; write `s` or `ms`",
        ),
        (
            "[ { lookup: { file: home } } ]",
            "there is no table `home`; did you mean `homes`?",
        ),
    ] {
        assert_eq!(fault(list), expected, "{list}");
    }
}

#[test]
fn an_argument_that_cannot_be_meant_is_a_fault_with_help() {
    for list in [
        "[ { capture: '(' } ]",
        "[ { capture: '(a)\\1' } ]",
        "[ { capture: '\\w{500}{500}' } ]",
        "[ { to_e164: USA } ]",
        "[ { url: { prefixes: [https://example.com] } } ]",
        "[ { url: { prefixes: [] } } ]",
        "[ { lookup: { table: { A: 1, a: 2 }, ignore_case: true } } ]",
        "[ { lookup: {} } ]",
        "[ { instant: { zones: UTC } } ]",
        "[ { instant: UTC } ]",
        "[ { yes_no: [Y] } ]",
        "[ { substring: { from: 2, to: 2 } } ]",
        "[ { add: one } ]",
        "[ { round: 19 } ]",
        "[ [trim] ]",
    ] {
        let told = fault(list);
        assert!(
            told.lines().all(|line| !line.ends_with("; ")),
            "{list}: {told}"
        );
    }
}

#[test]
fn a_pattern_may_name_words_of_any_script() {
    let pattern = r"[ { capture: '^(\w+)[ ,]+\w+\s*$' } ]";
    check(pattern, "Élise, Ruiz", Some("Élise".into()));
    check(
        r"[ { capture: '(?i)ZIP:? *(\d{5})(?:-\d{4})?' } ]",
        "zip 89101-1234",
        Some("89101".into()),
    );
}

#[test]
fn tables_of_files_are_found() {
    check(
        "[ { lookup: { file: homes } } ]",
        json!("own"),
        Some(json!("Owner")),
    );
    check(
        "[ { lookup: { file: homes, ignore_case: true } } ]",
        json!(" OWN "),
        Some(json!("Owner")),
    );
    for name in ["__proto__", "constructor"] {
        check("[ { lookup: { file: homes } } ]", json!(name), None);
        let list = format!("[ {{ lookup: {{ table: {{ {name}: x }} }} }} ]");
        check(&list, json!(name), Some(json!("x")));
    }
}

#[test]
fn what_comes_out_is_bounded() {
    let long = "a".repeat(TEXT_MAX);
    check("[ trim ]", json!(long), Some(json!(long)));
    check("[ { suffix: b } ]", json!(long), None);
    check("[ trim ]", json!(format!("{long}a")), None);
    check(
        "[ { replace: { of: a, with: bbbbbbbb } } ]",
        json!(long),
        None,
    );
    check("[ { split: a } ]", json!(long), None);
    check("[ url_encode ]", json!("é".repeat(TEXT_MAX / 2)), None);
    check(
        "[ first_item ]",
        Value::Array(vec![json!(1); LIST_MAX + 1]),
        None,
    );
    let lists = Value::Array(vec![Value::Array(vec![json!(1); LIST_MAX]); 2]);
    check("[ flatten ]", lists, None);
}

#[test]
fn numbers_keep_their_digits() {
    let digits = "12345678901234567890.123456789012345";
    let number: Value = serde_json::from_str(digits).unwrap();
    check("[ to_text ]", number.clone(), Some(json!(digits)));
    let doubled = run("[ { multiply: 2 } ]", number).unwrap();
    assert_eq!(doubled.to_string(), "24691357802469135780.246913578024690");
    for text in [
        "1e999999999",
        "1e-999999999",
        "",
        ".",
        "-",
        "1.",
        ".5",
        "0x1",
        "٣",
        "1e",
        "NaN",
    ] {
        check("[ to_number ]", json!(text), None);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,9})?";
    let number = number.prop_map(|text| serde_json::from_str(&text).unwrap_or(Value::Null));
    let text = prop_oneof![
        ".{0,60}",
        "[-+0-9().x#;ext= k$,_/:TZ%]{0,40}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,12})?(Z|[+-][0-9]{4})?",
        "\\PC{0,3}[+＋]?[0-9０-９ ()-]{5,20}\\PC{0,10}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("(bid|rank|id|__proto__|.{0,5})", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_value_makes_a_function_panic_or_give_too_much(value in any_value()) {
        thread_local! {
            static ALL: Vec<(&'static Function, Pipeline)> = functions()
                .flat_map(|function| function.examples.iter().map(move |example| {
                    (function, read(&entry(function, example.argument)).unwrap())
                }))
                .collect();
        }
        ALL.with(|all| for (function, pipeline) in all {
            let Some(given) = pipeline.apply(Cow::Borrowed(&value), &moment()) else { continue };
            let kind = match &given {
                Value::Null => panic!("{} gives null", function.name),
                Value::Bool(_) => Kind::Bool,
                Value::Number(_) => Kind::Number,
                Value::String(text) => { assert!(text.len() <= TEXT_MAX); Kind::Text }
                Value::Array(items) => { assert!(items.len() <= LIST_MAX); Kind::List }
                Value::Object(_) => Kind::Object,
            };
            let fits = kind == function.gives || matches!(function.gives, Kind::Any | Kind::Scalar);
            assert!(fits, "{} gives {given}", function.name);
        });
    }
}
