//! What a path selects and refuses.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::yaml::{Source, parse};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn select(text: &str, document: &Value) -> Value {
    let path = path(text);
    let nodes = path.select(document, &mut Fuel::new(1_000_000)).unwrap();
    let first = path.first(document, &mut Fuel::new(1_000_000)).unwrap();
    assert_eq!(first, nodes.first(), "{text}");
    assert!(nodes.len() <= 1 || !path.is_singular(), "{text}");
    nodes.iter().cloned().collect()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_path_tells_how_it_begins() {
    let found = path("$.steps.find.body[0].id");
    assert!(found.is_singular());
    assert_eq!(found.root_name(), Some("steps"));
    assert_eq!(found.names().collect::<Vec<_>>(), ["steps", "find", "body"]);
    assert_eq!(found.steps().len(), 5);
    let listed = path("$.body.list[?@.id==$.vars.id && $..x].value");
    assert!(!listed.is_singular());
    assert_eq!(listed.names().collect::<Vec<_>>(), ["body", "list"]);
    let roots: Vec<_> = listed.roots().collect();
    assert_eq!(roots, [Some("body"), Some("vars"), None]);
    for text in ["$", "$[0]", "$..a", "$.*"] {
        assert_eq!(path(text).root_name(), None, "{text}");
    }
}

#[test]
fn selectors_select_what_the_rfc_says() {
    let document = json!({"a": [0, 1, 2, 3, 4], "o": {"j": 1, "k": {"j": 2}}, "'q'": 7});
    for (text, expected) in [
        ("$.a[1]", json!([1])),
        ("$.a[-1]", json!([4])),
        ("$.a[-6]", json!([])),
        ("$.a[1:3]", json!([1, 2])),
        ("$.a[::-2]", json!([4, 2, 0])),
        ("$.a[:-3:-1]", json!([4, 3])),
        ("$.a[1:9:0]", json!([])),
        ("$.a[-9007199254740991::9007199254740991]", json!([0])),
        ("$.a[0, 0, 'x']", json!([0, 0])),
        ("$.o.*", json!([1, {"j": 2}])),
        ("$..j", json!([1, 2])),
        ("$.o..['j', 'k']", json!([1, {"j": 2}, 2])),
        ("$.o[?@.j].j", json!([2])),
        ("$['\\'q\\'']", json!([7])),
        ("$[\"'q'\"]", json!([7])),
        ("$.a.b.c", json!([])),
        ("$.a[?@>1 && @<4]", json!([2, 3])),
        ("$.a[?!(@>1) || @==$.a[4]]", json!([0, 1, 4])),
        ("$.a[?@==count($.a[?@<2])]", json!([2])),
        ("$[?length(@)==2].k.j", json!([2])),
        ("$.a[?@==value($.o..k.j)]", json!([2])),
        ("$.a[?@==value($..j)]", json!([])),
    ] {
        assert_eq!(select(text, &document), expected, "{text}");
    }
}

