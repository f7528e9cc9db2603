//! What a push of a route costs at most, as far as its file tells.

mod output;

use std::fmt;

pub use output::Output;

use super::{Action, Flow, Step};
use crate::mapping::expr::Expr;
use crate::mapping::path::{PUSH_NODES_MAX, Path};

/// A bound of what one push costs: its selectors visit no more than `steps` values, and `scans`
/// times those of the body. A step with `over`, or under `offer_to`, looks again for each chunk or
/// candidate, which is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Values that selectors visit, whatever is pushed.
    pub steps: u64,
    /// How often selectors look through a whole document.
    pub scans: u64,
    /// What functions do, in passes over their input.
    pub passes: u64,
    /// The same, for each item, where a push has several.
    pub per_item: Option<Share>,
    /// Calls that are made, where none is tried again.
    pub calls: u64,
    /// Calls for each item.
    pub calls_per_item: u64,
    /// Calls for each chunk of rows.
    pub calls_per_chunk: u64,
    /// What all calls of a push carry.
    pub output: Output,
    /// What each item adds to that.
    pub output_per_item: Output,
}

/// What the mapping of one thing costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Values that selectors visit.
    pub steps: u64,
    /// Looks through the whole.
    pub scans: u64,
    /// Passes of functions.
    pub passes: u64,
}

impl Cost {
    /// How many values selectors visit at most in a document of so many values, with so many
    /// items; past the budget of a push nothing is visited.
    pub fn visits(&self, nodes: u64, items: u64) -> u64 {
        let visited = |steps: u64, scans: u64| steps.saturating_add(scans.saturating_mul(nodes));
        let of_item = self.per_item.unwrap_or_default();
        let of_items = visited(of_item.steps, of_item.scans).saturating_mul(items);
        visited(self.steps, self.scans)
            .saturating_add(of_items)
            .min(PUSH_NODES_MAX)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Share {
            steps: self.steps,
            scans: self.scans,
            passes: self.passes,
        };
        write!(f, "{whole}")?;
        if let Some(share) = &self.per_item {
            write!(f, "; for each item {share}")?;
        }
        write!(f, "; calls: {}", self.calls)?;
        if self.calls_per_item > 0 {
            write!(f, ", and {} for each item", self.calls_per_item)?;
        }
        if self.calls_per_chunk > 0 {
            write!(f, ", and {} for each chunk", self.calls_per_chunk)?;
        }
        write!(f, "; they carry {}", self.output)?;
        if self.per_item.is_some() {
            write!(f, ", and for each item {}", self.output_per_item)?;
        }
        Ok(())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.steps)?;
        match self.scans {
            0 => {}
            u64::MAX => write!(f, " and as many of the body as the budget allows")?,
            1 => write!(f, " and those of the body once")?,
            scans => write!(f, " and those of the body {scans} times")?,
        }
        write!(f, ", {} passes of functions", self.passes)
    }
}

impl Flow {
    /// What a push costs at most.
    pub fn cost(&self) -> Cost {
        let (mut whole, mut of_items) = (Share::default(), Share::default());
        self.walk_own(&mut |expr| whole.add(expr));
        self.walk_items(&mut |expr| of_items.add(expr));
        whole.add_steps(&self.steps);
        if let Some(items) = &self.items {
            whole.look(&items.each);
            of_items.add_steps(&items.steps);
        }
        let steps = self.items.iter().flat_map(|items| &items.steps);
        let of_item = calls(steps);
        let own = calls(&self.steps);
        let (output, output_per_item) = Output::of(self);
        Cost {
            steps: whole.steps,
            scans: whole.scans,
            passes: whole.passes,
            per_item: self.items.is_some().then_some(of_items),
            calls: own.once,
            calls_per_item: of_item.once.saturating_add(of_item.per_chunk),
            calls_per_chunk: own.per_chunk,
            output,
            output_per_item,
        }
    }
}

impl Share {
    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::Select(path) | Expr::All(path) => self.look(path),
            Expr::Text(template) => template.paths().for_each(|path| self.look(path)),
            Expr::Pipe(pipe) => self.passes = self.passes.saturating_add(pipe.then.cost()),
            _ => {}
        }
    }

    /// Adds what steps look at that is no expression: URLs, and what is asked of a call with no
    /// known end.
    fn add_steps(&mut self, steps: &[Step]) {
        let mut all = Vec::new();
        for step in steps {
            step.collect(&mut all);
        }
        let asked: Vec<&Step> = all
            .iter()
            .filter_map(|step| step.reconcile.as_deref())
            .inspect(|reconcile| reconcile.done.walk(&mut |expr| self.add(expr)))
            .map(|reconcile| &reconcile.step)
            .collect();
        for step in &asked {
            step.walk(&mut |expr| self.add(expr));
        }
        for step in all.into_iter().chain(asked) {
            if let Action::Send(send) = &step.action {
                send.url.paths().for_each(|path| self.look(path));
            }
        }
    }

    fn look(&mut self, path: &Path) {
        let steps = u64::try_from(path.steps().len()).unwrap_or(u64::MAX);
        self.steps = self.steps.saturating_add(steps);
        self.scans = self.scans.saturating_add(path.scans());
    }
}

#[derive(Default)]
struct Calls {
    once: u64,
    per_chunk: u64,
}

fn calls<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Calls {
    let mut all = Calls::default();
    for step in steps {
        let asked = u64::from(step.reconcile.is_some());
        match &step.action {
            Action::Call { .. } | Action::Send(_) if step.over.is_some() => {
                all.per_chunk = all.per_chunk.saturating_add(1 + asked);
            }
            Action::Call { .. } | Action::Send(_) => all.once = all.once.saturating_add(1 + asked),
            Action::Together(steps) => all.take(&calls(steps), 1),
            Action::OfferTo { steps, max, .. } => {
                all.take(&calls(steps), u64::try_from(*max).unwrap_or(u64::MAX));
            }
        }
    }
    all
}

impl Calls {
    fn take(&mut self, inner: &Self, times: u64) {
        self.once = self.once.saturating_add(inner.once.saturating_mul(times));
        self.per_chunk = self
            .per_chunk
            .saturating_add(inner.per_chunk.saturating_mul(times));
    }
}
