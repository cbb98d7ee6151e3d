//! Writing a sweep: one transaction with what it moved, and nothing of what stayed.

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteTransaction};

use crate::findings::judge::Subject;
use crate::findings::ledger::{Changes, Finding, Ledger, Resolution, Resolved, Unknown};

use super::outbox::{self, Post};
use super::{Kept, KeptSweep};

type Written = Result<(), sqlx::Error>;

pub(super) async fn sweep(
    connection: &mut SqliteConnection,
    before: &Kept,
    after: &Kept,
    changes: &Changes,
    post: &Post,
    forget_before: i64,
) -> Written {
    // Dropped without a commit, by an error or because the daemon ends, it is rolled back.
    let mut transaction = connection.begin().await?;
    if let Some(sweep) = &after.last {
        sweep_row(&mut transaction, sweep).await?;
        change_rows(&mut transaction, sweep.number, &after.ledger, changes).await?;
        outbox::put(&mut transaction, sweep.number, post).await?;
        let forget = "DELETE FROM sweeps WHERE finished_at < $1 AND number <> $2";
        sqlx::query(forget).bind(forget_before).bind(sweep.number).execute(&mut *transaction).await?;
    }
    findings(&mut transaction, &before.ledger, &after.ledger).await?;
    unknowns(&mut transaction, &before.ledger, &after.ledger).await?;
    subscriptions(&mut transaction, before, after).await?;
    transaction.commit().await
}

