//! From the parser's tree to a plan, with the type checks of RFC 9535, section 2.4.3.

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, FnArg, Literal, Segment as Parsed,
    Selector as ParsedSelector, SingularQuery, SingularQuerySegment, Test as ParsedTest,
    TestFunction,
};
use jsonpath_rust::parser::parse_json_path;
use serde_json::Value;

use crate::mapping::path::PathFault;
use crate::mapping::path::pattern::{NotCompiled, compile};
use crate::mapping::path::plan::{
    Extent, Inner, Matches, Pattern, Query, Relation, Segment, Selector, Slice, Step, Term, Test,
};
use crate::mapping::path::scan::{Number, scan};

/// A query that is right in itself.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) query: Query,
    /// The first name of every absolute query, the whole one first.
    pub(super) roots: Vec<Option<String>>,
}

impl Compiled {
    pub(super) fn new(text: &str) -> Result<Self, PathFault> {
        let scanned = scan(text)?;
        let tree = parse_json_path(&scanned.text).map_err(|error| PathFault::Syntax {
            column: column(&error),
        })?;
        let mut compiler = Compiler {
            numbers: scanned.numbers.into_iter(),
            roots: Vec::new(),
        };
        let query = compiler.absolute(&tree.segments)?;
        Ok(Self {
            query,
            roots: compiler.roots,
        })
    }
}

struct Compiler {
    /// The numbers of the text that were not met yet: the tree has them in the same order.
    numbers: std::vec::IntoIter<Number>,
    roots: Vec<Option<String>>,
}

type Done<T> = Result<T, PathFault>;

impl Compiler {
    fn absolute(&mut self, segments: &[Parsed]) -> Done<Query> {
        let at = self.roots.len();
        self.roots.push(None);
        let query = self.query(segments)?;
        self.name_root(at, &query);
        Ok(query)
    }

    fn name_root(&mut self, at: usize, query: &Query) {
        if let (Some(root), Some(Step::Name(name))) = (self.roots.get_mut(at), query.steps.first())
        {
            *root = Some(name.to_string());
        }
    }

    fn query(&mut self, segments: &[Parsed]) -> Done<Query> {
        let mut steps = Vec::new();
        let mut rest = Vec::new();
        for segment in segments {
            match self.segment(segment)? {
                Segment::One(step) if rest.is_empty() => steps.push(step),
                segment => rest.push(segment),
            }
        }
        Ok(Query { steps, rest })
    }

    fn segment(&mut self, segment: &Parsed) -> Done<Segment> {
        Ok(match segment {
            Parsed::Selector(selector) => match self.selector(selector)? {
                Selector::Step(step) => Segment::One(step),
                selector => Segment::Children(vec![selector]),
            },
            Parsed::Selectors(selectors) => Segment::Children(self.selectors(selectors)?),
            Parsed::Descendant(below) => Segment::Descendants(match below.as_ref() {
                Parsed::Selector(selector) => vec![self.selector(selector)?],
                Parsed::Selectors(selectors) => self.selectors(selectors)?,
                Parsed::Descendant(_) => return Err(UNKNOWN),
            }),
        })
    }

    fn selectors(&mut self, selectors: &[ParsedSelector]) -> Done<Vec<Selector>> {
        selectors
            .iter()
            .map(|selector| self.selector(selector))
            .collect()
    }

    fn selector(&mut self, selector: &ParsedSelector) -> Done<Selector> {
        Ok(match selector {
            ParsedSelector::Name(name) => Selector::Step(Step::Name(name.clone().into())),
            ParsedSelector::Wildcard => Selector::All,
            ParsedSelector::Index(index) => Selector::Step(Step::Index(self.index(*index)?)),
            ParsedSelector::Slice(start, end, step) => {
                let mut bound = |part: &Option<i64>| part.map(|n| self.index(n)).transpose();
                Selector::Slice(Slice {
                    start: bound(start)?,
                    end: bound(end)?,
                    step: bound(step)?.unwrap_or(1),
                })
            }
            ParsedSelector::Filter(filter) => Selector::Filter(self.filter(filter)?),
        })
    }

