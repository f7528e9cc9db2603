//! The head of an HTTP/1 request: where it ends, and whether it is beyond doubt.

use std::net::Ipv6Addr;

use memchr::{memchr, memchr2};

use super::{BodyFraming, FramingFault, HeadLimits, REFUSED_METHOD, is_control, is_token};

/// Judges one whole head, up to and including the empty line that ends it.
///
/// One empty line before the request line is let pass (RFC 9112, section 2.2). Nothing is
/// allocated.
///
/// # Errors
///
/// The first [`FramingFault`] found, read from the front; what needs the whole head (a missing
/// `Host`, length beside encoding) is judged last.
pub fn check_head(head: &[u8], limits: HeadLimits) -> Result<BodyFraming, FramingFault> {
    let mut lines = Lines {
        rest: head.strip_prefix(b"\r\n").unwrap_or(head),
    };
    let request = RequestLine::parse(lines.next_line()?, limits)?;
    if head.len() > limits.head_bytes_max {
        return Err(FramingFault::HeadTooLong);
    }
    let mut fields = Fields::default();
    loop {
        let line = lines.next_line()?;
        if line.is_empty() {
            break;
        }
        fields.note(line, limits)?;
    }
    if !lines.rest.is_empty() {
        return Err(FramingFault::Incomplete);
    }
    fields.judge(&request)
}

/// Finds the end of a head in reads of any size, and what is wrong with its line ends.
///
/// It refuses at once what could never become a head, so that nobody waits for an empty line
/// that will not come. The verdict does not depend on how the bytes are split.
#[derive(Debug, Clone)]
pub struct HeadScanner {
    seen: usize,
    line_bytes: usize,
    /// The last byte was a carriage return.
    returned: bool,
    /// An empty line came before the request line.
    skipped: bool,
    /// The request line has ended.
    begun: bool,
}

impl HeadScanner {
    /// A scanner that expects the first byte of a head.
    #[expect(
        clippy::new_without_default,
        reason = "a default says nothing about a position"
    )]
    pub fn new() -> Self {
        Self {
            seen: 0,
            line_bytes: 0,
            returned: false,
            skipped: false,
            begun: false,
        }
    }

    /// How many bytes of this head were taken so far.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Takes the next bytes; gives the length of the whole head once its end is among them.
    ///
    /// # Errors
    ///
    /// A [`FramingFault`] when no continuation could make these bytes a head, or when the head
    /// is longer than the limit.
    pub fn scan(
        &mut self,
        bytes: &[u8],
        limits: HeadLimits,
    ) -> Result<Option<usize>, FramingFault> {
        // Bytes beyond the limit are not looked at: how a head was split must not change why it
        // is refused.
        let allowed = limits.head_bytes_max.saturating_sub(self.seen);
        let mut rest = bytes.get(..allowed).unwrap_or(bytes);
        while let Some((&first, after)) = rest.split_first() {
            if self.returned {
                if first != b'\n' {
                    return Err(FramingFault::BareCarriageReturn);
                }
                self.seen = self.seen.saturating_add(1);
                rest = after;
                if self.end_line()? {
                    return Ok(Some(self.seen));
                }
                continue;
            }
            self.first_byte(first)?;
            let text = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            self.seen = self.seen.saturating_add(text);
            self.line_bytes = self.line_bytes.saturating_add(text);
            rest = rest.get(text..).unwrap_or_default();
            match rest.split_first() {
                Some((b'\n', _)) => return Err(FramingFault::BareLineFeed),
                Some((_, after)) => {
                    self.returned = true;
                    self.seen = self.seen.saturating_add(1);
                    rest = after;
                }
                None => {}
            }
        }
        match (bytes.len() > allowed, self.begun) {
            (false, _) => Ok(None),
            (true, true) => Err(FramingFault::HeadTooLong),
            (true, false) => Err(FramingFault::TargetTooLong),
        }
    }

    /// Refuses what cannot start a request line, such as the first byte of a TLS handshake.
    fn first_byte(&self, byte: u8) -> Result<(), FramingFault> {
        match byte {
            _ if self.begun || self.line_bytes > 0 => Ok(()),
            b'\r' | b'\n' => Ok(()),
            b' ' => Err(FramingFault::RequestLine),
            _ if is_token(byte) => Ok(()),
            _ => Err(FramingFault::Method),
        }
    }

    /// Notes the end of a line, and whether it was the empty one that ends the head.
    fn end_line(&mut self) -> Result<bool, FramingFault> {
        self.returned = false;
        let empty = self.line_bytes == 0;
        self.line_bytes = 0;
        match (empty, self.begun) {
            (true, true) => return Ok(true),
            (true, false) if self.skipped => return Err(FramingFault::RequestLine),
            (true, false) => self.skipped = true,
            (false, _) => self.begun = true,
        }
        Ok(false)
    }
}

