//! Which assignments reach a principal, groups resolved: the one question that is asked beyond lists, because the
//! directory itself is never read. Which questions are worth it is for others to say.

use super::arm;
use super::client::Session;
use super::failure::Failure;
use super::request::Request;
use crate::inventory::authorization::AskAssignedTo;
use crate::inventory::snapshot::Answer;
use crate::inventory::{Depth, GapReason, Kind};

/// The label that its requests are counted by.
const OF: &str = "assigned_to";

/// Azure's answer, or why there is none. Half an answer is none: who is missing from it would look like a stranger.
pub(super) async fn ask(session: &Session<'_>, question: &AskAssignedTo) -> Result<Answer, Failure> {
    let malformed = |detail: String| Failure::new(GapReason::Malformed, detail);
    let Some(request) = Request::assigned_to(&session.arm.endpoint, question) else {
        return Err(malformed("a principal or a scope cannot be asked for as it is spelled".to_owned()));
    };
    let listing = arm::list(session, OF, request, "value").await;
    if listing.pages == 0 && listing.lost.is_none() {
        return Err(malformed("there are no role assignments where there must be some".to_owned()));
    }
    let (rows, lost) = listing.into_records(Kind::RoleAssignments, Depth::Rules);
    match lost.into_iter().next() {
        Some(failure) => Err(failure),
        None => question.answered_by(&rows).map_err(|reason| malformed(reason.message)),
    }
}
