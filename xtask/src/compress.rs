//! Compresses files once, when the site is built, as far as they go.

use std::io::Write;

use anyhow::Result;
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};

/// Whether compressing such a file gains anything; pictures and fonts are compressed as they are.
pub fn compressible(name: &str) -> bool {
    const KINDS: [&str; 10] =
        [".css", ".html", ".ico", ".js", ".json", ".map", ".svg", ".txt", ".wasm", ".webmanifest"];
    KINDS.iter().any(|kind| name.ends_with(kind))
}

/// The bytes as `Content-Encoding: br`.
pub fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    // Quality 11 and a window as large as browsers take it: slow to make, small to send.
    let parameters = BrotliEncoderParams { quality: 11, lgwin: 24, size_hint: bytes.len(), ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

/// The bytes as `Content-Encoding: gzip`.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        let text = "tramline ".repeat(1_000).into_bytes();
        let (small, smaller) = (gzip(&text).unwrap(), brotli(&text).unwrap());
        assert!(small.len() < text.len() && smaller.len() < text.len());

        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&small[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
        back.clear();
        brotli::BrotliDecompress(&mut &smaller[..], &mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn fonts_are_left_alone() {
        assert!(compressible("tramline_bg.wasm"));
        assert!(!compressible("plex.woff2"));
    }
}