/// The lines of a head, each ended by CR LF and holding neither elsewhere.
struct Lines<'head> {
    rest: &'head [u8],
}

impl<'head> Lines<'head> {
    fn next_line(&mut self) -> Result<&'head [u8], FramingFault> {
        let end = memchr2(b'\r', b'\n', self.rest).ok_or(FramingFault::Incomplete)?;
        let (line, ending) = self
            .rest
            .split_at_checked(end)
            .ok_or(FramingFault::Incomplete)?;
        match ending {
            [b'\r', b'\n', rest @ ..] => {
                self.rest = rest;
                Ok(line)
            }
            [b'\n', ..] => Err(FramingFault::BareLineFeed),
            [_] => Err(FramingFault::Incomplete),
            _ => Err(FramingFault::BareCarriageReturn),
        }
    }
}

/// What later judgement needs of the request line.
struct RequestLine<'head> {
    /// HTTP/1.0 rather than HTTP/1.1.
    old: bool,
    /// The authority of an absolute-form target, and the default port of its scheme.
    authority: Option<(Authority<'head>, u16)>,
}

impl<'head> RequestLine<'head> {
    fn parse(line: &'head [u8], limits: HeadLimits) -> Result<Self, FramingFault> {
        let (method, rest) = split_once(line, b' ').ok_or(FramingFault::RequestLine)?;
        if method.is_empty() {
            return Err(FramingFault::RequestLine);
        }
        if !method.iter().copied().all(is_token) {
            return Err(FramingFault::Method);
        }
        let (target, version) = split_once(rest, b' ').ok_or(FramingFault::RequestLine)?;
        if target.is_empty() || memchr(b' ', version).is_some() {
            return Err(FramingFault::RequestLine);
        }
        let old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(FramingFault::Version),
        };
        if method == REFUSED_METHOD.as_bytes() {
            return Err(FramingFault::ReservedMethod);
        }
        if method == b"CONNECT" {
            return Err(FramingFault::Connect);
        }
        if target.len() > limits.target_bytes_max {
            return Err(FramingFault::TargetTooLong);
        }
        Ok(Self {
            old,
            authority: check_target(method, target)?,
        })
    }
}

/// Checks form and characters of a target; gives the authority of an absolute one.
fn check_target<'head>(
    method: &[u8],
    target: &'head [u8],
) -> Result<Option<(Authority<'head>, u16)>, FramingFault> {
    match target {
        [b'/', ..] => {
            check_path(target)?;
            Ok(None)
        }
        b"*" if method == b"OPTIONS" => Ok(None),
        _ => {
            let (rest, port) = strip_scheme(target).ok_or(FramingFault::TargetForm)?;
            let end = rest
                .iter()
                .position(|byte| b"/?".contains(byte))
                .unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).ok_or(FramingFault::Target)?;
            check_path(path)?;
            Ok(Some((Authority::parse(authority)?, port)))
        }
    }
}

/// What follows `http://` or `https://`, and the default port of that scheme.
fn strip_scheme(target: &[u8]) -> Option<(&[u8], u16)> {
    [(b"http://".as_slice(), 80), (b"https://".as_slice(), 443)]
        .into_iter()
        .find_map(|(scheme, port)| {
            let (start, rest) = target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some((rest, port))
        })
}

/// Path and query in the characters of RFC 3986, with brackets let pass in the query.
fn check_path(path: &[u8]) -> Result<(), FramingFault> {
    let mut in_query = false;
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'?' => {
                in_query = true;
                true
            }
            b'[' | b']' => in_query,
            // A stray percent sign is decoded in as many ways as there are decoders.
            b'%' => [bytes.next(), bytes.next()]
                .into_iter()
                .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte),
        };
        if !allowed {
            return Err(FramingFault::Target);
        }
    }
    Ok(())
}

/// A host with an optional port, as `Host` and the absolute form carry it.
#[derive(Debug, Clone, Copy)]
struct Authority<'head> {
    host: &'head [u8],
    port: Option<u16>,
}