    /// Passes the text of an index, which must be what the parser read.
    fn index(&mut self, index: i64) -> Done<i64> {
        let number = self.numbers.next().ok_or(UNKNOWN)?;
        if number.is_replaced || number.text.parse() != Ok(index) {
            return Err(UNKNOWN);
        }
        Ok(index)
    }

    fn filter(&mut self, filter: &Filter) -> Done<Test> {
        let mut all = |filters: &[Filter]| -> Done<Vec<Test>> {
            filters.iter().map(|filter| self.filter(filter)).collect()
        };
        match filter {
            Filter::Or(filters) => all(filters).map(Test::Any),
            Filter::And(filters) => all(filters).map(Test::Every),
            Filter::Atom(FilterAtom::Filter { expr, not }) => {
                self.filter(expr).map(|test| negated(test, *not))
            }
            Filter::Atom(FilterAtom::Test { expr, not }) => {
                self.test(expr).map(|test| negated(test, *not))
            }
            Filter::Atom(FilterAtom::Comparison(comparison)) => self.comparison(comparison),
        }
    }

    fn test(&mut self, test: &ParsedTest) -> Done<Test> {
        let ParsedTest::Function(function) = test else {
            return Ok(Test::Exists(self.nodes(test, "")?));
        };
        let (arguments, extent) = match function.as_ref() {
            TestFunction::Match(text, pattern) => ((text, pattern), Extent::Whole),
            TestFunction::Search(text, pattern) => ((text, pattern), Extent::Part),
            TestFunction::Length(_) => return Err(PathFault::NotCompared { function: "length" }),
            TestFunction::Count(_) => return Err(PathFault::NotCompared { function: "count" }),
            TestFunction::Value(_) => return Err(PathFault::NotCompared { function: "value" }),
            TestFunction::Custom(name, _) => return Err(unknown_function(name)),
        };
        let function = match extent {
            Extent::Whole => "match",
            Extent::Part => "search",
        };
        let text = self.argument(arguments.0, function)?;
        let pattern = match self.argument(arguments.1, function)? {
            Term::Literal(Value::String(pattern)) => {
                let regex = compile(&pattern, extent, LITERAL_BYTES_MAX);
                Pattern::Literal(regex.map_err(|why| match why {
                    NotCompiled::Syntax => PathFault::Pattern,
                    NotCompiled::TooLarge => PathFault::PatternTooLarge,
                })?)
            }
            term => Pattern::Data(term),
        };
        Ok(Test::Matches(Box::new(Matches {
            text,
            pattern,
            extent,
        })))
    }

    fn comparison(&mut self, comparison: &Comparison) -> Done<Test> {
        let relation = match comparison {
            Comparison::Eq(..) => Relation::Equal,
            Comparison::Ne(..) => Relation::NotEqual,
            Comparison::Gt(..) => Relation::Greater,
            Comparison::Gte(..) => Relation::AtLeast,
            Comparison::Lt(..) => Relation::Less,
            Comparison::Lte(..) => Relation::AtMost,
        };
        let (left, right) = comparison.vals();
        let left = self.comparable(left)?;
        let right = self.comparable(right)?;
        Ok(Test::Compare(Box::new((left, relation, right))))
    }

    fn comparable(&mut self, comparable: &Comparable) -> Done<Term> {
        match comparable {
            Comparable::Literal(literal) => self.literal(literal),
            Comparable::Function(function) => self.function(function),
            Comparable::SingularQuery(SingularQuery::Current(steps)) => {
                Ok(Term::Query(Inner::Current(self.singular(steps)?)))
            }
            Comparable::SingularQuery(SingularQuery::Root(steps)) => {
                let at = self.roots.len();
                self.roots.push(None);
                let query = self.singular(steps)?;
                self.name_root(at, &query);
                Ok(Term::Query(Inner::Root(query)))
            }
        }
    }

