//! A fault in a file that a person wrote, and the list that collects them.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, SourceCode};

use crate::yaml::excerpt::Excerpt;
use crate::yaml::{Node, Source, Span};

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file works, and something in it is likely not meant so.
    Warning,
}

/// One fault: what is wrong, where, and what to write instead.
#[derive(Debug)]
pub struct Fault {
    message: String,
    label: String,
    help: String,
    severity: Severity,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    source: Arc<Source>,
    /// The whole of what the fault is about, which may begin below the line that is shown.
    extent: Span,
    excerpt: Excerpt,
}

impl Fault {
    /// A fault at a node of a file. One at a list or mapping stands at its key.
    pub fn at(node: &Node, message: impl Into<String>) -> Self {
        let mut fault = Self::in_source(&node.source, node.caret(), message);
        if let Some(place) = &mut fault.place {
            place.extent = node.span;
        }
        fault
    }

    /// A fault at a place of a file.
    pub fn in_source(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: "here".to_owned(),
            help: String::new(),
            severity: Severity::Error,
            place: Some(Place {
                source: Arc::clone(source),
                extent: span,
                excerpt: Excerpt::new(source, span),
            }),
        }
    }

    /// A fault that no place in a file stands for, such as a file that is missing.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: String::new(),
            help: String::new(),
            severity: Severity::Error,
            place: None,
        }
    }

    /// Hides the text at the place: what stands there may be a secret.
    #[must_use]
    pub fn concealed(mut self) -> Self {
        if let Some(place) = &mut self.place {
            place.excerpt.cover_span(&place.source, place.extent);
        }
        self
    }

    /// Puts a word at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Makes the fault a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// How bad it is.
    pub fn level(&self) -> Severity {
        self.severity
    }

    /// The help text; empty where there is none.
    pub fn help_text(&self) -> &str {
        &self.help
    }

    /// The file, line and column (both from 1) where the fault stands.
    pub fn position(&self) -> Option<(&str, usize, usize)> {
        let place = self.place.as_ref()?;
        let excerpt = &place.excerpt;
        Some((excerpt.name(), excerpt.line, excerpt.column))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        if self.help.is_empty() {
            None
        } else {
            Some(Box::new(&self.help))
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| {
            let code: &dyn SourceCode = &place.excerpt;
            code
        })
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let label = LabeledSpan::new_with_span(Some(self.label.clone()), place.excerpt.caret());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Every fault found so far, over all files.
///
/// Readers share it by reference, so that one fault never hides the next.
#[derive(Debug, Default)]
pub struct Faults {
    list: RefCell<Vec<Fault>>,
}

impl Faults {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. Past five hundred they are left out, and the last one says so.
    pub fn push(&self, fault: Fault) {
        let mut list = self.list.borrow_mut();
        match list.len() {
            0..FAULTS_MAX => list.push(fault),
            FAULTS_MAX => list.push(
                Fault::nowhere(format!("there are more than {FAULTS_MAX} faults"))
                    .help("mend the ones that are told, then check again"),
            ),
            _ => {}
        }
    }

    /// Whether any fault makes the files unusable.
    pub fn any_error(&self) -> bool {
        self.list
            .borrow()
            .iter()
            .any(|fault| fault.severity == Severity::Error)
    }

    /// All faults, in the order of file and line; those without a place come first.
    pub fn into_sorted(self) -> Vec<Fault> {
        let mut list = self.list.into_inner();
        list.sort_by(|a, b| a.position().cmp(&b.position()));
        list
    }
}

/// How many faults are told at most, so that a file of nothing but faults stays readable.
const FAULTS_MAX: usize = 500;
