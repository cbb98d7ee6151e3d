//! An estate: the contents of one snapshot file, free to be changed before it is served.
//!
//! This is armsim's own small reader of the format (JSON Lines, plain or compressed); it judges
//! nothing about a record beyond its being an object.

mod file;

use crate::arm_id::ArmId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;

/// The value of the header's `mlfence` key that this reader understands.
pub const FORMAT: &str = "snapshot/1";

/// The first line of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The format, [`FORMAT`].
    pub mlfence: String,
    /// When the snapshot was taken, RFC 3339.
    #[serde(default)]
    pub taken_at: String,
    /// The Entra tenant.
    #[serde(default)]
    pub tenant_id: String,
    /// `public`, `usgovernment` or `china`.
    #[serde(default)]
    pub cloud: String,
    /// Subscriptions that the sweep saw, read or not.
    #[serde(default)]
    pub subscriptions: Vec<SubscriptionName>,
    /// Kinds that the sweep asked for, and how.
    #[serde(default)]
    pub kinds: Map<String, Value>,
    /// Keys of later versions, kept as they are.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A subscription's guid and display name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionName {
    /// The guid.
    pub id: String,
    /// The display name.
    #[serde(default)]
    pub name: String,
}

/// The lines of a snapshot, by sort.
#[derive(Debug, Clone, PartialEq)]
pub struct Estate {
    /// The first line.
    pub header: Header,
    /// ARM resources as Azure returned them.
    pub records: Vec<Value>,
    /// What was asked of Azure beyond lists.
    pub answers: Vec<Value>,
    /// What could not be read, and why.
    pub gaps: Vec<Value>,
}

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum EstateError {
    /// The file could not be opened, read or written.
    #[error("snapshot {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what the format allows there.
    #[error("snapshot line {line}: {problem}")]
    Line {
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The `end` line is missing or counts differently: the file was cut.
    #[error("snapshot is truncated: {0}")]
    Truncated(String),
}

impl Estate {
    /// An estate that holds nothing yet.
    pub fn new(header: Header) -> Self {
        Self { header, records: Vec::new(), answers: Vec::new(), gaps: Vec::new() }
    }

    /// Reads `.jsonl`, `.jsonl.zst` or `.jsonl.gz`, by extension.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, EstateError> {
        Self::from_jsonl(&file::read(path.as_ref())?)
    }

    /// Writes `.jsonl`, `.jsonl.zst` or `.jsonl.gz`, by extension.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), EstateError> {
        file::write(path.as_ref(), &self.to_jsonl())
    }

    /// Reads the uncompressed form. Two records with one id are merged, the later fields winning.
    pub fn from_jsonl(text: &str) -> Result<Self, EstateError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, first) =
            lines.next().ok_or_else(|| EstateError::Truncated("the file is empty".to_owned()))?;
        let header: Header =
            serde_json::from_str(first).map_err(|e| EstateError::Line { line: 1, problem: e.to_string() })?;
        if header.mlfence != FORMAT {
            let problem = format!("format '{}' is not '{FORMAT}'", header.mlfence);
            return Err(EstateError::Line { line: 1, problem });
        }
        let mut estate = Self::new(header);
        let mut end = None;
        let mut read = Counts::default();
        for (index, text) in lines {
            let line = index + 1;
            if end.is_some() {
                return Err(EstateError::Line { line, problem: "there is a line after 'end'".to_owned() });
            }
            match sort_of(text).map_err(|problem| EstateError::Line { line, problem })? {
                Line::Record(record) => {
                    read.records += 1;
                    estate.records.push(record);
                }
                Line::Answer(answer) => {
                    read.answers += 1;
                    estate.answers.push(answer);
                }
                Line::Gap(gap) => {
                    read.gaps += 1;
                    estate.gaps.push(gap);
                }
                Line::End(counts) => end = Some(counts),
            }
        }
        match end {
            None => Err(EstateError::Truncated("no 'end' line".to_owned())),
            Some(told) if told != read => {
                Err(EstateError::Truncated(format!("'end' tells of {told:?}, read {read:?}")))
            }
            Some(_) => {
                estate.merge_twins();
                Ok(estate)
            }
        }
    }

    /// The uncompressed form, ending with the right `end` line.
    pub fn to_jsonl(&self) -> String {
        let mut text = String::new();
        let mut push = |value: Value| {
            text.push_str(&value.to_string());
            text.push('\n');
        };
        push(json!(self.header));
        self.records.iter().for_each(|record| push(json!({ "record": record })));
        self.answers.iter().for_each(|answer| push(json!({ "answer": answer })));
        self.gaps.iter().for_each(|gap| push(json!({ "gap": gap })));
        push(json!({"end": {
            "records": self.records.len(), "answers": self.answers.len(), "gaps": self.gaps.len(),
        }}));
        text
    }

    /// The record with that id, in any case.
    pub fn record(&self, id: &str) -> Option<&Value> {
        let id = ArmId::new(id);
        self.records.iter().find(|record| id_of(record).as_ref() == Some(&id))
    }

    /// The record with that id, in any case, to be changed.
    pub fn record_mut(&mut self, id: &str) -> Option<&mut Value> {
        let id = ArmId::new(id);
        self.records.iter_mut().find(|record| id_of(record).as_ref() == Some(&id))
    }

    /// Takes the record with that id out, if it is there.
    pub fn remove(&mut self, id: &str) -> Option<Value> {
        let id = ArmId::new(id);
        let at = self.records.iter().position(|record| id_of(record).as_ref() == Some(&id))?;
        Some(self.records.remove(at))
    }

    /// Puts a principal into a group; groups may be in groups. A directory is known whole as soon as it holds anybody:
    /// whoever is not told to be in a group is not in it. What only the simulated Azure knows stands among the answers, as
    /// one to a question that nobody asks of ARM.
    pub fn member(&mut self, group: &str, principal: &str) {
        self.answers.push(json!({
            "question": crate::world::MEMBER_OF, "principal": principal, "scope": "/", "assignments": [group],
        }));
    }

    fn merge_twins(&mut self) {
        let mut seen: HashMap<ArmId, usize> = HashMap::new();
        let mut kept: Vec<Value> = Vec::with_capacity(self.records.len());
        for record in self.records.drain(..) {
            match id_of(&record).map(|id| seen.entry(id)) {
                Some(std::collections::hash_map::Entry::Occupied(first)) => {
                    merge(&mut kept[*first.get()], record)
                }
                Some(std::collections::hash_map::Entry::Vacant(free)) => {
                    free.insert(kept.len());
                    kept.push(record);
                }
                None => kept.push(record),
            }
        }
        self.records = kept;
    }
}

