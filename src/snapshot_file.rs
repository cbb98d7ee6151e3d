//! Snapshot files on disk: opened, compressed by their extension, replaced atomically.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::inventory::snapshot::SnapshotError;
use crate::inventory::{Depth, Snapshot};

/// Why a snapshot file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFileError {
    /// The file could not be opened.
    #[error("cannot open the snapshot {path}: {source}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is no snapshot that this mlfence reads.
    #[error("{path}: {source}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// The line and the reason.
        source: SnapshotError,
    },
    /// The file could not be written; an earlier one of that name is untouched.
    #[error("cannot write the snapshot {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Zstd,
    Gzip,
}

fn compression(path: &Path) -> Compression {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => Compression::Zstd,
        Some("gz") => Compression::Gzip,
        _ => Compression::None,
    }
}

/// What a compressed file may unpack to. A generated tenant of 300 workspaces takes 14 MB.
const UNPACKED_LIMIT: u64 = 2 << 30;

/// A stream that is an error past [`UNPACKED_LIMIT`]: a few megabytes can unpack to terabytes.
struct Bounded<R> {
    stream: R,
    left: u64,
}

impl<R> Bounded<R> {
    fn new(stream: R) -> Self {
        Self { stream, left: UNPACKED_LIMIT }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::other(format!("it unpacks to more than {} GiB", UNPACKED_LIMIT >> 30))
        })?;
        Ok(n)
    }
}

/// Reads a snapshot to be judged, and so no more of it than rules read; `.zst` and `.gz` are unpacked on the way.
pub fn read(path: &Path) -> Result<Snapshot, SnapshotFileError> {
    let open = |source| SnapshotFileError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    let input = BufReader::new(file);
    let snapshot = match compression(path) {
        Compression::None => read_stream(input),
        Compression::Zstd => {
            read_stream(BufReader::new(Bounded::new(zstd::Decoder::with_buffer(input).map_err(open)?)))
        }
        Compression::Gzip => {
            read_stream(BufReader::new(Bounded::new(flate2::bufread::MultiGzDecoder::new(input))))
        }
    };
    snapshot.map_err(|source| SnapshotFileError::Content { path: path.to_owned(), source })
}

fn read_stream(input: impl BufRead) -> Result<Snapshot, SnapshotError> {
    Snapshot::read_at(input, Depth::Rules)
}

/// Writes a snapshot beside the place and renames it, so that nobody ever sees half a file. What a link leads to is
/// replaced, not the link; into what is no regular file (a pipe, a device) it is written.
pub fn write(path: &Path, snapshot: &Snapshot) -> Result<(), SnapshotFileError> {
    let failed = |source| SnapshotFileError::Write { path: path.to_owned(), source };
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        let out = fs::OpenOptions::new().write(true).open(&target).map_err(failed)?;
        return write_stream(path, snapshot, BufWriter::new(out)).map_err(failed);
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    write_stream(path, snapshot, BufWriter::new(temporary.as_file_mut()))
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(failed)?;
    // A snapshot describes a network; the temporary file's 0600 would surprise nobody but backup jobs.
    if let Some(there) = there {
        fs::set_permissions(temporary.path(), there.permissions()).map_err(failed)?;
    }
    temporary.persist(&target).map(drop).map_err(|error| failed(error.error))
}

/// A snapshot as `.jsonl.zst`, in memory.
pub fn packed(snapshot: &Snapshot) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
    snapshot.write(&mut encoder)?;
    encoder.finish()
}

fn write_stream(path: &Path, snapshot: &Snapshot, mut out: impl Write) -> io::Result<()> {
    match compression(path) {
        Compression::None => snapshot.write(&mut out)?,
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(&mut out, 3)?;
            snapshot.write(&mut encoder)?;
            encoder.finish()?;
        }
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            snapshot.write(&mut encoder)?;
            encoder.finish()?;
        }
    }
    out.flush()
}
