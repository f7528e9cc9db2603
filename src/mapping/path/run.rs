//! Running a plan over a document: depth first, each value handed on as soon as it is found.

use std::slice;

use regex::Regex;
use serde_json::{Value, map};

use crate::mapping::path::compare::{Operand, holds};
use crate::mapping::path::pattern::{NotCompiled, compile};
use crate::mapping::path::plan::{
    Extent, Inner, Matches, Pattern, Query, Segment, Selector, Slice, Step, Term, Test,
};
use crate::mapping::path::{Fuel, Nodes, OutOfFuel, Root};

/// One query on its way through one document.
pub(super) struct Run<'v, 'f> {
    root: &'v dyn Root,
    fuel: &'f mut Fuel,
    depth: usize,
    /// The last pattern that came from the document, and what became of it.
    last: Option<(String, Extent, Option<Regex>)>,
}

/// Why a walk ended early.
enum Stop {
    /// Who asked knows enough.
    Enough,
    OutOfFuel,
}

impl From<OutOfFuel> for Stop {
    fn from(_: OutOfFuel) -> Self {
        Self::OutOfFuel
    }
}

type Walked = Result<(), Stop>;

/// Takes the values that a query selects.
type Sink<'s, 'v> = &'s mut dyn FnMut(&'v Value) -> Walked;

impl<'v, 'f> Run<'v, 'f> {
    pub(super) fn new(root: &'v dyn Root, fuel: &'f mut Fuel) -> Self {
        Self {
            root,
            fuel,
            depth: 0,
            last: None,
        }
    }

    /// Collects everything that an absolute query selects.
    pub(super) fn all(&mut self, query: &Query, into: &mut Nodes<'v>) -> Result<(), OutOfFuel> {
        let start = self.start(query)?;
        self.go(start, query, &mut |value| {
            into.push(value);
            Ok(())
        })
        .map(drop)
    }