#[test]
fn names_are_unescaped_once() {
    let document = json!({"☺": 1, "𝄞": 2, "a\"b": 3, "a\\b": 4, "a\nb": 5, "/": 6, "\\u263a": 7});
    for (text, expected) in [
        (r"$['\u263A']", json!([1])),
        (r#"$["\uD834\udd1e"]"#, json!([2])),
        (r#"$["a\"b"]"#, json!([3])),
        (r"$['a\\b']", json!([4])),
        (r"$['a\nb']", json!([5])),
        (r"$['\/']", json!([6])),
        (r"$['\\u263a']", json!([7])),
        ("$.☺", json!([1])),
    ] {
        assert_eq!(select(text, &document), expected, "{text}");
    }
    for text in [
        r"$['\uD834']",
        r"$['\uDD1E\uD834']",
        r"$['\x']",
        r#"$['\"']"#,
        "$['\n']",
    ] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn filters_compare_as_the_rfc_says() {
    // The table of RFC 9535, section 2.3.5.3, as one filter each over one value.
    let document = json!({"x": [{"obj": {"x": "y"}, "arr": [2, 3]}]});
    for (filter, expected) in [
        ("@.absent1 == @.absent2", true),
        ("@.absent1 <= @.absent2", true),
        ("@.absent == 'g'", false),
        ("@.absent1 != @.absent2", false),
        ("@.absent != 'g'", true),
        ("1 <= 2", true),
        ("1 > 2", false),
        ("13 == '13'", false),
        ("'a' <= 'b'", true),
        ("'a' > 'b'", false),
        ("@.obj == @.arr", false),
        ("@.obj != @.arr", true),
        ("@.obj == @.obj", true),
        ("@.arr == @.arr", true),
        ("@.obj == 17", false),
        ("@.obj <= @.arr", false),
        ("@.obj < @.arr", false),
        ("@.obj <= @.obj", true),
        ("@.arr >= @.arr", true),
        ("1 <= @.arr", false),
        ("true <= true", true),
        ("true > true", false),
        ("null == null", true),
        ("null == @.absent", false),
        ("'\u{ffff}' < '\u{10000}'", true),
    ] {
        let found = select(&format!("$.x[?{filter}]"), &document);
        assert_eq!(found != json!([]), expected, "{filter}");
    }
}

#[test]
fn numbers_are_compared_as_they_are_written() {
    let document = read(
        "[1, 1.0, 1e0, 10E-1, 9007199254740993, 9007199254740992, 9007199254740993.0, 0.1, 0.10000000000000000001]",
    );
    for (filter, expected) in [
        ("@==1", "[1, 1.0, 1e0, 10E-1]"),
        ("@==1.00", "[1, 1.0, 1e0, 10E-1]"),
        (
            "@==9007199254740993",
            "[9007199254740993, 9007199254740993.0]",
        ),
        ("@==$[5]", "[9007199254740992]"),
        (
            "@>9007199254740992.5",
            "[9007199254740993, 9007199254740993.0]",
        ),
        ("@==0.10000000000000000001", "[0.10000000000000000001]"),
        ("@<0.10000000000000000001", "[0.1]"),
        ("@==100000000000000000000", "[]"),
        ("@<-1e400", "[]"),
    ] {
        assert_eq!(
            select(&format!("$[?{filter}]"), &document),
            read(expected),
            "{filter}"
        );
    }
    let document = read(r#"[{"a": [1.0, {"b": 1, "c": 2}]}, {"a": [1, {"c": 2e0, "b": 1}]}]"#);
    let found = select("$[?@.a==$[0].a]", &document);
    assert_eq!(found.as_array().unwrap().len(), 2);
}

#[test]
fn patterns_match_whole_or_part() {
    let document = json!({"a": ["ab", "xab", "ab\n", 1], "part": "b", "bad": "\\d", "all": "a."});
    for (filter, expected) in [
        ("match(@, 'a.')", json!(["ab"])),
        ("search(@, 'a.')", json!(["ab", "xab", "ab\n"])),
        ("match(@, $.all)", json!(["ab"])),
        (
            "search(@, $.all) && search(@, $.part)",
            json!(["ab", "xab", "ab\n"]),
        ),
        (
            "match(@, $.all) || search(@, $.all)",
            json!(["ab", "xab", "ab\n"]),
        ),
        ("search(@, $.bad)", json!([])),
        ("search(@, $.none)", json!([])),
        ("match(@, 1)", json!([])),
    ] {
        assert_eq!(
            select(&format!("$.a[?{filter}]"), &document),
            expected,
            "{filter}"
        );
    }
}

#[test]
fn what_is_not_well_typed_is_refused() {
    let argument = |function| PathFault::Argument { function };
    let bare = |function| PathFault::NotCompared { function };
    let unknown = |name: &str| PathFault::UnknownFunction {
        name: name.to_owned(),
    };
    for (filter, expected) in [
        ("length(@)", bare("length")),
        ("count(@.*)", bare("count")),
        ("!value(@.a)", bare("value")),
        ("length(@.*)<3", argument("length")),
        ("length(@['a','b'])<3", argument("length")),
        ("length(@..a)<3", argument("length")),
        ("length(match(@.a,'a'))<3", argument("length")),
        ("length((@.a && @.b))<3", argument("length")),
        ("value('a')=='a'", argument("value")),
        ("value(length(@))==1", argument("value")),
        ("match(@.*, 'a')", argument("match")),
        ("match(@.a, search(@.b, 'c'))", argument("match")),
        ("match(@.a, '\\\\d+')", PathFault::Pattern),
        (
            "match(@.a, '(\\\\p{L}{100}){100}')",
            PathFault::PatternTooLarge,
        ),
        ("lenght(@.a)>1", unknown("lenght")),
        ("in(@.a, @.b)", unknown("in")),
    ] {
        let text = format!("$[?{filter}]");
        assert_eq!(Path::parse(&text).unwrap_err(), expected, "{filter}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        "a",
        "$.",
        "$[",
        "$..",
        "@.a",
        " $",
        "$ ",
        "$.a b",
        "$. a",
        "$.1",
        "$[01]",
        "$[-0]",
        "$['a' 'b']",
        "$[9007199254740992]",
        "$[1:9007199254740992]",
        "$[?@. a==1]",
        "$[?@.a=1]",
        "$[?(@.a)==1]",
        "$[?@.*==1]",
        "$[?match(@.a,'a')==true]",
        "$[?count (@.*)>1]",
        "$[?@.a==007]",
        "$[?true]",
        "$[?@.a==[]]",
        "$[?@.a==00000000000000000001]",
        "$[?@.a==.5]",
        "$[?@.a==1 .5]",
        "$[?@.a==1.]",
        "$[?@.a==90071992547409920.]",
    ] {
        let fault = Path::parse(text).map(|_| ()).unwrap_err();
        assert!(
            matches!(fault, PathFault::Syntax { .. }),
            "{text}: {fault:?}"
        );
    }
    assert_eq!(Path::parse("$.a\u{a0}").unwrap_err(), PathFault::Blank);
    let fault = Path::parse("$.a[?@.b==]").unwrap_err();
    assert_eq!(fault, PathFault::Syntax { column: Some(11) });
}

#[test]
fn a_faulty_path_in_a_file_is_told_with_help() {
    for (text, message, help) in [
        (
            "$[?lenght(@.a)>1]",
            "there is no function `lenght` in JSONPath",
            "did you mean `length`?",
        ),
        (
            "$.a[",
            "this is not a JSONPath: it goes wrong at character 5",
            "write `$`, then",
        ),
        (
            "$[?count(@.a)]",
            "what `count` gives must be compared",
            "write for example `count(@.a) > 1`",
        ),
    ] {
        let faults = Faults::new();
        let node = parse(&Source::new("t", format!("q: \"{text}\"\n")), &faults).unwrap();
        assert!(Path::read(node.child("q").unwrap(), &faults).is_none());
        let faults = faults.into_sorted();
        assert_eq!(faults[0].to_string(), message);
        assert!(
            faults[0].help_text().starts_with(help),
            "{}",
            faults[0].help_text()
        );
    }
}

/// A document whose members live in different places, as those of a route do.
struct Parts {
    body: Value,
    vars: Value,
}

impl Root for Parts {
    fn whole(&self) -> Option<&Value> {
        None
    }

    fn member(&self, name: &str) -> Option<&Value> {
        match name {
            "body" => Some(&self.body),
            "vars" => Some(&self.vars),
            _ => None,
        }
    }
}

#[test]
fn the_members_of_the_root_may_live_in_different_places() {
    let parts = Parts {
        body: json!({"list": [{"id": 1, "x": "a"}, {"id": 2, "x": "b"}]}),
        vars: json!({"id": 2}),
    };
    let mut fuel = Fuel::new(100);
    let found = path("$.body.list[?@.id==$.vars.id].x");
    assert_eq!(found.first(&parts, &mut fuel), Ok(Some(&json!("b"))));
    for text in ["$", "$..id", "$.*", "$.other", "$[0]"] {
        let nodes = path(text).select(&parts, &mut fuel).unwrap();
        assert!(nodes.is_empty(), "{text}");
    }
}

#[test]
fn no_name_is_special() {
    let document = json!({"a": {}, "own": {"__proto__": 1, "constructor": {"prototype": 2}}});
    for (text, expected) in [
        ("$.a.__proto__", json!([])),
        ("$.a.constructor", json!([])),
        ("$.a.length", json!([])),
        ("$.own.__proto__", json!([1])),
        ("$.own['constructor'].prototype", json!([2])),
        ("$.own[?@.prototype].prototype", json!([2])),
    ] {
        assert_eq!(select(text, &document), expected, "{text}");
    }
}

/// Any document of a few levels, whose names are few.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[abc]", inner), 0..4)
                .prop_map(|members| { Value::Object(members.into_iter().collect::<Map<_, _>>()) }),
        ]
    })
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Object(members) => {
            let members = members.iter().rev();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), reversed(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn the_order_of_names_does_not_matter_to_a_singular_path(
        document in document(),
        steps in prop::collection::vec(prop_oneof!["[abc]".prop_map(|name| Step::Name(name.into())), (-3_i64..3).prop_map(Step::Index)], 0..4),
    ) {
        let mut text = "$".to_owned();
        for step in &steps {
            match step {
                Step::Name(name) => write!(text, ".{}", &**name).unwrap(),
                Step::Index(index) => write!(text, "[{index}]").unwrap(),
            }
        }
        prop_assert_eq!(select(&text, &document), select(&text, &reversed(&document)));
        // A filter on each value of it finds what is equal to itself, in any order.
        let equal = path("$[?@==$.x]");
        let pair = json!({"x": document, "y": reversed(&document)});
        let found = equal.select(&pair, &mut Fuel::new(10_000)).unwrap();
        prop_assert_eq!(found.len(), 2);
    }

    #[test]
    fn fuel_never_changes_an_answer(document in document(), nodes in 0_u64..60) {
        for text in ["$..a", "$.*[?@.a<=$.b]", "$..[?count(@.*)>1]", "$.a[-1]"] {
            let path = path(text);
            let whole = path.select(&document, &mut Fuel::new(1_000_000)).unwrap();
            if let Ok(found) = path.select(&document, &mut Fuel::new(nodes)) {
                prop_assert!(found.iter().eq(whole.iter()));
            }
        }
    }

    #[test]
    fn no_text_makes_reading_fail(text in r#"\$[.\[\]()?@&|!=<>*:,'"\\ a-c0-9-]{0,40}|\PC{0,20}"#) {
        let _read = Path::parse(&text);
    }
}
