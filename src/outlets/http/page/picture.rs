//! A picture of one workspace's network, and the same as a list: what lies where, and each relation that a policy decides
//! as an arrow with its verdict.
//!
//! The facts are those that the policies read, the verdicts those of the report. Nothing is drawn as fine that is not a
//! pass: an arrow shows the worst of the verdicts on it, and one without a verdict is drawn as such.

mod aci;
mod aks;
mod draw;
mod model;
mod survey;
mod verdicts;

use maud::{Markup, html};

use crate::facts::Document;
use crate::findings::PolicyResult;
use crate::inventory::ResourceId;

use super::layout::wide;
use super::text::{called, name, sentence, shortened};

use self::model::{Lane, Mark, Node, Picture};

/// The picture of a workspace, with its equivalent in words.
pub(super) fn of(workspace: &ResourceId, documents: &[Document], results: &[&PolicyResult]) -> Markup {
    let picture = survey::picture(workspace, documents, results);
    html! {
        figure.picture {
            (wide("Picture of the network", &draw::svg(&picture)))
            figcaption {
                "An arrow is a relation that policies decide, drawn as the worst of its verdicts: "
                span.key.fail { "✗ fail" } ", " span.key.unknown { "? unknown" } ", " span.key.waived { "~ waived" } ", "
                span.key.pass { "✓ pass" } ", – not applicable, · not judged. "
                "What is proven not to get in ends at a bar before the network. The list below says the same in words."
            }
        }
        (words(&picture))
    }
}

/// The picture in words.
fn words(picture: &Picture) -> Markup {
    html! {
        section.words aria-labelledby="in-words" {
            h3 #in-words { "The picture in words" }
            p { (sentence(&picture.title)) @for line in &picture.lines { "; " (sentence(line)) } @if !picture.marks.is_empty() { ": " (marks(&picture.marks)) } "." }
            @for doubt in &picture.doubts { p.message { "? " (sentence(doubt)) } }
            @for group in &picture.groups {
                h4 { (name(&group.title)) }
                @for frame in &group.frames {
                    @if let Some(subnet) = &frame.title { p { (sentence(subnet)) @if !frame.marks.is_empty() { ": " (marks(&frame.marks)) } } }
                    ul { @for node in &frame.nodes { li { (node_in_words(node)) } } }
                }
            }
        }
    }
}

fn node_in_words(node: &Node) -> Markup {
    html! {
        strong { (name(&node.title)) } @for line in &node.lines { "; " (sentence(line)) }
        @if !node.marks.is_empty() { ": " (marks(&node.marks)) }
        @if node.passes > 0 { "; " (node.passes) " more pass" }
        ul {
            @for lane in &node.left { li { (lane_in_words(&far(lane), &node.title, lane)) } }
            @for lane in &node.right { li { (lane_in_words(&node.title, &far(lane), lane)) } }
            @if let Some(lane) = &node.down { li { (lane_in_words(&node.title, &lane.far, lane)) } }
        }
    }
}

/// The other end of a relation, with all that is said of it.
fn far(lane: &Lane) -> String {
    std::iter::once(&lane.far).chain(&lane.notes).map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn lane_in_words(from: &str, to: &str, lane: &Lane) -> Markup {
    html! {
        (sentence(from)) " → " (sentence(to)) ": " (sentence(&lane.what)) ": "
        @if lane.marks.is_empty() { "not judged" } @else { (marks(&lane.marks)) }
        @if !lane.by.is_empty() { "; deciding: " (sentence(&lane.by)) }
    }
}

fn marks(marks: &[Mark]) -> Markup {
    html! {
        @for (index, mark) in marks.iter().enumerate() {
            @if index > 0 { ", " }
            span.verdict.(mark.stands.class()) {
                @match &mark.finding {
                    Some(id) => a href={ "/findings/" (id) } { (sentence(&mark.policy)) },
                    None => (sentence(&mark.policy)),
                }
                " " (mark.stands.word())
            }
        }
    }
}
