//! The last sweeps as a small chart, and the same as a table.

use maud::{Markup, html};

use crate::findings::Status;
use crate::store::KeptSweep;

use super::layout::wide;
use super::text::{moment as at, said};

/// How many sweeps are drawn, and how many are told in the table.
const DRAWN: usize = 60;
const TOLD: usize = 10;

const WIDTH: usize = 720;
const HEIGHT: usize = 120;

/// What stands out, from the bottom up. Passes would dwarf it.
const SHOWN: [(usize, Status, &str); 3] =
    [(0, Status::Fail, "fail"), (1, Status::Unknown, "unknown"), (2, Status::Waived, "waived")];

/// The sweeps, which come the newest first; drawn the oldest first.
pub(super) fn history(sweeps: &[KeptSweep]) -> Markup {
    let Some(newest) = sweeps.first() else { return html! { p { "No sweep has been kept yet." } } };
    let drawn: Vec<&KeptSweep> = sweeps.iter().take(DRAWN).rev().collect();
    let count = |sweep: &KeptSweep, at: usize| {
        usize::try_from(sweep.results.get(at).copied().unwrap_or_default()).unwrap_or_default()
    };
    let total = |sweep: &KeptSweep| SHOWN.iter().map(|(at, ..)| count(sweep, *at)).sum::<usize>();
    let most = drawn.iter().map(|sweep| total(sweep)).max().unwrap_or_default().max(1);
    let step = WIDTH / DRAWN;
    let scaled = |n: usize| n * HEIGHT / most;
    html! {
        figure.history {
            (wide("Chart of the last sweeps", &html! {
                svg viewBox={ "0 -24 " (WIDTH) " " (HEIGHT + 28) } width=(WIDTH) height=(HEIGHT + 28) role="img" aria-labelledby="chart-title chart-text" {
                    title #chart-title { "Results of the last " (drawn.len()) " sweeps that fail, are unknown or are waived" }
                    desc #chart-text {
                        "The last sweep: " (spoken(newest)) ". The highest number of the three together was " (most) ". The table below tells the last sweeps one by one."
                    }
                    text.axis x="0" y="-3" { (most) }
                    line.axis x1="0" x2=(WIDTH) y1="0" y2="0" {}
                    line.axis x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                    @for (index, sweep) in drawn.iter().enumerate() {
                        @let left = WIDTH - (drawn.len() - index) * step;
                        @for (position, (result, _, class)) in SHOWN.iter().enumerate() {
                            @let below = SHOWN.iter().take(position).map(|(at, ..)| count(sweep, *at)).sum::<usize>();
                            @let n = count(sweep, *result);
                            @let (top, bottom) = (scaled(below + n), scaled(below));
                            @if n > 0 {
                                rect.bar.(class) x=(left) y=(HEIGHT - top) width=(step - 2) height=((top - bottom).max(1)) {}
                            }
                        }
                        @if sweep.gaps > 0 { circle.gap cx=(left + step / 2 - 1) cy="-6" r="2.5" {} }
                    }
                }
            }))
            figcaption {
                "From the bottom: " span.key.fail { "fail" } ", " span.key.unknown { "unknown" } ", " span.key.waived { "waived" }
                "; a dot above a sweep that could not read everything. The newest is on the right."
            }
        }
        details {
            summary { "The last sweeps as a table" }
            (wide("The last sweeps", &html! {
                table {
                    caption { "The last sweeps, the newest first" }
                    thead {
                        tr {
                            th scope="col" { "Sweep" } th scope="col" { "Ended" }
                            @for status in Status::ALL { th scope="col" { (said(status)) } }
                            th scope="col" { "gaps" }
                        }
                    }
                    tbody {
                        @for sweep in sweeps.iter().take(TOLD) {
                            tr {
                                th scope="row" { (sweep.number) }
                                td { (at(sweep.finished_at)) }
                                @for n in sweep.results { td { (n) } }
                                td { (sweep.gaps) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

fn spoken(sweep: &KeptSweep) -> String {
    let told: Vec<String> =
        Status::ALL.iter().zip(sweep.results).map(|(status, n)| format!("{n} {}", said(*status))).collect();
    format!("{}, {} gaps", told.join(", "), sweep.gaps)
}
