//! Functions on numbers. Digits are kept: nothing goes through a binary fraction.

use serde_json::Value;

use super::argument::Argument;
use super::decimal::Decimal;
use super::{Apply, Function, Kind, Make, absent, gives, range, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "to_number",
        about: "Reads a text as a number and keeps its digits; absent where it is none.",
        argument: "",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("", r#"" 12.50 ""#, "12.50"),
            gives("", r#""-007""#, "-7"),
            absent("", r#""1,200""#),
            absent("", "true"),
        ],
        make: Make::Bare(|value, _| {
            if value.is_number() {
                return Some(value.into_owned());
            }
            Decimal::of(&value)?.to_json()
        }),
    },
    Function {
        name: "to_integer",
        about: "Reads a whole number, also one with a zero fraction; absent where a digit would be lost.",
        argument: "",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("", r#""42""#, "42"),
            gives("", "42.0", "42"),
            absent("", r#""42.5""#),
        ],
        make: Make::Bare(|value, _| {
            let number = Decimal::of(&value)?;
            number.is_whole().then(|| number.rounded(0).to_json())?
        }),
    },
    Function {
        name: "round",
        about: "Rounds to at most so many decimal places, halves away from zero.",
        argument: "how many decimal places, from 0 to 18",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("0", r#""2.5""#, "3"),
            gives("2", "-1.005", "-1.01"),
            gives("2", "7", "7"),
            absent("0", r#""two""#),
        ],
        make: Make::With(|argument| {
            let places = places(argument)?;
            Some(on_number(move |number| number.rounded(places).to_json()))
        }),
    },
    Function {
        name: "at_least",
        about: "Raises a smaller number to a bound.",
        argument: "the smallest number that comes out",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("0", "-3", "0"),
            gives("0", "3.10", "3.10"),
            absent("0", r#""x""#),
        ],
        make: Make::With(|argument| {
            let bound = argument.decimal()?;
            Some(on_number(move |number| {
                let kept = if number.compare(bound).is_lt() {
                    bound
                } else {
                    number
                };
                kept.to_json()
            }))
        }),
    },
    Function {
        name: "at_most",
        about: "Lowers a greater number to a bound.",
        argument: "the greatest number that comes out",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("100", "250", "100"),
            gives("100", "99.9", "99.9"),
            absent("100", "null"),
        ],
        make: Make::With(|argument| {
            let bound = argument.decimal()?;
            Some(on_number(move |number| {
                let kept = if number.compare(bound).is_gt() {
                    bound
                } else {
                    number
                };
                kept.to_json()
            }))
        }),
    },
    Function {
        name: "add",
        about: "Adds a number, exactly; absent past 36 digits.",
        argument: "the number to add",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("0.2", "0.1", "0.3"),
            gives("-1", r#""1""#, "0"),
            absent("1", r#""""#),
        ],
        make: Make::With(|argument| {
            let other = argument.decimal()?;
            Some(on_number(move |number| number.plus(other)?.to_json()))
        }),
    },
    Function {
        name: "multiply",
        about: "Multiplies by a number, exactly; absent past 36 digits.",
        argument: "the number to multiply by",
        takes: Kind::Number,
        gives: Kind::Number,
        cost: 2,
        examples: &[
            gives("100", "19.99", "1999.00"),
            gives("0.7", "0.8", "0.56"),
            absent("1000", "1e35"),
        ],
        make: Make::With(|argument| {
            let other = argument.decimal()?;
            Some(on_number(move |number| number.times(other)?.to_json()))
        }),
    },
    Function {
        name: "range_low",
        about: "The lower end of a range in words, such as `10k_to_15k`; of one amount, the amount itself; absent of `under 10k`.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Number,
        cost: 4,
        examples: &[
            gives("", r#""10k_to_15k""#, "10000"),
            gives("", r#""$10,000 - $15,000""#, "10000"),
            gives("", r#""50k+""#, "50000"),
            absent("", r#""under_10k""#),
            absent("", r#""unknown""#),
        ],
        make: Make::Bare(|value, _| range::read(&text_of(&value)?)?.low?.to_json()),
    },
    Function {
        name: "range_high",
        about: "The upper end of a range in words, such as `10k_to_15k`; of one amount, the amount itself; absent of `50k+`.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Number,
        cost: 4,
        examples: &[
            gives("", r#""10k_to_15k""#, "15000"),
            gives("", r#""10-15k""#, "15000"),
            gives("", r#""under_10k""#, "10000"),
            absent("", r#""50k+""#),
        ],
        make: Make::Bare(|value, _| range::read(&text_of(&value)?)?.high?.to_json()),
    },
];

fn on_number(run: impl Fn(Decimal) -> Option<Value> + Send + Sync + 'static) -> Apply {
    std::sync::Arc::new(move |value, _| run(Decimal::of(&value)?))
}

/// A number of decimal places.
pub(super) fn places(argument: &Argument<'_>) -> Option<u32> {
    let places: u64 = argument.read()?;
    match u32::try_from(places) {
        Ok(places @ 0..=PLACES_MAX) => Some(places),
        _ => argument.refuse(format!("more than {PLACES_MAX} decimal places")),
    }
}

const PLACES_MAX: u32 = 18;
