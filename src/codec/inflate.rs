//! Content codings (RFC 9110, section 8.4.1), undone. The output is counted as it comes, so that
//! a small body cannot become a large one.

use std::borrow::Cow;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};

use crate::codec::Undecodable;

/// The body as it was before it was coded: at most `bytes_max`, coded or not.
pub(super) fn inflate<'b>(
    content_encoding: Option<&str>,
    body: &'b [u8],
    bytes_max: usize,
) -> Result<Cow<'b, [u8]>, Undecodable> {
    if body.len() > bytes_max {
        return Err(Undecodable::TooLarge { bytes_max });
    }
    let coding = content_encoding.unwrap_or_default().trim();
    let is = |name: &str| coding.eq_ignore_ascii_case(name);
    if coding.is_empty() || is("identity") {
        Ok(Cow::Borrowed(body))
    } else if is("gzip") || is("x-gzip") {
        gzip(body, bytes_max).map(Cow::Owned)
    } else if is("deflate") {
        deflate(body, bytes_max).map(Cow::Owned)
    } else if is("br") {
        brotli(body, bytes_max).map(Cow::Owned)
    } else {
        Err(Undecodable::Coding)
    }
}

/// One or more members (RFC 1952, section 2.2).
fn gzip(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Undecodable> {
    let mut output = Output::new(bytes_max);
    let mut rest = body;
    // Each member has a window of its own, which costs far more than the bytes of an empty one.
    for _ in 0..MEMBERS_MAX {
        let mut stream = Decompress::new_gzip(WINDOW_BITS);
        rest = member(&mut stream, rest, &mut output, "gzip")?;
        if rest.is_empty() {
            return Ok(output.bytes);
        }
    }
    Err(Undecodable::NotInflated("gzip"))
}

/// Zlib data (RFC 1950), or the bare stream within it, which some senders mean by the word.
fn deflate(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Undecodable> {
    let has_header = match body {
        [method, flags, ..] => {
            method & 0x0F == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    };
    let mut output = Output::new(bytes_max);
    let mut stream = Decompress::new(has_header);
    let rest = member(&mut stream, body, &mut output, "deflate")?;
    if !rest.is_empty() {
        return Err(Undecodable::NotInflated("deflate"));
    }
    Ok(output.bytes)
}

/// Inflates to the end of a stream, and tells what follows it.
fn member<'b>(
    stream: &mut Decompress,
    body: &'b [u8],
    output: &mut Output,
    coding: &'static str,
) -> Result<&'b [u8], Undecodable> {
    let mut rest = body;
    loop {
        output.reserve();
        let (read, written) = (stream.total_in(), output.bytes.len());
        let status = stream
            .decompress_vec(rest, &mut output.bytes, FlushDecompress::None)
            .map_err(|_| Undecodable::NotInflated(coding))?;
        let read = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or_default();
        output.check()?;
        if status == Status::StreamEnd {
            return Ok(rest);
        }
        // There was room, so a stream that neither reads nor writes waits for bytes.
        if read == 0 && output.bytes.len() == written {
            return Err(Undecodable::NotInflated(coding));
        }
    }
}

/// One stream (RFC 7932).
fn brotli(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Undecodable> {
    let alloc = StandardAlloc::default;
    // Strict: windows of up to 1 GiB are no part of the RFC.
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let mut output = Output::new(bytes_max);
    let mut chunk = [0_u8; CHUNK];
    let (mut left, mut read, mut total) = (body.len(), 0, 0);
    loop {
        let (mut room, mut written) = (chunk.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            body,
            &mut room,
            &mut written,
            &mut chunk,
            &mut total,
            &mut state,
        );
        output
            .bytes
            .extend_from_slice(chunk.get(..written).unwrap_or_default());
        output.check()?;
        match result {
            BrotliResult::ResultSuccess if left == 0 => return Ok(output.bytes),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess
            | BrotliResult::NeedsMoreInput
            | BrotliResult::ResultFailure => return Err(Undecodable::NotInflated("br")),
        }
    }
}

struct Output {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Output {
    fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            bytes_max,
        }
    }

    /// Makes room for some more bytes.
    fn reserve(&mut self) {
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve(CHUNK);
        }
    }

    fn check(&self) -> Result<(), Undecodable> {
        if self.bytes.len() > self.bytes_max {
            return Err(Undecodable::TooLarge {
                bytes_max: self.bytes_max,
            });
        }
        Ok(())
    }
}

const CHUNK: usize = 16 * 1024;

/// The window of every gzip stream.
const WINDOW_BITS: u8 = 15;

