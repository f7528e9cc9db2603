//! Comparing values as RFC 9535 (section 2.3.5.2.2) does, numbers by their exact value.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::mapping::path::plan::Relation;
use crate::mapping::path::{Fuel, OutOfFuel};

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand<'a> {
    /// Nothing was selected.
    Nothing,
    Value(&'a Value),
    /// What `length` and `count` give.
    Size(u64),
}

/// Whether a relation holds.
pub(super) fn holds(
    left: Operand<'_>,
    relation: Relation,
    right: Operand<'_>,
    fuel: &mut Fuel,
) -> Result<bool, OutOfFuel> {
    Ok(match relation {
        Relation::Equal => same(left, right, fuel)?,
        Relation::NotEqual => !same(left, right, fuel)?,
        Relation::Less => order(left, right, fuel)? == Some(Ordering::Less),
        Relation::Greater => order(left, right, fuel)? == Some(Ordering::Greater),
        Relation::AtMost => {
            order(left, right, fuel)? == Some(Ordering::Less) || same(left, right, fuel)?
        }
        Relation::AtLeast => {
            order(left, right, fuel)? == Some(Ordering::Greater) || same(left, right, fuel)?
        }
    })
}

fn same(left: Operand<'_>, right: Operand<'_>, fuel: &mut Fuel) -> Result<bool, OutOfFuel> {
    match (left, right) {
        (Operand::Nothing, Operand::Nothing) => Ok(true),
        (Operand::Value(left), Operand::Value(right)) => equal(left, right, fuel),
        _ => Ok(order(left, right, fuel)? == Some(Ordering::Equal)),
    }
}

/// Only numbers and strings have an order.
fn order(
    left: Operand<'_>,
    right: Operand<'_>,
    fuel: &mut Fuel,
) -> Result<Option<Ordering>, OutOfFuel> {
    match (left, right) {
        (Operand::Value(Value::String(left)), Operand::Value(Value::String(right))) => {
            fuel.spend_bytes(left.len().min(right.len()))?;
            // UTF-8 keeps the order of Unicode's scalar values.
            Ok(Some(left.cmp(right)))
        }
        (Operand::Value(Value::Number(left)), Operand::Value(Value::Number(right))) => {
            numbers(left, right, fuel).map(Some)
        }
        (Operand::Value(Value::Number(left)), Operand::Size(right)) => {
            number_and_size(left, right, fuel).map(Some)
        }
        (Operand::Size(left), Operand::Value(Value::Number(right))) => {
            Ok(Some(number_and_size(right, left, fuel)?.reverse()))
        }
        (Operand::Size(left), Operand::Size(right)) => Ok(Some(left.cmp(&right))),
        _ => Ok(None),
    }
}

