//! Ranges of amounts as forms write them: `10k_to_15k`, `$10,000 - $15,000`, `under 10k`, `50k+`.

use super::decimal::Decimal;
use super::money::grouped;

/// A range; an end that is open is `None`.
pub(super) struct Range {
    pub(super) low: Option<Decimal>,
    pub(super) high: Option<Decimal>,
}

/// An amount, and whether it has a unit (`k` or `m`).
struct Amount {
    number: Decimal,
    unit: Option<i64>,
}

/// Reads a range; `None` where the text has no amount, more than two, or two in the wrong order.
pub(super) fn read(text: &str) -> Option<Range> {
    let text = text.trim().to_lowercase();
    let (amounts, words) = amounts(&text)?;
    match amounts.as_slice() {
        [only] => {
            let amount = scaled(only, None);
            let has = |known: &[&str]| known.iter().any(|known| words.contains(*known));
            let (below, above) = (has(BELOW), has(ABOVE));
            Some(Range {
                low: amount.filter(|_| !below || above),
                high: amount.filter(|_| !above || below),
            })
        }
        [first, second] => {
            // In `10-15k` the unit is meant for both.
            let shared = second
                .unit
                .filter(|_| first.number.compare(second.number).is_lt());
            let low = scaled(first, shared)?;
            let high = scaled(second, None)?;
            low.compare(high).is_le().then_some(Range {
                low: Some(low),
                high: Some(high),
            })
        }
        _ => None,
    }
}

fn scaled(amount: &Amount, shared: Option<i64>) -> Option<Decimal> {
    let unit = amount.unit.or(shared).unwrap_or(1);
    amount
        .number
        .times(Decimal::whole(unit))
        .map(Decimal::trimmed)
}

/// The amounts of a text, and the words around them.
fn amounts(text: &str) -> Option<(Vec<Amount>, String)> {
    let mut amounts = Vec::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        words.push_str(before);
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, ',' | '.');
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let number = Decimal::parse(&grouped(digits.trim_end_matches([',', '.']))?)?;
        let (unit, after) = unit(after);
        amounts.push(Amount { number, unit });
        if amounts.len() > 2 {
            return None;
        }
        rest = after;
    }
    words.push_str(rest);
    Some((amounts, words))
}

/// The unit that stands after digits, and what comes after it.
fn unit(after: &str) -> (Option<i64>, &str) {
    for (letter, unit) in [('k', 1_000), ('m', 1_000_000)] {
        if let Some(rest) = after.strip_prefix(letter)
            && !rest.starts_with(char::is_alphanumeric)
        {
            return (Some(unit), rest);
        }
    }
    (None, after)
}

const BELOW: &[&str] = &[
    "under", "below", "less", "up to", "up_to", "<", "at most", "at_most",
];
const ABOVE: &[&str] = &[
    "over", "above", "more", "+", ">", "plus", "at least", "at_least",
];
