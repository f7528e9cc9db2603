//! A value as a route writes it: a literal, a selector, a text with places, a choice, a pipeline.

mod read;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

use super::Document;
use super::condition::Condition;
use super::function::{Moment, Pipeline};
use super::line::Line;
use super::path::{Fuel, OutOfFuel, Path};
use super::scalar::is_given;
use super::template::Template;

pub use read::OPERATORS;
pub(crate) use read::read_template;

/// What gives a value, or nothing.
#[derive(Debug, Clone)]
pub enum Expr {
    /// The value itself.
    Literal(Value),
    /// The first value that a selector selects; `null` is nothing.
    Select(Path),
    /// All that a selector selects, as a list.
    All(Path),
    /// The first of several that gives something that is not empty.
    First(Vec<Expr>),
    /// A text with places.
    Text(Template),
    /// The value of the first arm whose condition holds.
    Choose(Vec<Arm>),
    /// A value that goes through functions.
    Pipe(Box<Pipe>),
    /// An object of values; what gives nothing is left out.
    Object(Vec<(String, Expr)>),
    /// A list of values; what gives nothing is left out.
    List(Vec<Expr>),
    /// A value under a name, on a line of its own.
    Line(Arc<Line>, Box<Expr>),
}

/// One arm of a choice.
#[derive(Debug, Clone)]
pub struct Arm {
    /// When it is taken; the last one may stand without.
    pub when: Option<Condition>,
    /// What it gives.
    pub give: Expr,
}

/// A value, what is done to it, and what stands in for it.
#[derive(Debug, Clone)]
pub struct Pipe {
    /// The value.
    pub from: Expr,
    /// The functions, in their order.
    pub then: Pipeline,
    /// What stands in where nothing comes out.
    pub default: Option<Expr>,
    /// The place of a value that must be there.
    pub required: Option<String>,
}

/// Why a mapping stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Halt {
    /// The selectors looked at as much as they may.
    #[error("the document is too large for the selectors of the route")]
    OutOfFuel,
    /// What came out is too large.
    #[error("the mapping makes too large a document")]
    TooLarge,
    /// What is required is not there.
    #[error("`{0}` is required, and is not there")]
    Missing(String),
}

impl From<OutOfFuel> for Halt {
    fn from(_: OutOfFuel) -> Self {
        Self::OutOfFuel
    }
}

/// What an evaluation works with.
#[derive(Debug)]
pub struct Means<'m> {
    /// The document that selectors look at.
    pub document: &'m Document,
    /// What the clock shows.
    pub moment: &'m Moment,
}

impl Expr {
    /// What it gives.
    pub fn value(&self, means: &Means<'_>, fuel: &mut Fuel) -> Result<Option<Value>, Halt> {
        let given = match self {
            Self::Literal(value) => return Ok(Some(value.clone())),
            Self::Select(path) => path.first(means.document, fuel)?.cloned(),
            Self::All(path) => {
                let all = path.select(means.document, fuel)?;
                Some(all.into_iter().cloned().collect())
            }
            Self::First(of) => first(of, means, fuel)?,
            Self::Text(template) => template.fill(means.document, fuel)?.map(Value::String),
            Self::Choose(arms) => choose(arms, means, fuel)?,
            Self::Pipe(pipe) => pipe.value(means, fuel)?,
            Self::Object(entries) => Some(object(entries, means, fuel)?),
            Self::Line(line, expr) => {
                let given = expr.value(means, fuel)?;
                if given.is_some() {
                    line.touch();
                }
                return Ok(given);
            }
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.value(means, fuel)?);
                }
                Some(Value::Array(list))
            }
        };
        Ok(given.filter(|value| !value.is_null()))
    }

    /// What it gives, looked at where it stands, if it stands somewhere.
    pub fn look<'v>(
        &'v self,
        means: &Means<'v>,
        fuel: &mut Fuel,
    ) -> Result<Option<Cow<'v, Value>>, Halt> {
        let found = match self {
            Self::Literal(value) => Some(value),
            Self::Select(path) => path.first(means.document, fuel)?,
            other => return Ok(other.value(means, fuel)?.map(Cow::Owned)),
        };
        Ok(found.filter(|value| !value.is_null()).map(Cow::Borrowed))
    }

    /// Hands over every expression in it, itself first.
    pub fn walk<'e>(&'e self, told: &mut dyn FnMut(&'e Expr)) {
        told(self);
        match self {
            Self::Literal(_) | Self::Select(_) | Self::All(_) | Self::Text(_) => {}
            Self::First(of) | Self::List(of) => of.iter().for_each(|one| one.walk(told)),
            Self::Choose(arms) => {
                for arm in arms {
                    if let Some(when) = &arm.when {
                        when.walk(told);
                    }
                    arm.give.walk(told);
                }
            }
            Self::Pipe(pipe) => {
                pipe.from.walk(told);
                if let Some(default) = &pipe.default {
                    default.walk(told);
                }
            }
            Self::Object(entries) => entries.iter().for_each(|(_, value)| value.walk(told)),
            Self::Line(_, expr) => expr.walk(told),
        }
    }

    /// Whether it gives something that is neither empty nor `false`.
    pub fn is_given(&self, means: &Means<'_>, fuel: &mut Fuel) -> Result<bool, Halt> {
        let found = self.look(means, fuel)?;
        Ok(found.is_some_and(|value| is_given(&value)))
    }
}

impl Pipe {
    fn value(&self, means: &Means<'_>, fuel: &mut Fuel) -> Result<Option<Value>, Halt> {
        let from = self.from.look(means, fuel)?;
        let given = from.and_then(|from| self.then.apply(from, means.moment));
        match (given, &self.default, &self.required) {
            (Some(value), ..) if !value.is_null() => Ok(Some(value)),
            (_, Some(default), _) => default.value(means, fuel),
            (_, None, Some(place)) => Err(Halt::Missing(place.clone())),
            (_, None, None) => Ok(None),
        }
    }
}

fn first(of: &[Expr], means: &Means<'_>, fuel: &mut Fuel) -> Result<Option<Value>, Halt> {
    for one in of {
        let given = one.value(means, fuel)?;
        let is_empty = matches!(&given, Some(Value::String(text)) if text.trim().is_empty());
        if given.is_some() && !is_empty {
            return Ok(given);
        }
    }
    Ok(None)
}

fn choose(arms: &[Arm], means: &Means<'_>, fuel: &mut Fuel) -> Result<Option<Value>, Halt> {
    for arm in arms {
        let holds = match &arm.when {
            None => true,
            Some(when) => when.holds(means, fuel)?,
        };
        if holds {
            return arm.give.value(means, fuel);
        }
    }
    Ok(None)
}

fn object(entries: &[(String, Expr)], means: &Means<'_>, fuel: &mut Fuel) -> Result<Value, Halt> {
    let mut object = Map::with_capacity(entries.len());
    for (name, expr) in entries {
        if let Some(value) = expr.value(means, fuel)? {
            object.insert(name.clone(), value);
        }
    }
    Ok(Value::Object(object))
}