fn equal(left: &Value, right: &Value, fuel: &mut Fuel) -> Result<bool, OutOfFuel> {
    fuel.spend(1)?;
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Number(left), Value::Number(right)) => {
            Ok(numbers(left, right, fuel)? == Ordering::Equal)
        }
        (Value::String(left), Value::String(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            fuel.spend_bytes(left.len())?;
            Ok(left == right)
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, fuel)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            for (name, left) in left {
                match right.get(name) {
                    Some(right) if equal(left, right, fuel)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn numbers(left: &Number, right: &Number, fuel: &mut Fuel) -> Result<Ordering, OutOfFuel> {
    fuel.spend_bytes(left.as_str().len() + right.as_str().len())?;
    Ok(Decimal::of(left.as_str()).compare(&Decimal::of(right.as_str())))
}

fn number_and_size(number: &Number, size: u64, fuel: &mut Fuel) -> Result<Ordering, OutOfFuel> {
    if let Some(number) = number.as_u64() {
        return Ok(number.cmp(&size));
    }
    fuel.spend_bytes(number.as_str().len())?;
    Ok(Decimal::of(number.as_str()).compare(&Decimal::of(&size.to_string())))
}

/// Two numbers that are written as texts, as JSON writes them.
pub(super) fn texts(left: &str, right: &str) -> Option<Ordering> {
    let is_number = |text: &str| text.len() <= DIGITS_MAX && text.parse::<Number>().is_ok();
    (is_number(left) && is_number(right)).then(|| Decimal::of(left).compare(&Decimal::of(right)))
}

/// Longer texts are no numbers.
const DIGITS_MAX: usize = 256;

/// A number as its digits: `0.` and the digits, times ten to the power of `magnitude`.
#[derive(Debug)]
struct Decimal<'t> {
    is_negative: bool,
    /// The digits from the first that is not 0; empty for 0.
    whole: &'t str,
    fraction: &'t str,
    magnitude: i128,
}

impl<'t> Decimal<'t> {
    /// Reads a JSON number.
    fn of(text: &'t str) -> Self {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0');
        let exponent = power(exponent);
        if !whole.is_empty() {
            return Self {
                is_negative,
                whole,
                fraction,
                magnitude: exponent.saturating_add(length(whole)),
            };
        }
        let digits = fraction.trim_start_matches('0');
        Self {
            is_negative,
            whole: "",
            fraction: digits,
            magnitude: exponent.saturating_sub(length(fraction) - length(digits)),
        }
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return sign(!other.is_negative),
            (false, true) => return sign(self.is_negative),
            (false, false) => {}
        }
        if self.is_negative != other.is_negative {
            return sign(self.is_negative);
        }
        let size = self
            .magnitude
            .cmp(&other.magnitude)
            .then_with(|| self.compare_digits(other));
        if self.is_negative {
            size.reverse()
        } else {
            size
        }
    }

    fn compare_digits(&self, other: &Self) -> Ordering {
        let mut left = self.whole.bytes().chain(self.fraction.bytes());
        let mut right = other.whole.bytes().chain(other.fraction.bytes());
        loop {
            let order = match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (left, right) => left.unwrap_or(b'0').cmp(&right.unwrap_or(b'0')),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
    }
}

fn sign(is_less: bool) -> Ordering {
    if is_less {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

fn length(digits: &str) -> i128 {
    i128::try_from(digits.len()).unwrap_or(POWER_MAX)
}

/// An exponent. Beyond 10^36 all are taken for one: no such number is written out anywhere.
fn power(text: &str) -> i128 {
    match text.parse::<i128>() {
        Ok(power) => power.clamp(-POWER_MAX, POWER_MAX),
        Err(_) if text.starts_with('-') => -POWER_MAX,
        Err(_) => POWER_MAX,
    }
}

const POWER_MAX: i128 = 10_i128.pow(36);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_their_exact_value() {
        let rows: [(&str, Ordering, &str); 20] = [
            ("1", Ordering::Equal, "1.0"),
            ("1", Ordering::Equal, "1e0"),
            ("100", Ordering::Equal, "1e2"),
            ("0.001", Ordering::Equal, "1E-3"),
            ("0", Ordering::Equal, "-0.0e9"),
            ("9007199254740993", Ordering::Greater, "9007199254740992"),
            (
                "9007199254740993",
                Ordering::Greater,
                "9007199254740992.9999",
            ),
            (
                "18446744073709551617",
                Ordering::Greater,
                "18446744073709551616",
            ),
            ("0.1000000000000000055", Ordering::Greater, "0.1"),
            ("-1", Ordering::Less, "0"),
            ("-1", Ordering::Less, "-0.5"),
            ("-2e3", Ordering::Equal, "-2000.00"),
            ("1e400", Ordering::Less, "1e401"),
            ("10e399", Ordering::Equal, "1e400"),
            ("1e-400", Ordering::Greater, "0"),
            ("1e-400", Ordering::Less, "1e-399"),
            ("0.5", Ordering::Less, "1"),
            ("12", Ordering::Greater, "2"),
            ("0.0012", Ordering::Equal, "12e-4"),
            (
                "1e99999999999999999999999999999999999999999",
                Ordering::Greater,
                "9",
            ),
        ];
        for (left, expected, right) in rows {
            let (a, b) = (Decimal::of(left), Decimal::of(right));
            assert_eq!(a.compare(&b), expected, "{left} {right}");
            assert_eq!(b.compare(&a), expected.reverse(), "{right} {left}");
        }
    }
}
