//! All that the stand-in platform remembers, in bounded memory, the same for the same seed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::sandbox::Options;
use crate::sandbox::shelf::{Jobs, Row};

/// The products that log in by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// `/service/cloud/auth`: the cloud and SMS families.
    Cloud,
    /// The predictive dialer's own login.
    Dialer,
    /// `POST /login`, the stand-in for a login of one's own; its token opens every family.
    Generic,
}

struct Token {
    product: Product,
    text: String,
    until: Instant,
}

/// The memory of the platform.
pub(super) struct State {
    seed: u64,
    random: fastrand::Rng,
    moments: u64,
    app_key: String,
    app_secret: String,
    token_life: Duration,
    tokens: Vec<Token>,
    logins: u64,
    /// Calling tasks by `TaskID`.
    pub(super) tasks: Jobs,
    /// Workflow instances by `workflow_id`.
    pub(super) workflows: Jobs,
    /// Tasks of the predictive dialer by `taskId`.
    pub(super) dials: Jobs,
    /// Short messages taken.
    pub(super) messages: u64,
    /// Bytes that were uploaded.
    pub(super) uploaded_bytes: u64,
    /// What made-up recordings consist of.
    pub(super) noise: Bytes,
    /// Rows that were taken since somebody asked: each will have been called.
    called: Vec<Called>,
}

/// A row of a workflow that was called.
pub(super) struct Called {
    /// The workflow.
    pub(super) workflow_id: String,
    /// Which of its rows, from 0.
    pub(super) row: usize,
}

impl State {
    /// The memory of a platform that was just opened.
    pub(super) fn new(options: &Options) -> Self {
        let mut random = fastrand::Rng::with_seed(options.seed);
        let mut noise = vec![0; NOISE_BYTES];
        random.fill(&mut noise);
        noise.splice(..ZIP_MAGIC.len(), ZIP_MAGIC);
        State {
            seed: options.seed,
            random,
            moments: 0,
            app_key: options.app_key.clone(),
            app_secret: options.app_secret.clone(),
            token_life: options.token_life,
            tokens: Vec::new(),
            logins: 0,
            tasks: Jobs::new(),
            workflows: Jobs::new(),
            dials: Jobs::new(),
            messages: 0,
            uploaded_bytes: 0,
            noise: Bytes::from(noise),
            called: Vec::new(),
        }
    }

    /// Whether these are the credentials of the one account there is.
    pub(super) fn knows(&self, key: Option<&str>, secret: Option<&str>) -> bool {
        key == Some(self.app_key.as_str()) && secret == Some(self.app_secret.as_str())
    }

    /// Logs in: the living token with its life begun anew, else a new one, else the `chosen` one.
    pub(super) fn login(&mut self, product: Product, chosen: Option<&str>) -> (String, Duration) {
        self.logins = self.logins.saturating_add(1);
        let life = match product {
            Product::Generic => self.token_life.min(GENERIC_LIFE),
            Product::Cloud | Product::Dialer => self.token_life,
        };
        let now = Instant::now();
        // The documentation promises one token per account, and that asking again keeps it alive.
        let living = self
            .tokens
            .iter()
            .find(|token| token.product == product && token.until > now);
        let text = match (chosen, living) {
            (Some(chosen), _) => chosen.to_owned(),
            (None, Some(token)) if !token.text.is_empty() => token.text.clone(),
            (None, _) => self.token_text(),
        };
        self.tokens.retain(|token| token.product != product);
        self.tokens.push(Token {
            product,
            text: text.clone(),
            until: now + life,
        });
        (text, life)
    }

    /// Whether `text` is a living token of one of `products`.
    pub(super) fn admits(&self, text: &str, products: &[Product]) -> bool {
        let now = Instant::now();
        !text.is_empty()
            && self.tokens.iter().any(|token| {
                token.text == text && token.until > now && products.contains(&token.product)
            })
    }

    /// Voids every token.
    pub(super) fn revoke(&mut self) {
        self.tokens.clear();
    }

    /// Logins that were granted.
    pub(super) fn logins(&self) -> u64 {
        self.logins
    }

    /// A fresh id of `words` times 16 lower-case hex digits.
    pub(super) fn hex(&mut self, words: usize) -> String {
        let digits = (0..words.saturating_mul(16))
            .filter_map(|_| char::from_digit(self.random.u32(..16), 16));
        digits.collect()
    }

