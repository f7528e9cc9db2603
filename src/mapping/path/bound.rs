//! How many values a query visits at most, told without a document.

use super::plan::{Inner, Pattern, Query, Segment, Selector, Term, Test};

impl Query {
    /// How often it looks through a whole document, at most; [`u64::MAX`] where that grows with
    /// the document, so that only the budget bounds it. Texts that are compared are not counted.
    pub(super) fn scans(&self) -> u64 {
        let mut seen = Seen {
            scans: 0,
            times: 1,
            is_deep: false,
        };
        for segment in &self.rest {
            match segment {
                Segment::One(_) => seen.scans = seen.scans.saturating_add(seen.times),
                Segment::Children(selectors) => seen.look(selectors),
                Segment::Descendants(selectors) => {
                    // Each value below each value.
                    if seen.is_deep {
                        return u64::MAX;
                    }
                    seen.is_deep = true;
                    seen.look(selectors);
                }
            }
        }
        seen.scans
    }
}

struct Seen {
    scans: u64,
    /// How often one value may be reached.
    times: u64,
    is_deep: bool,
}

impl Seen {
    fn look(&mut self, selectors: &[Selector]) {
        let own: u64 = selectors.iter().fold(1, |sum, selector| {
            sum.saturating_add(match selector {
                Selector::Filter(test) => 1_u64.saturating_add(self.test(test)),
                Selector::Step(_) | Selector::All | Selector::Slice(_) => 1,
            })
        });
        self.scans = self.scans.saturating_add(self.times.saturating_mul(own));
        let several = u64::try_from(selectors.len()).unwrap_or(u64::MAX);
        self.times = self.times.saturating_mul(several);
    }

    fn test(&self, test: &Test) -> u64 {
        match test {
            Test::Any(of) | Test::Every(of) => of
                .iter()
                .fold(0, |sum, test| sum.saturating_add(self.test(test))),
            Test::Not(test) => self.test(test),
            Test::Exists(inner) => self.inner(inner),
            Test::Compare(compared) => self
                .term(&compared.0)
                .saturating_add(self.term(&compared.2)),
            Test::Matches(matches) => match &matches.pattern {
                Pattern::Literal(_) => self.term(&matches.text),
                Pattern::Data(_) => u64::MAX,
            },
        }
    }

    fn term(&self, term: &Term) -> u64 {
        match term {
            Term::Literal(_) => 0,
            Term::Query(inner) | Term::Count(inner) | Term::Value(inner) => self.inner(inner),
            Term::Length(term) => self.term(term),
        }
    }

    /// A query that is asked for each value that is looked at.
    fn inner(&self, inner: &Inner) -> u64 {
        let (Inner::Root(query) | Inner::Current(query)) = inner;
        let steps = u64::try_from(query.steps.len()).unwrap_or(u64::MAX);
        match inner {
            _ if query.is_singular() => steps,
            // The values below different values are different ones, unless these lie below
            // each other.
            Inner::Current(_) if !self.is_deep => steps.saturating_add(query.scans()),
            Inner::Current(_) | Inner::Root(_) => u64::MAX,
        }
    }
}
