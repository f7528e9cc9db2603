//! Reading and writing XML, as senders write it and as nobody should.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::codec::Unencodable;

const LIMITS: Limits = Limits {
    bytes_max: usize::MAX,
    depth_max: 64,
    nodes_max: 1000,
};

fn check(text: &str, expected: &Result<Value, Undecodable>) {
    assert_eq!(decode(None, text.as_bytes(), &LIMITS), *expected, "{text}");
}

fn check_malformed(text: &str) {
    let read = decode(None, text.as_bytes(), &LIMITS);
    assert!(
        matches!(read, Err(Undecodable::NotXml { .. })),
        "{text}: {read:?}"
    );
}

#[test]
fn an_envelope_is_read() {
    let text = r#"<?xml version="1.0" encoding="utf-8"?>
        <!-- a comment --><?target data?>
        <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:x">
          <soapenv:Header/>
          <soapenv:Body soapenv:id="7">
            <call xml:lang='en'>
              <number>+49 30</number><number></number><number><![CDATA[ <3> ]]></number>
              <note>a &amp; b &#x263A;&lt;</note>
            </call>
          </soapenv:Body>
        </soapenv:Envelope>
        <!-- and another -->"#;
    let expected = json!({"Envelope": {"Header": "", "Body": {"@id": "7", "call": {
        "@lang": "en", "number": ["+49 30", "", " <3> "], "note": "a & b ☺<",
    }}}});
    check(text, &Ok(expected));
}

#[test]
fn spaces_around_text_are_kept_unless_they_lay_it_out() {
    for (text, expected) in [
        ("<a> x </a>", json!({"a": " x "})),
        ("<a>\n  x\n</a>", json!({"a": "x"})),
        ("<a> </a>", json!({"a": " "})),
        ("<a>\n</a>", json!({"a": ""})),
        ("<a>\n<![CDATA[ x\n]]>\n</a>", json!({"a": " x\n"})),
        ("<a>&#10;x&#32;</a>", json!({"a": "\nx "})),
        ("<a>x\r\ny\rz</a>", json!({"a": "x\ny\nz"})),
        ("<a>x <b/> y </a>", json!({"a": {"#text": "x  y", "b": ""}})),
        ("<a> <b/> </a>", json!({"a": {"b": ""}})),
        (
            "<a b=' c\n'> x </a>",
            json!({"a": {"@b": " c ", "#text": " x "}}),
        ),
        ("<a b='1'/>", json!({"a": {"@b": "1"}})),
        ("<a><![CDATA[]]></a>", json!({"a": ""})),
    ] {
        check(text, &Ok(expected));
    }
}

#[test]
fn a_nil_element_is_null() {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    for (text, expected) in [
        (format!("<a xmlns:i='{xsi}' i:nil='true'/>"), json!(null)),
        (
            format!("<a xmlns:i='{xsi}'><b i:nil=' 1 '>\n</b></a>"),
            json!({"b": null}),
        ),
        (
            format!("<a xmlns:i='{xsi}' i:nil='false'>x</a>"),
            json!("x"),
        ),
        ("<a xsi:nil='true'></a>".to_owned(), json!(null)),
        (
            "<a xmlns:xsi='urn:other' xsi:nil='true'/>".to_owned(),
            json!({"@nil": "true"}),
        ),
        ("<a nil='true'/>".to_owned(), json!({"@nil": "true"})),
        (
            format!("<a xmlns:i='{xsi}' i:type='x'>y</a>"),
            json!({"@type": "x", "#text": "y"}),
        ),
    ] {
        check(&text, &Ok(json!({"a": expected})));
    }
    check_malformed("<a xsi:nil='true'>x</a>");
    check_malformed("<a xsi:nil='true'><b/></a>");
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        "",
        " ",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "</a>",
        "<a/></a>",
        "<a",
        "<a b/>",
        "<a b=c/>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<1/>",
        "<a:b:c/>",
        "<:a/>",
        "<a @b='1'/>",
        "<a>]]></a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x1;</a>",
        "<a b='&#x1;'/>",
        "<a>\0</a>",
        "<a>\u{1}</a>",
        "<a>\u{FFFE}</a>",
        "<a/><![CDATA[x]]>",
        "&#32;<a/>",
        "<!-- -- --><a/>",
        "<a/><?xml version='1.0'?>",
        " <?xml version='1.0'?><a/>",
    ] {
        check_malformed(text);
    }
    // The same name once prefixes are dropped.
    check("<a b='1' x:b='2'/>", &Err(Undecodable::DuplicateKey));
}

#[test]
fn there_are_no_document_types_and_no_entities() {
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
        <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
        <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]><lolz>&lol3;</lolz>"#;
    check(laughs, &Err(Undecodable::Doctype));
    check(
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        &Err(Undecodable::Doctype),
    );
    check("<!doctype html><html/>", &Err(Undecodable::Doctype));
    check("<a>&nbsp;</a>", &Err(Undecodable::Entity));
    check("<a b='&lol;'/>", &Err(Undecodable::Entity));
    check(
        "<a>&lt;&gt;&amp;&apos;&quot;</a>",
        &Ok(json!({"a": "<>&'\""})),
    );
}

#[test]
fn depth_attributes_namespaces_and_nodes_are_bounded() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(decode(None, nested(64).as_bytes(), &LIMITS).is_ok());
    check(&nested(65), &Err(Undecodable::TooDeep { depth_max: 64 }));
    check(
        &nested(100_000),
        &Err(Undecodable::TooDeep { depth_max: 64 }),
    );
    let too_many = |nodes_max| Err(Undecodable::TooManyNodes { nodes_max });
    check(
        &format!("<a>{}</a>", "<b/>".repeat(1_000_000)),
        &too_many(1000),
    );
    let attributes = (0..1_000_000)
        .map(|n| format!(" a{n}=''"))
        .collect::<Vec<_>>()
        .concat();
    check(&format!("<a{attributes}/>"), &too_many(256));
    let bindings = (0..300)
        .map(|n| format!(" xmlns:a{n}='u'"))
        .collect::<Vec<_>>()
        .concat();
    check(&format!("<a{bindings}/>"), &too_many(256));
}