impl<'head> Authority<'head> {
    /// Names are letters, digits and `-._~`: no user, no escapes, no lists.
    fn parse(text: &'head [u8]) -> Result<Self, FramingFault> {
        let (host, port) = if text.first() == Some(&b'[') {
            let end = memchr(b']', text).ok_or(FramingFault::Host)?;
            let inner = text.get(1..end).unwrap_or_default();
            let address = str::from_utf8(inner).map_err(|_| FramingFault::Host)?;
            address
                .parse::<Ipv6Addr>()
                .map_err(|_| FramingFault::Host)?;
            (inner, text.get(end.saturating_add(1)..).unwrap_or_default())
        } else {
            let end = memchr(b':', text).unwrap_or(text.len());
            let (host, port) = text.split_at_checked(end).ok_or(FramingFault::Host)?;
            let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
            if host.is_empty() || !host.iter().all(named) {
                return Err(FramingFault::Host);
            }
            (host, port)
        };
        let port = match port {
            [] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return Err(FramingFault::Host),
        };
        Ok(Self { host, port })
    }

    /// Whether both name the same place, given the port that goes without saying.
    fn is_same(self, other: Self, default_port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

fn parse_port(digits: &[u8]) -> Result<u16, FramingFault> {
    parse_digits(digits, PORT_DIGITS_MAX)
        .and_then(|port| u16::try_from(port).ok())
        .ok_or(FramingFault::Host)
}

/// What the header lines say about framing and destination.
#[derive(Default)]
struct Fields<'head> {
    count: usize,
    host: Option<Authority<'head>>,
    length: Option<u64>,
    chunked: bool,
}

impl<'head> Fields<'head> {
    fn note(&mut self, line: &'head [u8], limits: HeadLimits) -> Result<(), FramingFault> {
        self.count = self.count.saturating_add(1);
        if self.count > limits.headers_max {
            return Err(FramingFault::TooManyHeaders);
        }
        if let [b' ' | b'\t', ..] = line {
            return Err(FramingFault::FoldedHeader);
        }
        let (name, value) = split_once(line, b':').ok_or(FramingFault::NoColon)?;
        if let [.., b' ' | b'\t'] = name {
            return Err(FramingFault::SpaceBeforeColon);
        }
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(FramingFault::HeaderName);
        }
        // A fold without an early way out, so that it is done many bytes at a time.
        if value
            .iter()
            .fold(false, |bad, &byte| bad | is_control(byte))
        {
            return Err(FramingFault::HeaderValue);
        }
        let value = trim(value);
        if name.eq_ignore_ascii_case(b"host") {
            let host = Authority::parse(value)?;
            if self.host.replace(host).is_some() {
                return Err(FramingFault::DuplicateHost);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = parse_digits(value, LENGTH_DIGITS_MAX).ok_or(FramingFault::Length)?;
            if self.length.replace(length).is_some() {
                return Err(FramingFault::DuplicateLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(FramingFault::Encoding);
            }
            if std::mem::replace(&mut self.chunked, true) {
                return Err(FramingFault::DuplicateEncoding);
            }
        }
        Ok(())
    }

    fn judge(&self, request: &RequestLine<'_>) -> Result<BodyFraming, FramingFault> {
        if self.host.is_none() && !request.old {
            return Err(FramingFault::MissingHost);
        }
        if let (Some(host), Some((authority, default_port))) = (self.host, request.authority)
            && !authority.is_same(host, default_port)
        {
            return Err(FramingFault::HostMismatch);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(FramingFault::LengthAndEncoding),
            (None, true) if request.old => Err(FramingFault::EncodingInOldVersion),
            (None, true) => Ok(BodyFraming::Chunked),
            (Some(length), false) => Ok(BodyFraming::Length(length)),
            (None, false) => Ok(BodyFraming::None),
        }
    }
}

/// The bytes before and after the first separator.
fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(memchr(separator, bytes)?)?;
    Some((before, after.get(1..)?))
}

/// Without the optional whitespace around (RFC 9110, section 5.6.3): spaces and tabs, no more.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A number in one to so many digits, and nothing but digits.
fn parse_digits(text: &[u8], digits_max: usize) -> Option<u64> {
    if text.is_empty() || text.len() > digits_max {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// As many digits as always fit a signed 64-bit number.
const LENGTH_DIGITS_MAX: usize = 18;
/// Digits of a port.
const PORT_DIGITS_MAX: usize = 5;
