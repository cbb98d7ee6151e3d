//! The snapshot file, `snapshot/1`: everything Azure said in one sweep, as JSON Lines.
//!
//! Reads and writes streams; which file, and whether it is compressed, is the edge's affair
//! (`crate::snapshot_file`).

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::projection::PROJECTION;
use super::record::RecordError;
use super::{Depth, Kind, Record, ResourceId};

/// The version that this build reads and writes.
pub const FORMAT: &str = "snapshot/1";

/// The longest line that is read, in bytes. The longest known record, the service tags of the public cloud,
/// has about 5 MB.
const LINE_LIMIT: u64 = 64 << 20;

/// What one sweep read, and what it could not read.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Which estate, when, and which kinds were asked for.
    pub header: Header,
    /// The records by id, later lines laid over earlier ones.
    pub records: BTreeMap<ResourceId, Record>,
    /// What was asked of Azure beyond lists.
    pub answers: Vec<Answer>,
    /// What could not be read, or not be proven to be read.
    pub gaps: Vec<Gap>,
}

/// The first line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always [`FORMAT`].
    pub mlfence: String,
    /// RFC 3339, UTC.
    pub taken_at: String,
    /// The directory that the subscriptions trust.
    pub tenant_id: Option<String>,
    /// `public`, `us_government` or `china`.
    pub cloud: String,
    /// Which part of each record is kept, by the name of its projection; none if everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<String>,
    /// The subscriptions that were swept. Outside them, silence says nothing.
    pub subscriptions: Vec<Subscription>,
    /// The kinds that were asked for and how. A kind that is missing here was not asked for.
    pub kinds: BTreeMap<Kind, Source>,
}

/// A subscription that was swept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its guid.
    pub id: String,
    /// Its display name.
    #[serde(default)]
    pub name: String,
}

/// How a kind was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Which API.
    pub via: Via,
    /// The api-version of an ARM list. Resource Graph shows whatever version it has indexed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
}

/// The API that told a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Azure Resource Graph.
    ResourceGraph,
    /// Azure Resource Manager.
    Arm,
}

/// What was asked of Azure beyond lists, so that a replay judges as the live sweep did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which question; today only `assigned_to`.
    pub question: String,
    /// The object id that it was asked for.
    pub principal: String,
    /// The scope that it was asked at.
    pub scope: ResourceId,
    /// The ids of the role assignments that Azure named.
    pub assignments: Vec<String>,
}

/// What could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The kind of record that is missing.
    pub source: Kind,
    /// The widest scope that the gap covers.
    pub scope: ResourceId,
    /// Why.
    pub reason: GapReason,
    /// Azure's words, or mlfence's.
    #[serde(default)]
    pub detail: String,
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// 401 or 403.
    Denied,
    /// The caller's rights do not cover the whole scope, so rows may be left out silently.
    PartialRights,
    /// 429 until patience ended.
    Throttled,
    /// No answer within the deadline.
    Timeout,
    /// Pages or rows were lost.
    Truncated,
    /// An answer could not be understood.
    Malformed,
    /// Azure does not offer this list.
    Unsupported,
    /// Nobody asked.
    NotAsked,
    /// The scope itself was not found.
    NotFound,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawLine {
    Record(Value),
    Answer(Answer),
    Gap(Gap),
    End(End),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OutLine<'a> {
    Record(&'a Record),
    Answer(&'a Answer),
    Gap(&'a Gap),
    End(End),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    records: u64,
    answers: u64,
    gaps: u64,
}

/// One line of a snapshot after its header.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A resource.
    Record(Record),
    /// An answer beyond lists.
    Answer(Answer),
    /// Something that was not read.
    Gap(Gap),
}

/// Why a snapshot is refused.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The stream itself failed; corrupt compression shows here too.
    #[error("line {line}: {source}")]
    Read {
        /// The line that was being read.
        line: u64,
        /// The cause.
        source: io::Error,
    },
    /// The text is not what the format says.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Where.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by another version of mlfence.
    #[error(
        "line 1: the format is `{found}`, this mlfence reads `{FORMAT}` only; use the mlfence that wrote the file"
    )]
    Version {
        /// What the header says.
        found: String,
    },
    /// Its records were cut down to what other rules read.
    #[error(
        "line 1: its records hold what `{found}` reads, the rules of this mlfence read `{PROJECTION}`; use the mlfence that took it, or take one with --full, which any can judge"
    )]
    Projection {
        /// What the header says.
        found: String,
    },
    /// The end line is missing or counts something else.
    #[error("line {line}: the file is truncated: {reason}")]
    Truncated {
        /// The last line.
        line: u64,
        /// What is missing.
        reason: String,
    },
}

/// How many blank lines are passed over; a file of nothing else would be read for hours.
const BLANK_LINES: u32 = 100;

