//! Rows of the ledger's tables: columns in, domain types out. A value that mlfence never writes means a damaged file.

use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::facts::SubjectKind;
use crate::findings::Status;
use crate::findings::judge::Subject;
use crate::findings::ledger::{Finding, Resolution, Resolved, Unknown};
use crate::inventory::{Code, ResourceId};

use super::{KeptChange, KeptSweep, Trouble};

/// A row of `findings`.
pub(super) enum Stored {
    Open(Finding),
    Pending(Finding),
    Resolved(Resolved),
}

pub(super) fn finding(row: &SqliteRow) -> Result<(String, Stored), Trouble> {
    let finding = Finding {
        policy: text(row, "policy")?,
        policy_digest: text(row, "policy_digest")?,
        subject: subject(row, false)?,
        key: text(row, "finding_key")?,
        severity: text(row, "severity")?.parse().map_err(Trouble::Damaged)?,
        message: text(row, "message")?,
        remediation: text(row, "remediation")?,
        resource: maybe_text(row, "resource_id")?,
        evidence: text(row, "evidence")?,
        first_seen: integer(row, "first_seen")?,
        opened_at: integer(row, "opened_at")?,
        confirmed_at: integer(row, "confirmed_at")?,
        stale_since: row.try_get("stale_since").map_err(unreadable)?,
        reopened: small(row, "reopened")?,
        streak: small(row, "streak")?,
    };
    let stored = match text(row, "state")?.as_str() {
        "open" => Stored::Open(finding),
        "pending" => Stored::Pending(finding),
        "resolved" => {
            let name = text(row, "resolution")?;
            let resolution = Resolution::ALL.into_iter().find(|resolution| resolution.name() == name);
            let resolution = resolution.ok_or_else(|| strange("resolution", &name))?;
            Stored::Resolved(Resolved { finding, at: integer(row, "resolved_at")?, resolution })
        }
        other => return Err(strange("state", other)),
    };
    Ok((text(row, "fingerprint")?, stored))
}

pub(super) fn unknown(row: &SqliteRow) -> Result<((String, Subject), Unknown), Trouble> {
    let subject = subject(row, integer(row, "hidden")? != 0)?;
    let code: Code = named(row, "code")?;
    let unknown = Unknown { code, since: integer(row, "since")?, last: integer(row, "last_seen")? };
    Ok(((text(row, "policy")?, subject), unknown))
}

pub(super) fn sweep(row: &SqliteRow) -> Result<KeptSweep, Trouble> {
    let mut results = [0; 5];
    for (count, status) in results.iter_mut().zip(Status::ALL) {
        *count = integer(row, status.name())?;
    }
    Ok(KeptSweep {
        number: integer(row, "number")?,
        taken_at: text(row, "taken_at")?,
        finished_at: integer(row, "finished_at")?,
        gaps: integer(row, "gaps")?,
        results,
    })
}

pub(super) fn change(row: &SqliteRow) -> Result<KeptChange, Trouble> {
    Ok(KeptChange {
        sweep: integer(row, "sweep")?,
        at: integer(row, "finished_at")?,
        change: text(row, "change")?,
        severity: text(row, "severity")?,
        resolution: maybe_text(row, "resolution")?,
    })
}

fn subject(row: &SqliteRow, hidden: bool) -> Result<Subject, Trouble> {
    let kind: SubjectKind = named(row, "subject_kind")?;
    let parse = |column, text: String| ResourceId::parse(&text).ok_or_else(|| strange(column, &text));
    let id = parse("subject_id", text(row, "subject_id")?)?;
    let workspace = maybe_text(row, "workspace_id")?.map(|text| parse("workspace_id", text)).transpose()?;
    Ok(Subject { kind, id, workspace, hidden })
}

fn text(row: &SqliteRow, column: &str) -> Result<String, Trouble> {
    row.try_get(column).map_err(unreadable)
}

fn integer(row: &SqliteRow, column: &str) -> Result<i64, Trouble> {
    row.try_get(column).map_err(unreadable)
}

fn maybe_text(row: &SqliteRow, column: &str) -> Result<Option<String>, Trouble> {
    row.try_get(column).map_err(unreadable)
}

fn small(row: &SqliteRow, column: &str) -> Result<u32, Trouble> {
    let value = integer(row, column)?;
    u32::try_from(value).map_err(|_| strange(column, &value.to_string()))
}

/// A value that is written by its name in reports.
fn named<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, Trouble> {
    let name = text(row, column)?;
    serde_json::from_value(Value::String(name.clone())).map_err(|_| strange(column, &name))
}

fn strange(column: &str, value: &str) -> Trouble {
    Trouble::Damaged(format!("a row says `{value}` under {column}"))
}

pub(super) fn unreadable(cause: sqlx::Error) -> Trouble {
    Trouble::Damaged(cause.to_string())
}