/// The canonical id of a record.
pub fn id_of(record: &Value) -> Option<ArmId> {
    record.get("id").and_then(Value::as_str).map(ArmId::new)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(old) => merge(old, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (into, from) => *into = from,
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Counts {
    #[serde(default)]
    records: usize,
    #[serde(default)]
    answers: usize,
    #[serde(default)]
    gaps: usize,
}

enum Line {
    Record(Value),
    Answer(Value),
    Gap(Value),
    End(Counts),
}

fn sort_of(text: &str) -> Result<Line, String> {
    let mut line: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let object = |value: Value| match value {
        Value::Object(_) => Ok(value),
        _ => Err("the line's value is not an object".to_owned()),
    };
    if let Some(record) = line.remove("record") {
        return Ok(Line::Record(object(record)?));
    }
    if let Some(answer) = line.remove("answer") {
        return Ok(Line::Answer(object(answer)?));
    }
    if let Some(gap) = line.remove("gap") {
        return Ok(Line::Gap(object(gap)?));
    }
    match line.remove("end") {
        Some(counts) => serde_json::from_value(counts).map(Line::End).map_err(|e| e.to_string()),
        None => Err("neither record, answer, gap nor end".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"mlfence":"snapshot/1","tenant_id":"t"}"#;

    #[test]
    fn a_file_without_its_end_line_is_refused() {
        let text = format!("{HEADER}\n{{\"record\":{{\"id\":\"/subscriptions/s\"}}}}\n");
        assert!(matches!(Estate::from_jsonl(&text), Err(EstateError::Truncated(_))));
    }

    #[test]
    fn a_file_whose_counts_differ_is_refused() {
        let text = format!("{HEADER}\n{{\"end\":{{\"records\":1,\"answers\":0,\"gaps\":0}}}}\n");
        assert!(matches!(Estate::from_jsonl(&text), Err(EstateError::Truncated(_))));
    }

    #[test]
    fn records_with_one_id_are_merged_and_the_later_fields_win() {
        let text = format!(
            "{HEADER}\n{}\n{}\n{}\n",
            r#"{"record":{"id":"/subscriptions/S","tags":{"a":1,"b":1}}}"#,
            r#"{"record":{"id":"/subscriptions/s","tags":{"b":2},"state":"Enabled"}}"#,
            r#"{"end":{"records":2,"answers":0,"gaps":0}}"#,
        );
        let estate = Estate::from_jsonl(&text).expect("the text is well formed");
        assert_eq!(estate.records, [json!({"id":"/subscriptions/s","tags":{"a":1,"b":2},"state":"Enabled"})]);
    }
}