    /// The first value that an absolute query selects.
    pub(super) fn first(&mut self, query: &Query) -> Result<Option<&'v Value>, OutOfFuel> {
        let start = self.start(query)?;
        if query.is_singular() {
            return Ok(start);
        }
        let mut first = None;
        self.go(start, query, &mut |value| {
            first = Some(value);
            Err(Stop::Enough)
        })?;
        Ok(first)
    }

    /// Where an absolute query's steps lead.
    fn start(&mut self, query: &Query) -> Result<Option<&'v Value>, OutOfFuel> {
        self.fuel.spend(1)?;
        let (start, steps) = match query.steps.split_first() {
            Some((Step::Name(name), steps)) => (self.root.member(name), steps),
            _ => (self.root.whole(), query.steps.as_slice()),
        };
        self.follow(start, steps)
    }

    fn follow(
        &mut self,
        from: Option<&'v Value>,
        steps: &[Step],
    ) -> Result<Option<&'v Value>, OutOfFuel> {
        let Some(mut value) = from else {
            return Ok(None);
        };
        for step in steps {
            self.fuel.spend(1)?;
            match child(value, step) {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    /// Where the steps of a query in a filter lead.
    fn inner<'q>(
        &mut self,
        inner: &'q Inner,
        current: &'v Value,
    ) -> Result<(Option<&'v Value>, &'q Query), OutOfFuel> {
        match inner {
            Inner::Root(query) => Ok((self.start(query)?, query)),
            Inner::Current(query) => Ok((self.follow(Some(current), &query.steps)?, query)),
        }
    }

    /// Walks what is behind a query's steps, until its end or until the sink has enough.
    fn go(
        &mut self,
        start: Option<&'v Value>,
        query: &Query,
        sink: Sink<'_, 'v>,
    ) -> Result<(), OutOfFuel> {
        let Some(start) = start else {
            return Ok(());
        };
        match self.walk(start, &query.rest, sink) {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::OutOfFuel) => Err(OutOfFuel),
        }
    }

    fn walk(
        &mut self,
        mut value: &'v Value,
        mut segments: &[Segment],
        sink: Sink<'_, 'v>,
    ) -> Walked {
        while let Some((Segment::One(step), rest)) = segments.split_first() {
            self.fuel.spend(1)?;
            match child(value, step) {
                Some(next) => value = next,
                None => return Ok(()),
            }
            segments = rest;
        }
        match segments.split_first() {
            Some((Segment::Children(selectors), rest)) => {
                self.deeper(|run| run.select(value, selectors, rest, sink))
            }
            Some((Segment::Descendants(selectors), rest)) => {
                self.descend(value, selectors, rest, sink)
            }
            _ => sink(value),
        }
    }

    /// The value itself and all that is below it, each before what is below it.
    fn descend(
        &mut self,
        value: &'v Value,
        selectors: &[Selector],
        rest: &[Segment],
        sink: Sink<'_, 'v>,
    ) -> Walked {
        self.fuel.spend(1)?;
        if !(value.is_array() || value.is_object()) {
            return Ok(());
        }
        self.deeper(|run| {
            run.select(value, selectors, rest, sink)?;
            Children::of(value).try_for_each(|child| run.descend(child, selectors, rest, sink))
        })
    }

    /// Bounds the stack, whatever made the document.
    fn deeper(&mut self, go: impl FnOnce(&mut Self) -> Walked) -> Walked {
        if self.depth >= DEPTH_MAX {
            return Err(Stop::OutOfFuel);
        }
        self.depth += 1;
        let walked = go(self);
        self.depth -= 1;
        walked
    }

    fn select(
        &mut self,
        value: &'v Value,
        selectors: &[Selector],
        rest: &[Segment],
        sink: Sink<'_, 'v>,
    ) -> Walked {
        for selector in selectors {
            match selector {
                Selector::Step(step) => {
                    self.fuel.spend(1)?;
                    if let Some(child) = child(value, step) {
                        self.walk(child, rest, sink)?;
                    }
                }
                Selector::All => {
                    for child in Children::of(value) {
                        self.fuel.spend(1)?;
                        self.walk(child, rest, sink)?;
                    }
                }
                Selector::Slice(slice) => {
                    for child in sliced(value, *slice) {
                        self.fuel.spend(1)?;
                        self.walk(child, rest, sink)?;
                    }
                }
                Selector::Filter(test) => {
                    for child in Children::of(value) {
                        self.fuel.spend(1)?;
                        if self.test(test, child)? {
                            self.walk(child, rest, sink)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn test(&mut self, test: &Test, current: &'v Value) -> Result<bool, OutOfFuel> {
        match test {
            Test::Any(tests) => {
                for test in tests {
                    if self.test(test, current)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::Every(tests) => {
                for test in tests {
                    if !self.test(test, current)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Not(test) => Ok(!self.test(test, current)?),
            Test::Exists(inner) => {
                let mut exists = false;
                let (start, query) = self.inner(inner, current)?;
                self.go(start, query, &mut |_| {
                    exists = true;
                    Err(Stop::Enough)
                })?;
                Ok(exists)
            }
            Test::Compare(sides) => {
                let (left, relation, right) = sides.as_ref();
                let left = self.operand(left, current)?;
                let right = self.operand(right, current)?;
                holds(left, *relation, right, self.fuel)
            }
            Test::Matches(matches) => self.matches(matches, current),
        }
    }

    fn operand<'a>(&mut self, term: &'a Term, current: &'v Value) -> Result<Operand<'a>, OutOfFuel>
    where
        'v: 'a,
    {
        let value = match term {
            Term::Literal(value) => Some(value),
            Term::Query(inner) => self.inner(inner, current)?.0,
            Term::Length(term) => {
                let operand = self.operand(term, current)?;
                return self.length(operand);
            }
            Term::Count(inner) => {
                let mut count = 0_u64;
                let (start, query) = self.inner(inner, current)?;
                self.go(start, query, &mut |_| {
                    count += 1;
                    Ok(())
                })?;
                return Ok(Operand::Size(count));
            }
            Term::Value(inner) => {
                let mut only = None;
                let mut is_only = true;
                let (start, query) = self.inner(inner, current)?;
                self.go(start, query, &mut |value| {
                    is_only = only.replace(value).is_none();
                    if is_only { Ok(()) } else { Err(Stop::Enough) }
                })?;
                only.filter(|_| is_only)
            }
        };
        Ok(value.map_or(Operand::Nothing, Operand::Value))
    }

    fn length<'a>(&mut self, operand: Operand<'_>) -> Result<Operand<'a>, OutOfFuel> {
        let length = match operand {
            Operand::Value(Value::String(text)) => {
                self.fuel.spend_bytes(text.len())?;
                text.chars().count()
            }
            Operand::Value(Value::Array(items)) => items.len(),
            Operand::Value(Value::Object(members)) => members.len(),
            _ => return Ok(Operand::Nothing),
        };
        Ok(u64::try_from(length).map_or(Operand::Nothing, Operand::Size))
    }

    fn matches(&mut self, matches: &Matches, current: &'v Value) -> Result<bool, OutOfFuel> {
        let text = self.operand(&matches.text, current)?;
        let Operand::Value(Value::String(text)) = text else {
            return Ok(false);
        };
        let pattern = match &matches.pattern {
            Pattern::Literal(regex) => {
                self.fuel
                    .spend_bytes(text.len().saturating_mul(MATCH_COST))?;
                return Ok(regex.is_match(text));
            }
            Pattern::Data(term) => self.operand(term, current)?,
        };
        let Operand::Value(Value::String(pattern)) = pattern else {
            return Ok(false);
        };
        self.fuel.spend_bytes(pattern.len())?;
        self.fuel
            .spend_bytes(text.len().saturating_mul(MATCH_COST))?;
        let regex = self.compiled(pattern, matches.extent)?;
        Ok(regex.is_some_and(|regex| regex.is_match(text)))
    }

    /// A pattern of the document; `None` where it is no I-Regexp, which matches nothing.
    fn compiled(&mut self, pattern: &str, extent: Extent) -> Result<Option<&Regex>, OutOfFuel> {
        let is_known = self
            .last
            .as_ref()
            .is_some_and(|(known, how, _)| known == pattern && *how == extent);
        if !is_known {
            self.fuel.spend(COMPILE_COST)?;
            let regex = match compile(pattern, extent, DATA_BYTES_MAX) {
                Ok(regex) => Some(regex),
                Err(NotCompiled::Syntax) => None,
                // It may well match: to say no would be wrong.
                Err(NotCompiled::TooLarge) => return Err(OutOfFuel),
            };
            self.last = Some((pattern.to_owned(), extent, regex));
        }
        Ok(self.last.as_ref().and_then(|(_, _, regex)| regex.as_ref()))
    }
}

fn child<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match (value, step) {
        (Value::Object(members), Step::Name(name)) => name.of(members),
        (Value::Array(items), Step::Index(index)) => {
            if let Ok(index) = usize::try_from(*index) {
                return items.get(index);
            }
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            items.get(items.len().checked_sub(back)?)
        }
        _ => None,
    }
}

/// The elements or members of a value.
enum Children<'v> {
    Items(slice::Iter<'v, Value>),
    Members(map::Values<'v>),
}

impl<'v> Children<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::Array(items) => Self::Items(items.iter()),
            Value::Object(members) => Self::Members(members.values()),
            _ => Self::Items([].iter()),
        }
    }
}

impl<'v> Iterator for Children<'v> {
    type Item = &'v Value;

    fn next(&mut self) -> Option<&'v Value> {
        match self {
            Self::Items(items) => items.next(),
            Self::Members(members) => members.next(),
        }
    }
}

/// The elements of a slice (RFC 9535, section 2.3.4.2.2).
fn sliced(value: &Value, slice: Slice) -> impl Iterator<Item = &Value> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from_start = |at: i64| {
        if at >= 0 {
            at
        } else {
            length.saturating_add(at)
        }
    };
    let step = slice.step;
    let (first, end) = if step >= 0 {
        let bound = |at: i64| from_start(at).clamp(0, length);
        (
            slice.start.map_or(0, bound),
            slice.end.map_or(length, bound),
        )
    } else {
        let bound = |at: i64| from_start(at).clamp(-1, length - 1);
        (
            slice.start.map_or(length - 1, bound),
            slice.end.map_or(-1, bound),
        )
    };
    let is_inside = move |at: &i64| match step {
        0 => false,
        1.. => *at < end,
        _ => *at > end,
    };
    std::iter::successors(Some(first), move |at| at.checked_add(step))
        .take_while(is_inside)
        .filter_map(|at| items.get(usize::try_from(at).ok()?))
}

/// How deep a walk may go, over all queries within each other.
const DEPTH_MAX: usize = 512;
/// A byte that is matched costs as much as so many that are read.
const MATCH_COST: usize = 4;
/// What compiling a pattern costs, in values.
const COMPILE_COST: u64 = 20_000;
/// What a pattern of a document may take when it is compiled.
const DATA_BYTES_MAX: usize = 64 * 1024;
