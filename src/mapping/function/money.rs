//! Amounts of money as text.

use serde_json::Value;

use super::decimal::Decimal;
use super::number::places;
use super::{Function, Kind, Make, absent, gives, on_text, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "money",
        about: "Writes an amount without `$`, `,`, spaces and a zero fraction. A text that is no \
                single amount, such as a range, passes as it is, without white space around it.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("", r#""$ 18,500.00""#, r#""18500""#),
            gives("", "1250.50", r#""1250.50""#),
            gives("", r#"" $10,000 - $15,000 ""#, r#""$10,000 - $15,000""#),
            absent("", r#"" ""#),
        ],
        make: Make::Bare(|value, _| {
            let text = text_of(&value)?;
            let text = text.trim();
            let amount = amount(text).unwrap_or_else(|| text.to_owned());
            (!amount.is_empty()).then_some(Value::String(amount))
        }),
    },
    Function {
        name: "fixed",
        about: "Writes a number with exactly so many decimal places, halves rounded away from zero.",
        argument: "how many decimal places, from 0 to 18",
        takes: Kind::Number,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("2", r#""12.5""#, r#""12.50""#),
            gives("2", "12.345", r#""12.35""#),
            gives("0", "12.5", r#""13""#),
            absent("2", r#""$12""#),
        ],
        make: Make::With(|argument| {
            let places = places(argument)?;
            Some(on_text(move |text| {
                let number = Decimal::parse(text)?.rounded(places);
                number.fixed(places).map(Value::String)
            }))
        }),
    },
];

/// A single amount without its ornaments.
fn amount(text: &str) -> Option<String> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest.trim_start()),
        None => ("", text),
    };
    let text = text.strip_prefix('$').unwrap_or(text).trim_start();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) if sign.is_empty() => ("-", rest),
        _ => (sign, text),
    };
    let digits = grouped(text)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let is_zero = fraction.bytes().all(|digit| digit == b'0');
    Some(if is_zero {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{digits}")
    })
}

/// Digits without the commas between thousands, which stand before three digits each; `None`
/// where it is anything else.
pub(super) fn grouped(text: &str) -> Option<String> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next().filter(|first| is_digits(first))?;
    let mut digits = first.to_owned();
    for group in groups {
        if first.len() > 3 || group.len() != 3 || !is_digits(group) {
            return None;
        }
        digits.push_str(group);
    }
    if let Some(fraction) = fraction {
        if !is_digits(fraction) {
            return None;
        }
        digits.push('.');
        digits.push_str(fraction);
    }
    Some(digits)
}
