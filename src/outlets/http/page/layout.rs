//! What all pages share: the frame, paging, tables that may be wider than the screen.

use maud::{DOCTYPE, Markup, html};

use super::Moment;
use super::text::{age, sentence};

/// A whole page.
pub(super) fn page(moment: &Moment, title: &str, main: &Markup) -> Markup {
    framed(moment, title, &html! { (state(moment)) (main) })
}

/// A page about something that is not there.
pub(super) fn nothing(moment: &Moment, what: &str) -> Markup {
    framed(
        moment,
        "Not found",
        &html! { h1 { "Not found" } p { (what) } p { a href="/" { "To the overview" } } },
    )
}

fn framed(moment: &Moment, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (crate::inventory::printable(title)) " – mlfence" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" type="image/svg+xml" href="/icon.svg";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { "mlfence" }
                    nav aria-label="Pages" {
                        ul {
                            li { a href="/" { "Overview" } }
                            li { a href="/gaps" { "Gaps" } }
                            li { a href="/waivers" { "Waivers" } }
                        }
                    }
                }
                main #main tabindex="-1" { (main) }
                footer { p { "mlfence " (env!("CARGO_PKG_VERSION")) @if moment.metrics { " · " a href="/metrics" { "metrics" } } " · " a href="/readyz" { "readiness" } } }
            }
        }
    }
}

/// How the daemon does: when it last swept, and its own line about it. What is wrong stands out, but nothing hangs on that:
/// the line is always there.
fn state(moment: &Moment) -> Markup {
    let published = &moment.published;
    let detail = published.detail.as_str();
    let trouble = !published.ready || published.trouble.is_some() || published.refused;
    html! {
        section.state.trouble[trouble] aria-label="State of the daemon" {
            p {
                @match moment.swept() {
                    Some(swept) => {
                        "Last sweep " (super::text::moment(swept.finished_at)) ", " (age(swept.finished_at, moment.now)) " ago."
                    }
                    None if moment.ever_swept() => { strong { "No sweep of this process has ended yet." } " What is shown is what the ledger kept." }
                    None => { strong { "No sweep of this process has ended yet" } ", and no earlier one is kept: nothing is known so far." }
                }
            }
            p.detail { (sentence(detail)) }
        }
    }
}

/// A table or picture that may be wider than the screen scrolls by itself, by keyboard too.
pub(super) fn wide(label: &str, content: &Markup) -> Markup {
    html! { div.wide role="region" aria-label=(label) tabindex="0" { (content) } }
}

/// A part of a list that is too long for one page.
pub(super) struct Part {
    pub(super) page: usize,
    pages: usize,
    first: usize,
    last: usize,
}

impl Part {
    /// The part that `page` (from 1 on) is, at so many a page. A page past the end is the last one.
    pub(super) fn of(total: usize, page: usize, size: usize) -> Self {
        let pages = total.div_ceil(size).max(1);
        let page = page.clamp(1, pages);
        let first = (page - 1) * size;
        Self { page, pages, first, last: (first + size).min(total) }
    }

    pub(super) fn slice<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        all.get(self.first..self.last).unwrap_or_default()
    }

    /// The way to the other parts.
    pub(super) fn links(&self, label: &str, link: &dyn Fn(usize) -> String) -> Markup {
        html! {
            @if self.pages > 1 {
                nav.paging aria-label=(label) {
                    @if self.page > 1 { a rel="prev" href=(link(self.page - 1)) { "← previous" } }
                    span { "page " (self.page) " of " (self.pages) }
                    @if self.page < self.pages { a rel="next" href=(link(self.page + 1)) { "next →" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_list_once() {
        let all: Vec<usize> = (0..53).collect();
        let seen: Vec<usize> = (1..=3).flat_map(|page| Part::of(53, page, 25).slice(&all).to_vec()).collect();
        assert_eq!(seen, all);
        for past in [0, 4, usize::MAX] {
            assert!(!Part::of(53, past, 25).slice(&all).is_empty());
        }
        assert!(Part::of(0, 1, 25).slice(&all).is_empty());
    }
}