/// Reads a snapshot line by line.
pub struct Reader<R> {
    blank: u32,
    input: R,
    line: u64,
    seen: End,
    ended: bool,
    buffer: Vec<u8>,
    /// The first line.
    pub header: Header,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header, and refuses files of another version.
    pub fn new(input: R) -> Result<Self, SnapshotError> {
        let header = Header {
            mlfence: String::new(),
            taken_at: String::new(),
            tenant_id: None,
            cloud: String::new(),
            projection: None,
            subscriptions: Vec::new(),
            kinds: BTreeMap::new(),
        };
        let mut reader =
            Self { blank: 0, input, line: 0, seen: End::default(), ended: false, buffer: Vec::new(), header };
        if !reader.fill()? {
            return Err(SnapshotError::Truncated { line: 1, reason: "it is empty".into() });
        }
        let value: Value =
            serde_json::from_slice(&reader.buffer).map_err(|error| reader.malformed(&error))?;
        match value.get("mlfence").and_then(Value::as_str) {
            Some(FORMAT) => {}
            Some(other) => return Err(SnapshotError::Version { found: other.to_owned() }),
            None => {
                let reason = "not an mlfence snapshot: the first line has no `mlfence` version".to_owned();
                return Err(SnapshotError::Malformed { line: 1, reason });
            }
        }
        reader.header = serde_json::from_value(value).map_err(|error| reader.malformed(&error))?;
        match &reader.header.projection {
            Some(found) if found != PROJECTION => Err(SnapshotError::Projection { found: found.clone() }),
            _ => Ok(reader),
        }
    }

    /// The next line; none after a right end line.
    pub fn next_line(&mut self) -> Result<Option<Line>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        if !self.fill()? {
            let reason = "its last line is not an `end` line".to_owned();
            return Err(SnapshotError::Truncated { line: self.line, reason });
        }
        let raw: RawLine = serde_json::from_slice(&self.buffer).map_err(|error| self.malformed(&error))?;
        Ok(Some(match raw {
            RawLine::Record(body) => {
                self.seen.records += 1;
                let record = Record::from_body(body);
                Line::Record(record.map_err(|error: RecordError| self.malformed(&error))?)
            }
            RawLine::Answer(answer) => {
                self.seen.answers += 1;
                Line::Answer(answer)
            }
            RawLine::Gap(gap) => {
                self.seen.gaps += 1;
                Line::Gap(gap)
            }
            RawLine::End(end) => {
                if end != self.seen {
                    let reason = format!("its end line counts {end:?}, read were {:?}", self.seen);
                    return Err(SnapshotError::Truncated { line: self.line, reason });
                }
                if self.fill()? {
                    return Err(self.malformed(&"there is text after the `end` line"));
                }
                self.ended = true;
                return Ok(None);
            }
        }))
    }

    /// Fills the buffer with the next line that is not blank; false at the end.
    fn fill(&mut self) -> Result<bool, SnapshotError> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let line = self.line;
            let read = self.input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut self.buffer);
            if read.map_err(|source| SnapshotError::Read { line, source })? == 0 {
                return Ok(false);
            }
            if self.buffer.len() as u64 == LINE_LIMIT {
                return Err(self.malformed(&format!("the line is longer than {LINE_LIMIT} bytes")));
            }
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
            self.blank += 1;
            if self.blank > BLANK_LINES {
                return Err(self.malformed(&"too many blank lines"));
            }
        }
    }

    fn malformed(&self, reason: &dyn std::fmt::Display) -> SnapshotError {
        SnapshotError::Malformed { line: self.line, reason: reason.to_string() }
    }
}

impl Snapshot {
    /// A snapshot with nothing in it yet.
    pub fn new(header: Header) -> Self {
        Self { header, records: BTreeMap::new(), answers: Vec::new(), gaps: Vec::new() }
    }

    /// Reads a whole snapshot.
    pub fn read(input: impl BufRead) -> Result<Self, SnapshotError> {
        Self::read_at(input, Depth::Everything)
    }

    /// Reads a snapshot, and keeps of each record no more than was asked for.
    pub fn read_at(input: impl BufRead, depth: Depth) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(input)?;
        let mut snapshot = Self::new(reader.header.clone());
        if let Some(projection) = depth.projection() {
            snapshot.header.projection = Some(projection.to_owned());
        }
        while let Some(line) = reader.next_line()? {
            match line {
                Line::Record(record) => snapshot.add(depth.keep(record)),
                Line::Answer(answer) => snapshot.answers.push(answer),
                Line::Gap(gap) => snapshot.gaps.push(gap),
            }
        }
        Ok(snapshot)
    }

    /// Adds a record, laying it over an earlier one of the same id.
    pub fn add(&mut self, record: Record) {
        match self.records.entry(record.id().clone()) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(record);
            }
            std::collections::btree_map::Entry::Occupied(mut earlier) => earlier.get_mut().overlay(record),
        }
    }

    /// Writes the whole snapshot, records in the order of their ids.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let mut writer = Writer::new(out, &self.header)?;
        for record in self.records.values() {
            writer.record(record)?;
        }
        for answer in &self.answers {
            writer.answer(answer)?;
        }
        for gap in &self.gaps {
            writer.gap(gap)?;
        }
        writer.finish().map(drop)
    }
}

/// Writes a snapshot line by line.
pub struct Writer<W> {
    out: W,
    end: End,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub fn new(mut out: W, header: &Header) -> io::Result<Self> {
        write_line(&mut out, header)?;
        Ok(Self { out, end: End::default() })
    }

    /// Writes a record.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        self.end.records += 1;
        write_line(&mut self.out, &OutLine::Record(record))
    }

    /// Writes an answer.
    pub fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        self.end.answers += 1;
        write_line(&mut self.out, &OutLine::Answer(answer))
    }

    /// Writes a gap.
    pub fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.end.gaps += 1;
        write_line(&mut self.out, &OutLine::Gap(gap))
    }

    /// Writes the end line, without which a file is refused, and gives the stream back.
    pub fn finish(mut self) -> io::Result<W> {
        write_line(&mut self.out, &OutLine::End(self.end))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