    fn singular(&mut self, steps: &[SingularQuerySegment]) -> Done<Query> {
        let step = |step: &SingularQuerySegment| match step {
            SingularQuerySegment::Name(name) => Ok(Step::Name(name.clone().into())),
            SingularQuerySegment::Index(index) => self.index(*index).map(Step::Index),
        };
        Ok(Query {
            steps: steps.iter().map(step).collect::<Done<_>>()?,
            rest: Vec::new(),
        })
    }

    fn literal(&mut self, literal: &Literal) -> Done<Term> {
        Ok(Term::Literal(match literal {
            Literal::Null => Value::Null,
            Literal::Bool(truth) => Value::Bool(*truth),
            Literal::String(text) => Value::String(text.clone()),
            Literal::Int(_) | Literal::Float(_) => {
                // As it was written: the parser's own is an `f64`.
                let number = self.numbers.next().ok_or(UNKNOWN)?;
                serde_json::from_str(&number.text).map_err(|_| UNKNOWN)?
            }
        }))
    }

    /// A function that gives a value.
    fn function(&mut self, function: &TestFunction) -> Done<Term> {
        match function {
            TestFunction::Length(argument) => {
                let argument = self.argument(argument, "length")?;
                Ok(Term::Length(Box::new(argument)))
            }
            TestFunction::Count(FnArg::Test(query)) => self.nodes(query, "count").map(Term::Count),
            TestFunction::Value(FnArg::Test(query)) => self.nodes(query, "value").map(Term::Value),
            TestFunction::Count(_) => Err(PathFault::Argument { function: "count" }),
            TestFunction::Value(_) => Err(PathFault::Argument { function: "value" }),
            // The parser compares no truth values.
            TestFunction::Match(..) | TestFunction::Search(..) => Err(UNKNOWN),
            TestFunction::Custom(name, _) => Err(unknown_function(name)),
        }
    }

    /// An argument that is a value.
    fn argument(&mut self, argument: &FnArg, function: &'static str) -> Done<Term> {
        let fault = PathFault::Argument { function };
        match argument {
            FnArg::Literal(literal) => self.literal(literal),
            FnArg::Test(test) => match test.as_ref() {
                ParsedTest::Function(inner) => match inner.as_ref() {
                    TestFunction::Match(..) | TestFunction::Search(..) => Err(fault),
                    inner => self.function(inner),
                },
                query => match self.nodes(query, function)? {
                    Inner::Root(query) | Inner::Current(query) if !query.is_singular() => {
                        Err(fault)
                    }
                    query => Ok(Term::Query(query)),
                },
            },
            FnArg::Filter(_) => Err(fault),
        }
    }

    /// An argument that is a query.
    fn nodes(&mut self, query: &ParsedTest, function: &'static str) -> Done<Inner> {
        match query {
            ParsedTest::RelQuery(segments) => self.query(segments).map(Inner::Current),
            ParsedTest::AbsQuery(query) => self.absolute(&query.segments).map(Inner::Root),
            ParsedTest::Function(_) => Err(PathFault::Argument { function }),
        }
    }
}

fn negated(test: Test, not: bool) -> Test {
    if not { Test::Not(Box::new(test)) } else { test }
}

fn unknown_function(name: &str) -> PathFault {
    PathFault::UnknownFunction {
        name: name.to_owned(),
    }
}

/// The column that the parser tells, in the only way it does: ` --> 1:5`.
fn column(error: &JsonPathError) -> Option<usize> {
    let JsonPathError::PestError(error) = error else {
        return None;
    };
    let text = error.to_string();
    let (_, place) = text.lines().next()?.split_once("--> 1:")?;
    place.trim().parse().ok()
}

/// Not RFC 9535, in a way that the parser does not tell.
const UNKNOWN: PathFault = PathFault::Syntax { column: None };
/// What a pattern of a file may take when it is compiled.
const LITERAL_BYTES_MAX: usize = 256 * 1024;
