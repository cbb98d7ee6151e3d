//! The last sweep's snapshot, as a file.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::listing::not_yet;
use super::{Face, Problem};

/// The media type of what is sent.
pub(super) const MEDIA_TYPE: &str = "application/zstd";

pub(super) async fn latest(State(face): State<Face>) -> Result<Response, Problem> {
    if !face.doors.http.borrow().snapshot {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "snapshots are not offered, for they hold names, ids and addresses of the network; the configuration \
             allows it by `http.snapshot: true`",
        ));
    }
    let published = face.views.borrow().clone();
    let (Some(snapshot), Some(swept)) = (&published.view.snapshot, &published.view.swept) else {
        return Err(not_yet(&published));
    };
    // Of a moment's digits and letters only, so that the header can hold nothing else.
    let moment: String = swept.report.taken_at.chars().filter(char::is_ascii_alphanumeric).collect();
    let disposition = format!("attachment; filename=\"mlfence-{moment}.jsonl.zst\"");
    let headers = [(header::CONTENT_TYPE, MEDIA_TYPE.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, snapshot.clone()).into_response())
}