    /// A made-up moment, later than every one before, and the same for the same seed.
    pub(super) fn moment(&mut self) -> String {
        self.moments = self.moments.saturating_add(1);
        let (minutes, second) = (self.moments / 60, self.moments % 60);
        let (hours, minute) = (minutes / 60, minutes % 60);
        let (day, hour) = (hours / 24 % 28 + 1, hours % 24);
        format!("2026-01-{day:02} {hour:02}:{minute:02}:{second:02}+08:00")
    }

    /// The last made-up moment in Unix seconds.
    pub(super) fn seconds(&self) -> u64 {
        YEAR_2026.saturating_add(self.moments)
    }

    /// A row with a fresh call id.
    pub(super) fn row(&mut self, callee: &str, fields: Map<String, Value>) -> Row {
        Row {
            callee: callee.to_owned(),
            call_id: self.hex(2),
            cancelled: false,
            fields,
        }
    }

    /// Notes that rows of a workflow will be called.
    pub(super) fn call(&mut self, workflow_id: &str, rows: std::ops::Range<usize>) {
        let room = CALLED_MAX.saturating_sub(self.called.len());
        self.called.extend(rows.take(room).map(|row| Called {
            workflow_id: workflow_id.to_owned(),
            row,
        }));
    }

    /// The rows that were called since the last time.
    pub(super) fn called(&mut self) -> Vec<Called> {
        std::mem::take(&mut self.called)
    }

    /// Counts for the operator.
    pub(super) fn summary(&self) -> Value {
        let now = Instant::now();
        json!({
            "seed": self.seed,
            "logins": self.logins,
            "tokens": self.tokens.iter().filter(|token| token.until > now).count(),
            "tasks": self.tasks.len(),
            "workflows": self.workflows.len(),
            "workflow_rows": self.workflows.rows(),
            "dialer_tasks": self.dials.len(),
            "messages": self.messages,
            "uploaded_bytes": self.uploaded_bytes,
        })
    }

    fn token_text(&mut self) -> String {
        // Real tokens hold both signs that trip a naive URL builder; so does every one of these.
        let mut text: String = (0..TOKEN_LETTERS)
            .filter_map(|_| self.random.choice(BASE64).copied().map(char::from))
            .collect();
        text.push_str("+/Ab==");
        text
    }
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const TOKEN_LETTERS: usize = 40;
const CALLED_MAX: usize = 1_000;
const GENERIC_LIFE: Duration = Duration::from_hours(1);
/// 2026-01-01 00:00:00 +08:00.
const YEAR_2026: u64 = 1_767_196_800;
const NOISE_BYTES: usize = 64 * 1024;
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::new(&Options::local("127.0.0.1:0".parse().unwrap()))
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut one, mut two) = (state(), state());
        assert_eq!(one.hex(2), two.hex(2));
        assert_eq!(
            one.login(Product::Cloud, None),
            two.login(Product::Cloud, None)
        );
        assert_eq!(one.hex(2).len(), 32);
    }

    #[tokio::test(start_paused = true)]
    async fn asking_again_keeps_the_token_and_restarts_its_life() {
        let mut state = state();
        let (token, _) = state.login(Product::Cloud, None);
        tokio::time::advance(Duration::from_secs(24 * 3600 - 1)).await;
        assert_eq!(state.login(Product::Cloud, None).0, token);
        tokio::time::advance(Duration::from_secs(24 * 3600 - 1)).await;
        assert!(state.admits(&token, &[Product::Cloud]));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!state.admits(&token, &[Product::Cloud]));
        assert_ne!(state.login(Product::Cloud, None).0, token);
    }

    #[test]
    fn a_revoked_token_is_replaced() {
        let mut state = state();
        let (token, _) = state.login(Product::Cloud, None);
        state.revoke();
        assert!(!state.admits(&token, &[Product::Cloud]));
        assert_ne!(state.login(Product::Cloud, None).0, token);
        assert_eq!(state.logins(), 2);
    }

    #[test]
    fn the_token_of_one_product_does_not_open_another() {
        let mut state = state();
        let (token, _) = state.login(Product::Dialer, None);
        assert!(!state.admits(&token, &[Product::Cloud, Product::Generic]));
    }

    #[test]
    fn an_empty_token_opens_nothing_and_is_not_handed_out_again() {
        let mut state = state();
        assert_eq!(state.login(Product::Cloud, Some("")).0, "");
        assert!(!state.admits("", &[Product::Cloud]));
        assert_ne!(state.login(Product::Cloud, None).0, "");
    }

    #[test]
    fn a_token_has_the_letters_that_trip_url_builders() {
        let (token, _) = state().login(Product::Cloud, None);
        assert!(token.contains('+') && token.contains('/') && token.is_ascii());
    }
}