const MEMBERS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"{\"a\":1}";

    /// `TEXT`, as Google's encoder writes it.
    const TEXT_BROTLI: [u8; 11] = [
        0x0b, 0x03, 0x80, 0x7b, 0x22, 0x61, 0x22, 0x3a, 0x31, 0x7d, 0x03,
    ];

    /// 64 MiB of zeros, as Google's encoder writes them.
    const BOMB_BROTLI: &str = "cfffff7ff82700e2b14020f7fe9ffffffff04f00c4610180eefd3fffffffe19f\
                               0088c32200ddfbfffcffffc73f0110870500baf7ff";

    /// 1 KiB of zeros in a window of 1 GiB, as Google's encoder writes them.
    const LARGE_WINDOW_BROTLI: &str = "115efc0fe09f0088c60201b901";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn check(coding: &str, body: &[u8], expected: &Result<&[u8], Undecodable>) {
        let inflated = inflate(Some(coding), body, 1000);
        assert_eq!(inflated.as_deref(), expected.as_deref(), "{coding}");
    }

    #[test]
    fn a_coded_body_is_inflated() {
        assert_eq!(inflate(None, TEXT, 1000).as_deref(), Ok(TEXT));
        for (coding, body) in [
            ("", TEXT.to_vec()),
            ("Identity", TEXT.to_vec()),
            ("gzip", gzipped(TEXT)),
            (" X-GZIP ", gzipped(TEXT)),
            ("gzip", [gzipped(b"{\"a\""), gzipped(b":1}")].concat()),
            ("deflate", zlib(TEXT)),
            ("deflate", bare(TEXT)),
            ("br", TEXT_BROTLI.to_vec()),
        ] {
            check(coding, &body, &Ok(TEXT));
        }
    }

    #[test]
    fn other_codings_and_several_are_refused() {
        for coding in ["zstd", "gzip, gzip", "gzip,identity", "compress", "*"] {
            check(coding, &gzipped(TEXT), &Err(Undecodable::Coding));
        }
    }

    #[test]
    fn a_stream_that_is_cut_damaged_or_followed_is_refused() {
        for (coding, name, whole) in [
            ("gzip", "gzip", gzipped(TEXT)),
            ("deflate", "deflate", zlib(TEXT)),
            ("deflate", "deflate", bare(TEXT)),
            ("br", "br", TEXT_BROTLI.to_vec()),
        ] {
            for end in 0..whole.len() {
                check(coding, &whole[..end], &Err(Undecodable::NotInflated(name)));
            }
            let followed = [whole.as_slice(), b"x"].concat();
            check(coding, &followed, &Err(Undecodable::NotInflated(name)));
        }
        let mut damaged = gzipped(TEXT);
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        check("gzip", &damaged, &Err(Undecodable::NotInflated("gzip")));
        let empty = gzipped(b"").repeat(10);
        check("gzip", &empty, &Ok(b""));
        let empty = empty.repeat(1000);
        let inflated = inflate(Some("gzip"), &empty, usize::MAX);
        assert_eq!(inflated, Err(Undecodable::NotInflated("gzip")));
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let zeros = vec![0; 64 * 1024 * 1024];
        let bytes_max = 1024 * 1024;
        for (coding, bomb) in [
            ("gzip", gzipped(&zeros)),
            ("deflate", zlib(&zeros)),
            ("br", bytes(BOMB_BROTLI)),
        ] {
            let inflated = inflate(Some(coding), &bomb, bytes_max);
            assert_eq!(
                inflated,
                Err(Undecodable::TooLarge { bytes_max }),
                "{coding}"
            );
        }
        let bomb = bytes(BOMB_BROTLI);
        let inflated = inflate(Some("br"), &bomb, zeros.len());
        assert_eq!(inflated.map(|bytes| bytes.len()), Ok(zeros.len()));
        check(
            "br",
            &bytes(LARGE_WINDOW_BROTLI),
            &Err(Undecodable::NotInflated("br")),
        );
    }

    #[test]
    fn the_limit_is_of_what_comes_out() {
        assert_eq!(inflate(None, TEXT, TEXT.len()).as_deref(), Ok(TEXT));
        assert!(inflate(None, TEXT, TEXT.len() - 1).is_err());
        let zeros = [0; 1000];
        assert_eq!(
            inflate(Some("gzip"), &gzipped(&zeros), 1000).as_deref(),
            Ok(&zeros[..])
        );
        assert!(inflate(Some("gzip"), &gzipped(&zeros), 999).is_err());
    }
}
