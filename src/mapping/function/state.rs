//! The states of the USA, with the District of Columbia and the territories (USPS Publication 28,
//! appendix B).

use super::text::collapsed;

/// A state's code and name, by either of them in any case.
pub(super) fn find(text: &str) -> Option<(&'static str, &'static str)> {
    let mut word = collapsed(text);
    word.retain(|letter| letter != '.');
    let is_it = |(code, name): &&(&str, &str)| {
        code.eq_ignore_ascii_case(&word) || letters(name).eq(letters(&word))
    };
    let others = OTHER_NAMES.iter();
    let other = others
        .copied()
        .find(|(name, _)| name.eq_ignore_ascii_case(&word));
    let code = other.map(|(_, code)| code);
    let known = |(own, _): &&(&str, &str)| Some(*own) == code;
    STATES
        .iter()
        .find(is_it)
        .or_else(|| STATES.iter().find(known))
        .copied()
}

/// A name without full stops, in small letters.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    let bytes = name.bytes().filter(|byte| *byte != b'.');
    bytes.map(|byte| byte.to_ascii_lowercase())
}

/// Names that are not the official ones, without full stops.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("Washington DC", "DC"),
    ("Washington, DC", "DC"),
    ("Virgin Islands", "VI"),
    ("United States Virgin Islands", "VI"),
];

/// Codes and names.
const STATES: &[(&str, &str)] = &[
    ("AL", "Alabama"),
    ("AK", "Alaska"),
    ("AZ", "Arizona"),
    ("AR", "Arkansas"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DE", "Delaware"),
    ("DC", "District of Columbia"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("HI", "Hawaii"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("IA", "Iowa"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("ME", "Maine"),
    ("MD", "Maryland"),
    ("MA", "Massachusetts"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MS", "Mississippi"),
    ("MO", "Missouri"),
    ("MT", "Montana"),
    ("NE", "Nebraska"),
    ("NV", "Nevada"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NY", "New York"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VT", "Vermont"),
    ("VA", "Virginia"),
    ("WA", "Washington"),
    ("WV", "West Virginia"),
    ("WI", "Wisconsin"),
    ("WY", "Wyoming"),
    ("AS", "American Samoa"),
    ("GU", "Guam"),
    ("MP", "Northern Mariana Islands"),
    ("PR", "Puerto Rico"),
    ("VI", "U.S. Virgin Islands"),
];
