//! Decimal numbers that keep their digits: no binary fraction is anywhere between.

use serde_json::{Number, Value};

use super::text_of;

/// A decimal number of at most 36 digits: `units` divided by ten to the power of `places`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    units: i128,
    places: u32,
}

impl Decimal {
    /// Reads a number as JSON writes it; white space around it, a `+` and zeros before it do no
    /// harm.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = Some(text.trim()).filter(|text| text.len() <= BYTES_MAX)?;
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        if digits.contains('.') && fraction.is_empty() {
            return None;
        }
        let kept = format!("{whole}{fraction}");
        let kept = kept.trim_start_matches('0');
        if kept.len() > DIGITS_MAX {
            return None;
        }
        let units: i128 = if kept.is_empty() {
            0
        } else {
            kept.parse().ok()?
        };
        let units = if text.starts_with('-') { -units } else { units };
        let places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Self::scaled(units, places)
    }

    /// The number in a text or number.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Self::parse(&text_of(value)?)
    }

    /// A whole number.
    pub(super) fn whole(number: i64) -> Self {
        Self {
            units: i128::from(number),
            places: 0,
        }
    }

    fn scaled(units: i128, places: i32) -> Option<Self> {
        match u32::try_from(places) {
            Ok(places) => Self::bounded(units, places),
            Err(_) => Self::bounded(units.checked_mul(power(places.unsigned_abs())?)?, 0),
        }
    }

    fn bounded(units: i128, places: u32) -> Option<Self> {
        let fits = places <= PLACES_MAX && units.unsigned_abs() < UNITS_MAX;
        fits.then_some(Self { units, places })
    }

    /// Both numbers in the finer places of the two.
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let places = self.places.max(other.places);
        let units = |number: Self| number.units.checked_mul(power(places - number.places)?);
        Some((units(self)?, units(other)?, places))
    }

    /// The sum, exact.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let (own, other, places) = self.aligned(other)?;
        Self::bounded(own.checked_add(other)?, places)
    }

    /// The product, exact.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        let units = self.units.checked_mul(other.units)?;
        Self::bounded(units, self.places.checked_add(other.places)?)
    }

    /// Which of the two is greater.
    pub(super) fn compare(self, other: Self) -> std::cmp::Ordering {
        match self.aligned(other) {
            Some((own, other, _)) => own.cmp(&other),
            // Too far apart to be written in the same places: the whole parts tell.
            None => self.truncated().cmp(&other.truncated()),
        }
    }

    fn truncated(self) -> i128 {
        power(self.places).map_or(0, |unit| self.units / unit)
    }

    /// The nearest number of at most so many places, halves away from zero.
    pub(super) fn rounded(self, places: u32) -> Self {
        let Some(unit) = self.places.checked_sub(places).and_then(power) else {
            return self;
        };
        let half = unit / 2 * self.units.signum();
        let exact = unit == 1;
        let units = if exact {
            self.units
        } else {
            (self.units + half) / unit
        };
        Self {
            units,
            places: places.min(self.places),
        }
    }

    /// The number without zeros at the end of its fraction.
    pub(super) fn trimmed(mut self) -> Self {
        while self.places > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.places -= 1;
        }
        self
    }

    /// Whether its fraction is zero, or there is none.
    pub(super) fn is_whole(self) -> bool {
        self.trimmed().places == 0
    }

    /// The greatest integer that is not above it.
    pub(super) fn floor(self) -> Option<i64> {
        self.units.div_euclid(power(self.places)?).try_into().ok()
    }

    /// The number with exactly so many places, which are not fewer than it has.
    pub(super) fn fixed(self, places: u32) -> Option<String> {
        let more = places.checked_sub(self.places)?;
        let units = self.units.checked_mul(power(more)?)?;
        Some(Self { units, places }.to_string())
    }

    /// The number as JSON, digits as they are.
    pub(super) fn to_json(self) -> Option<Value> {
        let number: Number = self.to_string().parse().ok()?;
        Some(Value::Number(number))
    }

    /// The number as an integer, where it is a whole one.
    pub(super) fn integer(self) -> Option<i64> {
        let whole = self.trimmed();
        (whole.places == 0).then_some(whole.units)?.try_into().ok()
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let digits = self.units.unsigned_abs().to_string();
        let places = usize::try_from(self.places).unwrap_or_default();
        if places == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

/// The longest text that is read as a number.
const BYTES_MAX: usize = 128;
const DIGITS_MAX: usize = 36;
const PLACES_MAX: u32 = 36;
/// Ten to the power of 36.
const UNITS_MAX: u128 = 10_u128.pow(36);