#[test]
fn the_charset_is_told_by_mark_header_or_declaration() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let latin = b"<?xml version='1.0' encoding = 'ISO-8859-1'?><a>\xE9</a>".to_vec();
    let marked = "\u{FEFF}<?xml version='1.0' encoding='gbk'?><a>é</a>";
    for (content_type, body) in [
        (None, latin.clone()),
        (None, "<a>é</a>".into()),
        (None, marked.into()),
        (Some("text/xml; charset=gbk"), marked.into()),
        (
            Some("text/xml; charset=latin1"),
            b"<?xml version='1.0' encoding='utf-8'?><a>\xE9</a>".to_vec(),
        ),
        (
            None,
            utf16("<?xml version='1.0' encoding='UTF-16'?><a>é</a>"),
        ),
        (None, utf16("\u{FEFF}<a>é</a>")),
    ] {
        let read = decode(content_type, &body, &LIMITS);
        assert_eq!(
            read,
            Ok(json!({"a": "é"})),
            "{}",
            String::from_utf8_lossy(&body)
        );
    }
    let utf8 = Some("text/xml; charset=utf-8");
    assert_eq!(
        decode(utf8, &latin, &LIMITS),
        Err(Undecodable::Charset("UTF-8"))
    );
    check(
        "<?xml version='1.0' encoding='utf-16'?><a/>",
        &Err(Undecodable::Charset("UTF-16LE")),
    );
    check(
        "<?xml version='1.0' encoding='x'?><a/>",
        &Err(Undecodable::UnknownCharset),
    );
}

#[test]
fn an_envelope_is_written() {
    let document = json!({"soapenv:Envelope": {
        "@xmlns:soapenv": "http://schemas.xmlsoap.org/soap/envelope/",
        "@nothing": null,
        "soapenv:Body": {"n": [1, "a<b>&", null, true], "none": [], "@id": "\"7\"\n", "#text": " x "},
    }});
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body id="&quot;7&quot;&#10;"><n>1</n><n>a&lt;b&gt;&amp;</n><n/><n>true</n>&#32;x&#32;</soapenv:Body></soapenv:Envelope>"#;
    assert_eq!(encode(&document).as_deref(), Ok(expected));
}

#[test]
fn what_cannot_be_written_is_told_by_its_key() {
    let name = |key: &str| Unencodable::Name {
        key: key.to_owned(),
    };
    let nested = |key: &str| Unencodable::Nested {
        key: key.to_owned(),
    };
    let mut deep = json!("x");
    for _ in 0..130 {
        deep = json!({ "a": deep });
    }
    for (document, expected) in [
        (json!("a"), Unencodable::NotObject),
        (json!({}), Unencodable::NotOneRoot),
        (json!({"a": 1, "b": 2}), Unencodable::NotOneRoot),
        (json!({"a": []}), Unencodable::NotOneRoot),
        (json!({"@a": 1}), name("@a")),
        (json!({"#text": 1}), name("#text")),
        (json!({"a b": 1}), name("a b")),
        (json!({"a": {"": 1}}), name("")),
        (json!({"a": {"@x/><y": 1}}), name("x/><y")),
        (json!({"a": {"b:c:d": 1}}), name("b:c:d")),
        (json!({"a": {"b": [[1]]}}), nested("b")),
        (json!({"a": {"@b": {}}}), nested("@b")),
        (json!({"a": {"#text": [1]}}), nested("#text")),
        (
            json!({"a": "\0"}),
            Unencodable::Character {
                key: "a".to_owned(),
            },
        ),
        (deep, Unencodable::TooDeep),
    ] {
        assert_eq!(encode(&document), Err(expected));
    }
}

/// An element that is read as it was written.
fn element() -> impl Strategy<Value = Value> {
    let text = || "[\t\r\n -~é€😀]{0,12}".prop_map(Value::from);
    text().prop_recursive(5, 40, 6, move |inner| {
        let children = prop_oneof![
            inner.clone(),
            prop::collection::vec(inner, 2..4).prop_map(Value::from),
        ];
        let attributes = prop::collection::btree_map("@[a-zé_][a-z0-9.-]{0,4}", text(), 0..3);
        let children = prop::collection::btree_map("[a-zé_][a-z0-9.-]{0,4}", children, 1..4);
        (attributes, children, "#text", "[\t\r\n -~é]{1,6}").prop_map(
            |(attributes, children, key, text)| {
                let members = attributes.into_iter().chain(children);
                Value::Object(members.chain([(key, Value::from(text))]).collect())
            },
        )
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(root in "[a-z]{1,4}", element in element()) {
        let document = Value::Object(Map::from_iter([(root, element)]));
        let body = encode(&document).unwrap();
        prop_assert_eq!(decode(None, body.as_bytes(), &LIMITS), Ok(document));
    }

    #[test]
    fn what_was_read_can_be_written(
        text in "(<a>|</a>|<b:c x:y='1'>|</b:c>|<d/>| |x|&amp;|<!\\[CDATA\\[ \\]\\]>|\n){0,12}"
    ) {
        if let Ok(document) = decode(None, text.as_bytes(), &LIMITS) {
            prop_assert!(encode(&document).is_ok());
        }
    }
}
