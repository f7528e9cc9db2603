//! The end of a chunked body, found while its bytes go by (RFC 9112, section 7.1).
//!
//! No byte is kept: the scanner holds a position in the grammar and a few counts.

use super::{FramingFault, is_control, is_token};

/// Bytes of a line with a chunk size and its extensions, without the line end.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Bytes of all trailer lines together, line ends included.
pub const TRAILER_BYTES_MAX: usize = 4096;
/// Trailer lines after the last chunk.
pub const TRAILERS_MAX: usize = 32;

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Every byte given belongs to the body, and more must follow.
    More,
    /// The body has ended.
    Done,
}

/// What [`ChunkScanner::scan`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Scanned {
    /// How many of the bytes given belong to the body and are well formed.
    pub taken: usize,
    /// Whether the body goes on, has ended, or is broken at the byte after those taken.
    pub outcome: Result<Progress, FramingFault>,
}

/// Follows one chunked body through reads of any size.
///
/// The verdict does not depend on how the bytes are split. After a fault the scanner stays where
/// it was and must not be asked again.
#[derive(Debug, Clone)]
pub struct ChunkScanner {
    place: Place,
    /// The size of the chunk whose line is being read, or was read last.
    size: u64,
    /// Digits of that size so far.
    digits: u32,
    /// Bytes of the size line so far.
    line_bytes: usize,
    trailer_bytes: usize,
    trailers: usize,
}

/// Where in the grammar the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    Extension,
    SizeLineFeed,
    Data(u64),
    DataReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

impl ChunkScanner {
    /// A scanner that expects the size line of the first chunk.
    #[expect(
        clippy::new_without_default,
        reason = "a default says nothing about a position"
    )]
    pub fn new() -> Self {
        Self {
            place: Place::Size,
            size: 0,
            digits: 0,
            line_bytes: 0,
            trailer_bytes: 0,
            trailers: 0,
        }
    }

    /// Takes the next bytes of the connection, up to the end of the body.
    pub fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut rest = bytes;
        let outcome = loop {
            if self.place == Place::Done {
                break Ok(Progress::Done);
            }
            // Data is only counted: a large chunk must not be walked byte by byte.
            if let Place::Data(left) = self.place {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                rest = rest.get(here..).unwrap_or_default();
                let left = left.saturating_sub(u64::try_from(here).unwrap_or(left));
                self.place = if left == 0 {
                    Place::DataReturn
                } else {
                    Place::Data(left)
                };
            }
            let Some((&byte, after)) = rest.split_first() else {
                break Ok(Progress::More);
            };
            match self.step(byte) {
                Ok(place) => self.place = place,
                Err(fault) => break Err(fault),
            }
            rest = after;
        };
        Scanned {
            taken: bytes.len().saturating_sub(rest.len()),
            outcome,
        }
    }

    /// Where the byte after this one belongs.
    fn step(&mut self, byte: u8) -> Result<Place, FramingFault> {
        match self.place {
            Place::Size => self.size_byte(byte),
            Place::Extension => self.extension_byte(byte),
            Place::SizeLineFeed | Place::TrailerLineFeed | Place::LastLineFeed if byte != b'\n' => {
                Err(FramingFault::BareCarriageReturn)
            }
            Place::SizeLineFeed => Ok(self.after_size_line()),
            Place::DataReturn if byte == b'\r' => Ok(Place::DataLineFeed),
            Place::DataLineFeed if byte == b'\n' => Ok(Place::Size),
            Place::DataReturn | Place::DataLineFeed => Err(FramingFault::ChunkEnd),
            Place::TrailerStart
            | Place::TrailerName
            | Place::TrailerValue
            | Place::TrailerLineFeed => self.trailer_byte(byte),
            Place::LastLineFeed => Ok(Place::Done),
            // `scan` deals with these two before it asks for a step.
            Place::Data(_) | Place::Done => Ok(self.place),
        }
    }

    fn size_byte(&mut self, byte: u8) -> Result<Place, FramingFault> {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return match byte {
                b'\n' => Err(FramingFault::BareLineFeed),
                b'\r' if self.digits > 0 => Ok(Place::SizeLineFeed),
                b';' if self.digits > 0 => {
                    self.line_bytes = self.line_bytes.saturating_add(1);
                    Ok(Place::Extension)
                }
                _ => Err(FramingFault::ChunkSize),
            };
        };
        self.digits = self.digits.saturating_add(1);
        self.line_bytes = self.line_bytes.saturating_add(1);
        // Whoever counts in signed numbers must agree with us, so the top bit stays clear.
        let size = self
            .size
            .checked_mul(16)
            .and_then(|size| size.checked_add(u64::from(digit)));
        match size {
            Some(size) if self.digits <= SIZE_DIGITS_MAX && size <= SIZE_MAX => {
                self.size = size;
                Ok(Place::Size)
            }
            _ => Err(FramingFault::ChunkSize),
        }
    }

    fn extension_byte(&mut self, byte: u8) -> Result<Place, FramingFault> {
        match byte {
            b'\n' => return Err(FramingFault::BareLineFeed),
            b'\r' => return Ok(Place::SizeLineFeed),
            _ => {}
        }
        self.line_bytes = self.line_bytes.saturating_add(1);
        if self.line_bytes > CHUNK_LINE_BYTES_MAX || is_control(byte) || !byte.is_ascii() {
            return Err(FramingFault::ChunkExtension);
        }
        Ok(Place::Extension)
    }

    fn after_size_line(&mut self) -> Place {
        let size = self.size;
        self.size = 0;
        self.digits = 0;
        self.line_bytes = 0;
        if size == 0 {
            Place::TrailerStart
        } else {
            Place::Data(size)
        }
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<Place, FramingFault> {
        self.trailer_bytes = self.trailer_bytes.saturating_add(1);
        let place = match (self.place, byte) {
            (Place::TrailerStart, b'\r') => return Ok(Place::LastLineFeed),
            (Place::TrailerLineFeed, _) => Place::TrailerStart,
            (_, b'\n') => return Err(FramingFault::BareLineFeed),
            (Place::TrailerStart, _) if is_token(byte) => {
                self.trailers = self.trailers.saturating_add(1);
                Place::TrailerName
            }
            (Place::TrailerName, b':') => Place::TrailerValue,
            (Place::TrailerName, _) if is_token(byte) => Place::TrailerName,
            (Place::TrailerValue, b'\r') => Place::TrailerLineFeed,
            (Place::TrailerValue, _) if !is_control(byte) => Place::TrailerValue,
            _ => return Err(FramingFault::Trailer),
        };
        if self.trailer_bytes > TRAILER_BYTES_MAX || self.trailers > TRAILERS_MAX {
            return Err(FramingFault::TrailersTooLong);
        }
        Ok(place)
    }
}

/// Digits of a chunk size, leading zeros included.
const SIZE_DIGITS_MAX: u32 = 16;
/// The largest chunk size.
const SIZE_MAX: u64 = u64::MAX >> 1;
