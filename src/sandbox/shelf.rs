//! Bounded shelves: things under an id of which the oldest give way, so that no run of the sandbox,
//! however long, fills the memory or begins to refuse.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

/// Things under an id, in the order of their making.
pub(super) struct Shelf<T> {
    things: HashMap<String, T>,
    order: VecDeque<String>,
    kept_max: usize,
}

impl<T> Shelf<T> {
    /// An empty shelf for `kept_max` things, at least one.
    pub(super) fn new(kept_max: usize) -> Self {
        Shelf {
            things: HashMap::new(),
            order: VecDeque::new(),
            kept_max,
        }
    }

    /// Puts a thing on the shelf; what gave way for it comes back.
    pub(super) fn put(&mut self, id: String, thing: T) -> Option<T> {
        let oldest = if self.order.len() >= self.kept_max {
            self.drop_oldest()
        } else {
            None
        };
        self.order.push_back(id.clone());
        self.things.insert(id, thing);
        oldest
    }

    /// Looks a thing up.
    pub(super) fn find(&self, id: &str) -> Option<&T> {
        self.things.get(id)
    }

    /// Looks a thing up, to change it.
    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut T> {
        self.things.get_mut(id)
    }

    /// Everything, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = (&String, &T)> {
        self.order
            .iter()
            .rev()
            .filter_map(|id| Some((id, self.things.get(id)?)))
    }

    /// How many things there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    fn drop_oldest(&mut self) -> Option<T> {
        let id = self.order.pop_front()?;
        self.things.remove(&id)
    }
}

/// A row of a task, a workflow or a dialing list.
pub(super) struct Row {
    /// The number called.
    pub(super) callee: String,
    /// The identity of the call, 32 lower-case hex digits.
    pub(super) call_id: String,
    /// Whether the call was taken back.
    pub(super) cancelled: bool,
    /// The row as it came.
    pub(super) fields: Map<String, Value>,
}

/// A task, a workflow instance or a dialing list: something with a name, a state and rows.
pub(super) struct Job {
    /// Name given by the caller.
    pub(super) name: String,
    /// State, in the family's words.
    pub(super) status: &'static str,
    /// When it was made: a made-up moment that only goes forward.
    pub(super) made: String,
    /// The rest of what the caller gave.
    pub(super) fields: Map<String, Value>,
    rows: Vec<Row>,
}

impl Job {
    /// A job without rows.
    pub(super) fn new(
        name: String,
        status: &'static str,
        made: String,
        fields: Map<String, Value>,
    ) -> Self {
        Job {
            name,
            status,
            made,
            fields,
            rows: Vec::new(),
        }
    }

    /// Its rows, in the order in which they came.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Its rows, each to be changed; none can be added here, past the count of [`Jobs`].
    pub(super) fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }
}

/// Jobs, bounded in number and in the rows of all of them together.
pub(super) struct Jobs {
    shelf: Shelf<Job>,
    rows: usize,
}

impl Jobs {
    /// No jobs.
    pub(super) fn new() -> Self {
        Jobs {
            shelf: Shelf::new(JOBS_MAX),
            rows: 0,
        }
    }

    /// Keeps a job with its first rows.
    pub(super) fn put(&mut self, id: String, mut job: Job, rows: Vec<Row>) {
        self.rows = self.rows.saturating_add(rows.len());
        job.rows = rows;
        let oldest = self.shelf.put(id, job);
        self.forget(oldest);
        self.fit();
    }

    /// Adds rows to a job that is kept.
    pub(super) fn extend(&mut self, id: &str, rows: Vec<Row>) {
        if let Some(job) = self.shelf.find_mut(id) {
            self.rows = self.rows.saturating_add(rows.len());
            job.rows.extend(rows);
            self.fit();
        }
    }

    /// Looks a job up.
    pub(super) fn find(&self, id: &str) -> Option<&Job> {
        self.shelf.find(id)
    }

    /// Looks a job up, to change it.
    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Job> {
        self.shelf.find_mut(id)
    }

    /// Everything, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = (&String, &Job)> {
        self.shelf.newest()
    }

    /// How many jobs there are.
    pub(super) fn len(&self) -> usize {
        self.shelf.len()
    }

    /// How many rows all of them hold.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    fn fit(&mut self) {
        while self.rows > ROWS_MAX && self.shelf.len() > 1 {
            let oldest = self.shelf.drop_oldest();
            self.forget(oldest);
        }
    }

    fn forget(&mut self, job: Option<Job>) {
        self.rows = self
            .rows
            .saturating_sub(job.map_or(0, |job| job.rows.len()));
    }
}

const JOBS_MAX: usize = 10_000;
const ROWS_MAX: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn put(jobs: &mut Jobs, id: usize, rows: usize) {
        let row = || Row {
            callee: String::new(),
            call_id: String::new(),
            cancelled: false,
            fields: Map::new(),
        };
        let job = Job::new(String::new(), "", String::new(), Map::new());
        jobs.put(id.to_string(), job, (0..rows).map(|_| row()).collect());
    }

    #[test]
    fn the_oldest_thing_gives_way() {
        let mut shelf = Shelf::new(2);
        for id in ["a", "b", "c"] {
            shelf.put(id.to_owned(), id);
        }
        assert!(shelf.find("a").is_none());
        assert_eq!(
            shelf
                .newest()
                .map(|(id, _)| id.as_str())
                .collect::<Vec<_>>(),
            ["c", "b"]
        );
    }

    #[test]
    fn jobs_that_gave_way_no_longer_count() {
        let mut jobs = Jobs::new();
        for id in 0..10_010 {
            put(&mut jobs, id, 2);
        }
        assert_eq!((jobs.len(), jobs.rows()), (10_000, 20_000));
    }

    #[test]
    fn the_rows_of_all_jobs_have_a_limit() {
        let mut jobs = Jobs::new();
        for id in 0..25 {
            put(&mut jobs, id, 10_000);
        }
        assert_eq!((jobs.len(), jobs.rows()), (20, 200_000));
        assert!(jobs.find("4").is_none() && jobs.find("24").is_some());
    }
}
