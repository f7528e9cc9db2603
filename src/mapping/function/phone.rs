//! Phone numbers, by the rules of libphonenumber.
//!
//! A text must be a number and nothing else, besides an extension: letters are never read as
//! digits, and what stands around a number makes it no number. Only digits and punctuation reach
//! the library, and no more than [`PHONE_BYTES_MAX`] of them.
//!
//! The library knows which area codes are assigned. It takes any exchange `[2-9]XX` of North
//! America; here one that ends in 11 is refused too, as the numbering plan has it. The numbers that
//! are kept for fiction (555-0100 to 555-0199) are valid.

use std::sync::Arc;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use serde_json::Value;

use super::argument::Argument;
use super::list::items;
use super::{Apply, Function, Kind, Make, absent, gives, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "to_e164",
        about: "Writes a phone number as `+17025550177`; absent where it is not valid.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""(702) 555-0177 x12""#, r#""+17025550177""#),
            gives("US", "7025550177", r#""+17025550177""#),
            gives("", r#""+33 1 42 68 53 00""#, r#""+33142685300""#),
            absent("US", r#""555-0177""#),
            absent("", r#""702-555-0177""#),
        ],
        make: Make::With(|argument| on_phone(argument, |phone| Some(phone.e164()))),
    },
    Function {
        name: "e164_digits",
        about: "The digits of `to_e164`, without the plus.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""702-555-0177""#, r#""17025550177""#),
            absent("US", r#""n/a""#),
        ],
        make: Make::With(|argument| {
            on_phone(argument, |phone| {
                Some(phone.e164().trim_start_matches('+').to_owned())
            })
        }),
    },
    Function {
        name: "national",
        about: "The digits of a phone number without the country code: ten in North America.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""+1 (702) 555-0177""#, r#""7025550177""#),
            absent("US", r#""702""#),
        ],
        make: Make::With(|argument| on_phone(argument, |phone| Some(phone.national))),
    },
    Function {
        name: "phone_extension",
        about: "The extension that stands after a phone number.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""702-555-0177 ext. 12""#, r#""12""#),
            absent("US", r#""702-555-0177""#),
        ],
        make: Make::With(|argument| on_phone(argument, |phone| phone.extension)),
    },
    Function {
        name: "area_code",
        about: "The first three digits of a North American number.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""(702) 555-0177""#, r#""702""#),
            absent("", r#""+33142685300""#),
        ],
        make: Make::With(|argument| on_phone(argument, |phone| phone.american(0..3))),
    },
    Function {
        name: "exchange",
        about: "The middle three digits of a North American number.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""(702) 555-0177""#, r#""555""#),
            absent("", r#""+33142685300""#),
        ],
        make: Make::With(|argument| on_phone(argument, |phone| phone.american(3..6))),
    },
    Function {
        name: "line_number",
        about: "The last four digits of a North American number.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 64,
        examples: &[
            gives("US", r#""(702) 555-0177""#, r#""0177""#),
            absent("", r#""+33142685300""#),
        ],
        make: Make::With(|argument| on_phone(argument, |phone| phone.american(6..10))),
    },
    Function {
        name: "is_valid_phone",
        about: "Whether a text or number is a valid phone number.",
        argument: REGION,
        takes: Kind::Text,
        gives: Kind::Bool,
        cost: 64,
        examples: &[
            gives("US", r#""702-555-0177""#, "true"),
            gives("US", r#""702-155-0177""#, "false"),
            absent("US", "null"),
        ],
        make: Make::With(|argument| {
            let home = home(argument)?;
            Some(Arc::new(move |value, _: &_| {
                Some(Phone::read(&text_of(&value)?, home).is_some().into())
            }))
        }),
    },
    Function {
        name: "first_valid_phone",
        about: "The first valid phone number of a list, as `+17025550177`.",
        argument: REGION,
        takes: Kind::List,
        gives: Kind::Text,
        cost: 512,
        examples: &[
            gives(
                "US",
                r#"[null, "n/a", "702-555-0177", "205-555-0122"]"#,
                r#""+17025550177""#,
            ),
            absent("US", r#"["n/a"]"#),
        ],
        make: Make::With(|argument| {
            let home = home(argument)?;
            Some(Arc::new(move |value, _: &_| {
                let read = |item: &Value| Phone::read(&text_of(item)?, home);
                let phone = items(value)?.iter().find_map(read)?;
                Some(Value::String(phone.e164()))
            }))
        }),
    },
];

/// Where numbers without a country code belong, if they are taken.
#[derive(Clone, Copy)]
struct Home(Option<Region>);

/// A valid phone number.
struct Phone {
    country_code: i32,
    /// The digits without the country code.
    national: String,
    extension: Option<String>,
}

impl Phone {
    fn read(text: &str, home: Home) -> Option<Self> {
        let text = text.trim();
        if text.len() > PHONE_BYTES_MAX {
            return None;
        }
        let text = text.strip_prefix("tel:").unwrap_or(text);
        let (digits, extension) = parted(text)?;
        let number = PHONE_NUMBER_UTIL.parse(&digits, home.0).ok()?;
        let phone = Self {
            country_code: number.country_code,
            national: number.get_national_significant_number(),
            extension,
        };
        let sound = phone.country_code != AMERICA || phone.has_american_form();
        (sound && number.is_valid()).then_some(phone)
    }

    fn e164(&self) -> String {
        format!("+{}{}", self.country_code, self.national)
    }

    /// A part of a North American number.
    fn american(self, digits: std::ops::Range<usize>) -> Option<String> {
        let part = self.national.get(digits)?;
        self.has_american_form().then(|| part.to_owned())
    }

    /// Whether it has the form of the North American numbering plan.
    fn has_american_form(&self) -> bool {
        let national = self.national.as_str();
        let is_code = |code: Option<&str>| {
            code.is_some_and(|code| {
                code.starts_with(|c| ('2'..='9').contains(&c)) && !code.ends_with("11")
            })
        };
        self.country_code == AMERICA
            && national.len() == 10
            && is_code(national.get(0..3))
            && is_code(national.get(3..6))
    }
}

/// A number's digits and punctuation, and its extension. `None` where anything else stands there.
fn parted(text: &str) -> Option<(String, Option<String>)> {
    let is_mark = |c: char| c.is_ascii_alphabetic() || matches!(c, '#' | ';');
    let (number, rest) = text.split_at(text.find(is_mark).unwrap_or(text.len()));
    let digits: Option<String> = number.chars().map(plain).collect();
    if rest.is_empty() {
        return Some((digits?, None));
    }
    let rest = rest.to_ascii_lowercase();
    let mark = EXTENSIONS.iter().find_map(|mark| rest.strip_prefix(mark))?;
    let extension = mark.trim_start_matches(['.', ':', ' ']);
    let is_extension =
        (1..=7).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_digit());
    is_extension.then(|| Some((digits?, Some(extension.to_owned()))))?
}

/// A character of a number, as the library knows it.
fn plain(c: char) -> Option<char> {
    match c {
        '0'..='9' | '+' | '(' | ')' | '-' | '.' | '/' | ' ' => Some(c),
        '\t' | '\u{a0}' | '\u{202f}' => Some(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        _ => None,
    }
}

fn on_phone(argument: &Argument<'_>, run: fn(Phone) -> Option<String>) -> Option<Apply> {
    let home = home(argument)?;
    Some(super::to_text(move |text| run(Phone::read(text, home)?)))
}

/// Makes the tables of phone numbers ready, which takes some milliseconds once in a process.
pub fn make_ready() {
    let _code = PHONE_NUMBER_UTIL.get_country_code_for_region(Region::US);
}

/// Reads the region of numbers that have no country code.
fn home(argument: &Argument<'_>) -> Option<Home> {
    if argument.node.is_none() {
        return Some(Home(None));
    }
    let name: String = argument.read()?;
    let known: Option<Region> = name.parse().ok();
    // Some names stand for no country, such as that of the whole world.
    let is_country = |region: &Region| {
        name.len() == 2
            && PHONE_NUMBER_UTIL
                .get_country_code_for_region(*region)
                .is_some()
    };
    match known.filter(is_country) {
        None => argument.refuse(format!("`{name}` is not a region")),
        region => Some(Home(region)),
    }
}

const REGION: &str =
    "the region of numbers that have no country code, such as `US`; without it they are absent";
/// What an extension begins with; longer ones before those that they begin with.
const EXTENSIONS: &[&str] = &[";ext=", "extension", "extn", "ext", "x", "#"];
const AMERICA: i32 = 1;
const PHONE_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::check;

    #[test]
    fn phones_are_read_as_people_write_them() {
        for (text, expected) in [
            ("(205) 555-0122", Some("+12055550122")),
            ("702-555-0177", Some("+17025550177")),
            ("702.555.0177", Some("+17025550177")),
            ("1 702 555 0177", Some("+17025550177")),
            ("+1 303 555 0119", Some("+13035550119")),
            ("tel:+1-303-555-0119;ext=9", Some("+13035550119")),
            ("702-555-0177 x12", Some("+17025550177")),
            ("702\u{2013}555\u{2013}0177", Some("+17025550177")),
            ("+33 1 42 68 53 00", Some("+33142685300")),
            ("+44 20 7946 0958", Some("+442079460958")),
            ("011 33 1 42 68 53 00", Some("+33142685300")),
            ("702-555-017", None),
            ("702-555-01777", None),
            ("911", None),
            ("(102) 555-0177", None),
            ("(411) 555-0177", None),
            ("(999) 555-0177", None),
            ("702-911-0177", None),
            ("702-055-0177", None),
            ("702-555-CALL", None),
            ("call 702-555-0177", None),
            ("702-555-0177 702-555-0178", None),
            ("", None),
            ("+", None),
        ] {
            check("[ { to_e164: US } ]", text, expected.map(Value::from));
        }
        check(
            "[ { national: CA } ]",
            4_165_550_122_u64,
            Some("4165550122".into()),
        );
        check(
            "[ { phone_extension: US } ]",
            "702-555-0177 EXT. 12",
            Some("12".into()),
        );
        check(
            "[ { to_e164: US }, { last: 4 } ]",
            "702-555-0177",
            Some("0177".into()),
        );
    }
}
