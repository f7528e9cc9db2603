//! A first look at a query's text: what would make the parser slow, and what it would get wrong.
//!
//! Its grammar tries a function call twice, as a comparison and as a test, so that nested calls
//! take exponential time: their depth is bounded here. It takes white space in places where there
//! may be none, cuts white space off names, and knows only the numbers that `f64` has; so words
//! are held apart here, and number literals are kept as they were written.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::mapping::path::{FUNCTIONS, PathFault};

/// A query that may be given to the parser.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The text, in which numbers that are too long for the parser are replaced by `0`.
    pub(super) text: String,
    /// All numbers outside strings, in order.
    pub(super) numbers: Vec<Number>,
}

#[derive(Debug)]
pub(super) struct Number {
    /// As it was written.
    pub(super) text: String,
    pub(super) is_replaced: bool,
}

pub(super) fn scan(text: &str) -> Result<Scanned, PathFault> {
    if text.len() > BYTES_MAX {
        return Err(PathFault::TooLarge);
    }
    let mut scanner = Scanner {
        text,
        chars: text.char_indices().peekable(),
        open: Vec::new(),
        last: Last::Sign,
        out: String::with_capacity(text.len()),
        numbers: Vec::new(),
    };
    while let Some((at, c)) = scanner.chars.next() {
        scanner.token(at, c)?;
    }
    Ok(Scanned {
        text: scanner.out,
        numbers: scanner.numbers,
    })
}

struct Scanner<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    /// What is open: whether each bracket is that of a call.
    open: Vec<bool>,
    last: Last<'t>,
    out: String,
    numbers: Vec<Number>,
}

/// The token before this one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last<'t> {
    /// A name or number.
    Word(&'t str),
    /// A name that a dot stands before.
    Member,
    /// A word, and white space behind it.
    WordAndBlank,
    Dot,
    Sign,
}

impl<'t> Scanner<'t> {
    fn token(&mut self, at: usize, c: char) -> Result<(), PathFault> {
        match c {
            '\'' | '"' => self.string(at, c),
            ' ' | '\t' | '\n' | '\r' => {
                self.last = match self.last {
                    Last::Dot => return Err(syntax(self.text, at)),
                    Last::Word(_) | Last::Member | Last::WordAndBlank => Last::WordAndBlank,
                    Last::Sign => Last::Sign,
                };
                self.out.push(c);
            }
            '-' | '0'..='9' => self.number(at)?,
            c if is_name(c) => self.name(at)?,
            _ => {
                self.sign(at, c)?;
                self.out.push(c);
                self.last = if c == '.' { Last::Dot } else { Last::Sign };
            }
        }
        Ok(())
    }

    fn sign(&mut self, at: usize, c: char) -> Result<(), PathFault> {
        match (c, self.last) {
            ('(', Last::WordAndBlank) => return Err(syntax(self.text, at)),
            ('(', Last::Word(name)) if !FUNCTIONS.contains(&name) => {
                let name = name.to_owned();
                return Err(PathFault::UnknownFunction { name });
            }
            ('(' | '[', last) => {
                self.open.push(matches!((c, last), ('(', Last::Word(_))));
                let calls = self.open.iter().filter(|is_call| **is_call).count();
                if self.open.len() > NESTING_MAX || calls > CALLS_MAX {
                    return Err(PathFault::TooLarge);
                }
            }
            (')' | ']', _) => drop(self.open.pop()),
            _ => {}
        }
        Ok(())
    }

    fn string(&mut self, at: usize, quote: char) {
        let mut is_escaped = false;
        let mut end = self.text.len();
        for (at, c) in self.chars.by_ref() {
            if c == quote && !is_escaped {
                end = at + 1;
                break;
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        self.out
            .push_str(self.text.get(at..end).unwrap_or_default());
        self.last = Last::Sign;
    }

    fn name(&mut self, at: usize) -> Result<(), PathFault> {
        let name = self.take(at, |c| is_name(c) || c.is_ascii_digit());
        if name != name.trim() {
            return Err(PathFault::Blank);
        }
        self.out.push_str(name);
        self.last = match self.last {
            Last::Word(_) | Last::Member | Last::WordAndBlank => {
                return Err(syntax(self.text, at));
            }
            Last::Dot => Last::Member,
            Last::Sign => Last::Word(name),
        };
        Ok(())
    }

    fn number(&mut self, at: usize) -> Result<(), PathFault> {
        if self.last != Last::Sign {
            return Err(syntax(self.text, at));
        }
        self.take(at, |c| c.is_ascii_digit());
        if self.chars.next_if(|(_, c)| *c == '.').is_some() {
            self.take(at, |c| c.is_ascii_digit());
        }
        if self
            .chars
            .next_if(|(_, c)| matches!(c, 'e' | 'E'))
            .is_some()
        {
            self.chars.next_if(|(_, c)| matches!(c, '+' | '-'));
        }
        let number = self.take(at, |c| c.is_ascii_digit());
        let digits = number.trim_start_matches('-');
        let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
        let is_replaced = !whole.is_empty() && whole.parse().map_or(true, |n: u64| n > WHOLE_MAX);
        if is_replaced {
            // As wide, so that the parser's columns stay true.
            self.out.push('0');
            self.out.extend(std::iter::repeat_n(' ', number.len() - 1));
        } else {
            self.out.push_str(number);
        }
        self.numbers.push(Number {
            text: number.to_owned(),
            is_replaced,
        });
        self.last = Last::Word(number);
        Ok(())
    }

    /// What began at `start`, and goes on as long as its characters are of a kind.
    fn take(&mut self, start: usize, is_part: impl Fn(char) -> bool) -> &'t str {
        while self.chars.next_if(|(_, c)| is_part(*c)).is_some() {}
        let end = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        self.text.get(start..end).unwrap_or_default()
    }
}

/// A character that a name may begin with.
fn is_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn syntax(text: &str, at: usize) -> PathFault {
    let before = text.get(..at).unwrap_or_default();
    PathFault::Syntax {
        column: Some(before.chars().count() + 1),
    }
}

const BYTES_MAX: usize = 4096;
/// Brackets and parentheses.
const NESTING_MAX: usize = 32;
/// Calls of functions in arguments of functions.
const CALLS_MAX: usize = 4;
/// The largest whole part of a number that the parser takes: 2^53 - 1.
const WHOLE_MAX: u64 = 9_007_199_254_740_991;
