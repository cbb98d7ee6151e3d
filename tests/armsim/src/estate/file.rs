//! The file forms of a snapshot: plain, Zstandard, gzip. What the text means is left to the parent.

use super::EstateError;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

pub(super) fn read(path: &Path) -> Result<String, EstateError> {
    let text = || -> std::io::Result<String> {
        let mut file = fs::File::open(path)?;
        let mut text = String::new();
        match extension(path) {
            "zst" => zstd::Decoder::new(file)?.read_to_string(&mut text)?,
            "gz" => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?,
            _ => file.read_to_string(&mut text)?,
        };
        Ok(text)
    };
    text().map_err(|source| EstateError::Io { path: path.display().to_string(), source })
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), EstateError> {
    let write = || -> std::io::Result<()> {
        match extension(path) {
            "zst" => fs::write(path, zstd::encode_all(text.as_bytes(), 3)?),
            "gz" => {
                // No time stamp goes into the gzip header: same estate, same bytes.
                let mut encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::default());
                encoder.write_all(text.as_bytes())?;
                fs::write(path, encoder.finish()?)
            }
            _ => fs::write(path, text),
        }
    };
    write().map_err(|source| EstateError::Io { path: path.display().to_string(), source })
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default()
}
