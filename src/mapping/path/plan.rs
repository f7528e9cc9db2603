//! A compiled query: what the parser's tree means, once its types are known to be right.

use regex::Regex;
use serde_json::Value;

use crate::mapping::path::name::Name;

/// One step to at most one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of an object.
    Name(Name),
    /// The element of an array, from 0, or from the end where it is negative.
    Index(i64),
}

/// A query from where it begins.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// The steps up to the first segment that may select several values.
    pub(super) steps: Vec<Step>,
    /// That segment and all behind it.
    pub(super) rest: Vec<Segment>,
}

impl Query {
    pub(super) fn is_singular(&self) -> bool {
        self.rest.is_empty()
    }
}

#[derive(Debug, Clone)]
pub(super) enum Segment {
    One(Step),
    Children(Vec<Selector>),
    Descendants(Vec<Selector>),
}

#[derive(Debug, Clone)]
pub(super) enum Selector {
    Step(Step),
    All,
    Slice(Slice),
    Filter(Test),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

/// Where a query in a filter begins.
#[derive(Debug, Clone)]
pub(super) enum Inner {
    /// `$`
    Root(Query),
    /// `@`
    Current(Query),
}

/// What is true or false of a value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Any(Vec<Test>),
    Every(Vec<Test>),
    Not(Box<Test>),
    Exists(Inner),
    Compare(Box<(Term, Relation, Term)>),
    Matches(Box<Matches>),
}

#[derive(Debug, Clone)]
pub(super) struct Matches {
    pub(super) text: Term,
    pub(super) pattern: Pattern,
    /// `match`: all of the text; `search`: any part of it.
    pub(super) extent: Extent,
}

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Literal(Regex),
    Data(Term),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// What gives one value, or nothing.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Literal(Value),
    /// A singular query.
    Query(Inner),
    Length(Box<Term>),
    Count(Inner),
    Value(Inner),
}