async fn sweep_row(transaction: &mut SqliteTransaction<'_>, sweep: &KeptSweep) -> Written {
    let [fail, unknown, waived, pass, not_applicable] = sweep.results;
    sqlx::query(
        "INSERT INTO sweeps (number, taken_at, finished_at, gaps, fail, unknown, waived, pass, not_applicable)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(sweep.number)
    .bind(&sweep.taken_at)
    .bind(sweep.finished_at)
    .bind(sweep.gaps)
    .bind(fail)
    .bind(unknown)
    .bind(waived)
    .bind(pass)
    .bind(not_applicable)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn change_rows(
    transaction: &mut SqliteTransaction<'_>,
    sweep: i64,
    ledger: &Ledger,
    changes: &Changes,
) -> Written {
    let plain = [("opened", &changes.opened), ("reopened", &changes.reopened), ("changed", &changes.changed)];
    let plain = plain.iter().flat_map(|(change, ids)| ids.iter().map(|id| (id, *change, None)));
    let resolved = changes.resolved.iter().map(|(id, resolution)| (id, "resolved", Some(*resolution)));
    for (id, change, resolution) in plain.chain(resolved) {
        let finding = ledger.finding(id);
        sqlx::query(
            "INSERT INTO changes (sweep, fingerprint, change, severity, evidence, resolution)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(sweep)
        .bind(id)
        .bind(change)
        .bind(finding.map_or("", |finding| finding.severity.name()))
        .bind(finding.map_or("", |finding| &finding.evidence))
        .bind(resolution.map(Resolution::name))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

async fn findings(transaction: &mut SqliteTransaction<'_>, before: &Ledger, after: &Ledger) -> Written {
    let ids = before.open.keys().chain(before.pending.keys()).chain(before.resolved.keys());
    for id in ids.filter(|id| after.finding(id).is_none()) {
        let forget = sqlx::query("DELETE FROM findings WHERE fingerprint = $1");
        forget.bind(id).execute(&mut **transaction).await?;
    }
    for (id, finding) in &after.open {
        if before.open.get(id) != Some(finding) {
            finding_row(transaction, id, "open", finding, None).await?;
        }
    }
    for (id, finding) in &after.pending {
        if before.pending.get(id) != Some(finding) {
            finding_row(transaction, id, "pending", finding, None).await?;
        }
    }
    for (id, resolved) in &after.resolved {
        if before.resolved.get(id) != Some(resolved) {
            finding_row(transaction, id, "resolved", &resolved.finding, Some(resolved)).await?;
        }
    }
    Ok(())
}

async fn finding_row(
    transaction: &mut SqliteTransaction<'_>,
    id: &str,
    state: &str,
    finding: &Finding,
    resolved: Option<&Resolved>,
) -> Written {
    sqlx::query(
        "INSERT INTO findings (fingerprint, state, policy, policy_digest, subject_kind, subject_id, workspace_id,
             finding_key, severity, message, remediation, resource_id, evidence, first_seen, opened_at,
             confirmed_at, stale_since, reopened, streak, resolved_at, resolution)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         ON CONFLICT (fingerprint) DO UPDATE SET state = excluded.state, policy = excluded.policy,
             policy_digest = excluded.policy_digest, subject_kind = excluded.subject_kind,
             subject_id = excluded.subject_id, workspace_id = excluded.workspace_id,
             finding_key = excluded.finding_key, severity = excluded.severity, message = excluded.message,
             remediation = excluded.remediation, resource_id = excluded.resource_id,
             evidence = excluded.evidence, first_seen = excluded.first_seen, opened_at = excluded.opened_at,
             confirmed_at = excluded.confirmed_at, stale_since = excluded.stale_since,
             reopened = excluded.reopened, streak = excluded.streak, resolved_at = excluded.resolved_at,
             resolution = excluded.resolution",
    )
    .bind(id)
    .bind(state)
    .bind(&finding.policy)
    .bind(&finding.policy_digest)
    .bind(finding.subject.kind.name())
    .bind(finding.subject.id.as_spelled())
    .bind(finding.subject.workspace.as_ref().map(|workspace| workspace.as_spelled()))
    .bind(&finding.key)
    .bind(finding.severity.name())
    .bind(&finding.message)
    .bind(&finding.remediation)
    .bind(finding.resource.as_deref())
    .bind(&finding.evidence)
    .bind(finding.first_seen)
    .bind(finding.opened_at)
    .bind(finding.confirmed_at)
    .bind(finding.stale_since)
    .bind(i64::from(finding.reopened))
    .bind(i64::from(finding.streak))
    .bind(resolved.map(|resolved| resolved.at))
    .bind(resolved.map(|resolved| resolved.resolution.name()))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn unknowns(transaction: &mut SqliteTransaction<'_>, before: &Ledger, after: &Ledger) -> Written {
    for (policy, subject) in before.unknowns.keys().filter(|key| !after.unknowns.contains_key(*key)) {
        sqlx::query(
            "DELETE FROM unknowns WHERE policy = $1 AND subject_kind = $2 AND subject_id = $3 AND hidden = $4",
        )
        .bind(policy)
        .bind(subject.kind.name())
        .bind(subject.id.key())
        .bind(i64::from(subject.hidden))
        .execute(&mut **transaction)
        .await?;
    }
    for ((policy, subject), unknown) in &after.unknowns {
        if before.unknowns.get(&(policy.clone(), subject.clone())) != Some(unknown) {
            unknown_row(transaction, policy, subject, unknown).await?;
        }
    }
    Ok(())
}

async fn unknown_row(
    transaction: &mut SqliteTransaction<'_>,
    policy: &str,
    subject: &Subject,
    unknown: &Unknown,
) -> Written {
    sqlx::query(
        "INSERT INTO unknowns (policy, subject_kind, subject_id, hidden, workspace_id, code, since, last_seen)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (policy, subject_kind, subject_id, hidden) DO UPDATE SET
             workspace_id = excluded.workspace_id, code = excluded.code, since = excluded.since,
             last_seen = excluded.last_seen",
    )
    .bind(policy)
    .bind(subject.kind.name())
    // Folded: this is what rows are found by, and Azure spells one id in several ways.
    .bind(subject.id.key())
    .bind(i64::from(subject.hidden))
    .bind(subject.workspace.as_ref().map(|workspace| workspace.as_spelled()))
    .bind(unknown.code.name())
    .bind(unknown.since)
    .bind(unknown.last)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn subscriptions(transaction: &mut SqliteTransaction<'_>, before: &Kept, after: &Kept) -> Written {
    for guid in before.seen.difference(&after.seen) {
        let forget = sqlx::query("DELETE FROM subscriptions WHERE guid = $1");
        forget.bind(guid).execute(&mut **transaction).await?;
    }
    for guid in after.seen.difference(&before.seen) {
        let add = sqlx::query("INSERT INTO subscriptions (guid) VALUES ($1) ON CONFLICT (guid) DO NOTHING");
        add.bind(guid).execute(&mut **transaction).await?;
    }
    Ok(())
}
