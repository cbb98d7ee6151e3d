//! The picture as SVG: columns of fixed width, a lane of its own for each relation, so that no two arrows cross.
//!
//! From left to right: what stands outside, then the VNet with its subnets and boxes, then registries and the internet.
//! All looks hang on classes, for the page allows no styles of its own.

use maud::{Markup, html};

use super::model::{Frame, Group, Lane, Mark, Node, Picture, Stands};
use super::shortened;

const WIDTH: usize = 1240;
/// Boxes outside, at the left.
const OUTER: usize = 8;
const OUTER_WIDTH: usize = 176;
/// The VNet's frame.
const VNET: usize = 200;
const VNET_END: usize = 872;
/// Boxes inside the VNet at the left: the workspace's endpoint.
const INNER: usize = 216;
const INNER_WIDTH: usize = 168;
/// Where the words of an arrow from the left begin.
const WORDS: usize = 396;
/// The boxes that serve.
const NODE: usize = 616;
const NODE_WIDTH: usize = 236;
/// The words of an arrow to the right, and the boxes there.
const RIGHT_WORDS: usize = 884;
const RIGHT: usize = 1066;
const RIGHT_WIDTH: usize = 166;

const LANE: usize = 58;
/// Half the height of a box that is no node.
const HALF: usize = 24;
const LINE: usize = 16;
const GAP: usize = 14;
/// Room for the words beside an arrow downwards.
const DOWN: usize = 44;

/// How many columns of text fit, at the size of the style.
const IN_FAR: usize = 23;
const IN_INNER: usize = 22;
const IN_NODE: usize = 33;
const IN_NAME: usize = 26;
const IN_WORDS: usize = 26;
const IN_RIGHT_WORDS: usize = 21;
const IN_HEAD: usize = 128;
const IN_VNET: usize = 76;
/// Words in plain letters take less room than the verdicts above them.
const PLAIN: usize = 5;

/// The picture.
pub(super) fn svg(picture: &Picture) -> Markup {
    let mut canvas = Canvas { y: 8, parts: Vec::new() };
    canvas.workspace(picture);
    for group in &picture.groups {
        canvas.group(group);
    }
    let height = canvas.y + 4;
    html! {
        svg.network viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height) role="img" aria-labelledby="net-title net-desc" {
            title #net-title { "Network of the " (shortened(&picture.title, 100)) }
            desc #net-desc { (summary(picture)) }
            @for part in &canvas.parts { (part) }
        }
    }
}

/// The picture in a sentence; all of it stands in the list below.
fn summary(picture: &Picture) -> String {
    let lanes: Vec<&Lane> = picture
        .groups
        .iter()
        .flat_map(|group| &group.frames)
        .flat_map(|frame| &frame.nodes)
        .flat_map(|node| node.left.iter().chain(&node.right).chain(&node.down))
        .collect();
    if lanes.is_empty() {
        return "No relation is drawn. The text below the picture tells what is known.".to_owned();
    }
    let count = |stands| lanes.iter().filter(|lane| lane.stands() == stands).count();
    let told =
        [Stands::Fail, Stands::Unknown, Stands::Waived, Stands::Untold, Stands::Pass, Stands::NotApplicable];
    let told = told.map(|stands| (count(stands), stands)).into_iter().filter(|(n, _)| *n > 0);
    let told: Vec<String> = told.map(|(n, stands)| format!("{n} {}", stands.word())).collect();
    format!("{} relations: {}. The list below the picture tells each of them.", lanes.len(), told.join(", "))
}

struct Canvas {
    y: usize,
    parts: Vec<Markup>,
}

impl Canvas {
    fn workspace(&mut self, picture: &Picture) {
        let title =
            std::iter::once(picture.title.clone()).chain(picture.lines.iter().cloned()).collect::<Vec<_>>();
        let rows = 1 + usize::from(!picture.marks.is_empty()) + picture.doubts.len();
        let height = rows * LINE + 16;
        let mut y = self.y + 20;
        self.parts.push(rect("box", OUTER, self.y, WIDTH - 2 * OUTER, height));
        self.parts.push(text("name", OUTER + 10, y, &title.join(" · "), IN_HEAD));
        if !picture.marks.is_empty() {
            y += LINE;
            self.parts.push(marked(OUTER + 10, y, &picture.marks, IN_HEAD));
        }
        for doubt in &picture.doubts {
            y += LINE;
            self.parts.push(text("unknown", OUTER + 10, y, &format!("? {doubt}"), IN_HEAD));
        }
        self.y += height + GAP;
    }

    fn group(&mut self, group: &Group) {
        let top = self.y;
        let at = self.parts.len();
        self.y += LINE + 14;
        for frame in &group.frames {
            self.frame(frame);
        }
        let class = if group.vnet.is_some() { "vnet" } else { "vnet open" };
        // Below everything inside it.
        self.parts.insert(at, rect(class, VNET, top, VNET_END - VNET, self.y - top));
        self.parts.push(text("name", VNET + 12, top + 19, &group.title, IN_VNET));
        self.y += GAP;
    }

    fn frame(&mut self, frame: &Frame) {
        let (top, at) = (self.y, self.parts.len());
        if let Some(title) = &frame.title {
            self.parts.push(text("frame-name", NODE - 8, self.y + 16, title, 30));
            self.y += LINE + 8;
            for mark in &frame.marks {
                self.parts.push(marked(NODE - 8, self.y + 10, std::slice::from_ref(mark), IN_NODE));
                self.y += LINE;
            }
        }
        for (index, node) in frame.nodes.iter().enumerate() {
            let last = index + 1 == frame.nodes.len();
            self.node(node, !last);
        }
        if frame.title.is_some() {
            self.parts.insert(at, rect("subnet", NODE - 16, top, NODE_WIDTH + 28, self.y - top));
        }
        self.y += GAP;
        if let Some(lane) = frame.nodes.last().and_then(|node| node.down.as_ref()) {
            self.down(lane);
        }
    }

    fn node(&mut self, node: &Node, more: bool) {
        let top = self.y;
        let lanes = node.left.len().max(node.right.len());
        let notes = node.lines.len() + node.marks.len() + usize::from(node.passes > 0);
        let height = (lanes * LANE).max(LINE * (1 + notes) + 18);
        let class = if node.unknown { "box unknown" } else { "box" };
        self.parts.push(rect(class, NODE, top, NODE_WIDTH, height));
        let mut y = top + 20;
        self.parts.push(text("name", NODE + 10, y, &node.title, IN_NAME));
        for line in &node.lines {
            y += LINE;
            self.parts.push(text("note", NODE + 10, y, line, IN_NODE));
        }
        for mark in &node.marks {
            y += LINE;
            self.parts.push(marked(NODE + 10, y, std::slice::from_ref(mark), IN_NODE));
        }
        if node.passes > 0 {
            y += LINE;
            self.parts.push(text("pass", NODE + 10, y, &format!("✓ {} more pass", node.passes), IN_NODE));
        }
        self.side(&node.left, top, Side::Left);
        self.side(&node.right, top, Side::Right);
        self.y = top + height;
        if more {
            self.y += GAP;
            if let Some(lane) = &node.down {
                self.down(lane);
            }
        }
    }

    /// The relations on one side of a box. Neighbours with the same other end share its box.
    fn side(&mut self, lanes: &[Lane], top: usize, side: Side) {
        let y = |index: usize| top + index * LANE + LANE / 2;
        let mut index = 0;
        for run in lanes.chunk_by(|a, b| (&a.far, &a.notes, a.inside) == (&b.far, &b.notes, b.inside)) {
            let Some(first) = run.first() else { continue };
            let (x, width, most) = match side {
                Side::Left if first.inside => (INNER, INNER_WIDTH, IN_INNER),
                Side::Left => (OUTER, OUTER_WIDTH, IN_FAR),
                Side::Right => (RIGHT, RIGHT_WIDTH, IN_INNER),
            };
            self.far(first, x, width, (y(index), y(index + run.len() - 1)), most);
            for (nth, lane) in run.iter().enumerate() {
                let y = y(index + nth);
                match side {
                    Side::Left => {
                        // What by the facts does not get in, and is judged so, ends at the fence.
                        let held = lane.kept_out && lane.stands() == Stands::Pass;
                        match held {
                            true => self.stopped((x + width, y), VNET),
                            false => self.arrow(lane.stands(), (x + width, y), (NODE, y)),
                        }
                        self.words(lane, WORDS, y, IN_WORDS);
                    }
                    Side::Right => {
                        self.arrow(lane.stands(), (NODE + NODE_WIDTH, y), (RIGHT, y));
                        self.words(lane, RIGHT_WORDS, y, IN_RIGHT_WORDS);
                    }
                }
            }
            index += run.len();
        }
    }

    /// The other end of relations, as high as they reach.
    fn far(&mut self, lane: &Lane, x: usize, width: usize, (first, last): (usize, usize), most: usize) {
        self.parts.push(rect("box far", x, first - HALF, width, last - first + 2 * HALF));
        let mut y = usize::midpoint(first, last) + 5 - 7 * lane.notes.len();
        self.parts.push(text("far-name", x + 8, y, &lane.far, most - 3));
        for note in &lane.notes {
            y += 14;
            self.parts.push(text("note", x + 8, y, note, most));
        }
    }

    fn words(&mut self, lane: &Lane, x: usize, y: usize, most: usize) {
        let lines = [lane.what.as_str(), &lane.by];
        self.parts.push(marked(x, y - 7, &lane.marks, most));
        let told: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        for (index, line) in told.iter().enumerate() {
            self.parts.push(text("note", x, y + 12 + index * 12, line, most + PLAIN));
        }
    }

    /// From a box to the one below it.
    fn down(&mut self, lane: &Lane) {
        let x = NODE + 24;
        let top = self.y - GAP;
        self.y += DOWN - GAP;
        self.arrow(lane.stands(), (x, top), (x, self.y));
        self.parts.push(marked(x + 12, top + 17, &lane.marks, IN_WORDS));
        let told = if lane.by.is_empty() { lane.what.clone() } else { format!("{}: {}", lane.what, lane.by) };
        self.parts.push(text("note", x + 12, top + 31, &told, IN_WORDS + PLAIN));
    }

    fn arrow(&mut self, stands: Stands, from: (usize, usize), to: (usize, usize)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let head =
            if x1 == x2 { format!("M{x2} {y2} l-5 -9 h10 z") } else { format!("M{x2} {y2} l-9 -5 v10 z") };
        let (x3, y3) = if x1 == x2 { (x2, y2 - 8) } else { (x2 - 8, y2) };
        self.parts.push(html! {
            g.arrow.(stands.class()) {
                line x1=(x1) y1=(y1) x2=(x3) y2=(y3) {}
                path d=(head) {}
            }
        });
    }

    /// A line that ends at a bar.
    fn stopped(&mut self, (x, y): (usize, usize), end: usize) {
        self.parts.push(html! {
            g.arrow.stopped.(Stands::Pass.class()) {
                line x1=(x) y1=(y) x2=(end - 5) y2=(y) {}
                path d={ "M" (end - 6) " " (y - 11) " h5 v22 h-5 z" } {}
            }
        });
    }
}

/// Which side of a box.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

fn rect(class: &str, x: usize, y: usize, width: usize, height: usize) -> Markup {
    html! { rect class=(class) x=(x) y=(y) width=(width) height=(height) rx="5" {} }
}

/// A text of at most so many columns, with the whole as its title.
fn text(class: &str, x: usize, y: usize, told: &str, most: usize) -> Markup {
    let (short, whole) = (shortened(told, most), shortened(told, 2_200));
    html! { text class=(class) x=(x) y=(y) { (short) @if short != whole { title { (whole) } } } }
}

/// Verdicts in a row; what does not fit is counted.
fn marked(x: usize, y: usize, marks: &[Mark], most: usize) -> Markup {
    let mut fit = Vec::new();
    let mut width = 0;
    // If not all of them fit, the worst are those that do.
    let mut sorted: Vec<&Mark> = marks.iter().collect();
    sorted.sort_by_key(|mark| mark.stands);
    for mark in sorted {
        let told =
            format!("{} {} {}", mark.stands.sign(), shortened(&mark.policy, 14), short_word(mark.stands));
        width += textwrap::core::display_width(&told) + 2;
        if width > most && !fit.is_empty() {
            break;
        }
        fit.push((mark.stands, told));
    }
    let left = marks.len() - fit.len();
    html! {
        text class="marks" x=(x) y=(y) {
            @if marks.is_empty() { tspan class="untold" { "· not judged" } }
            @for (stands, told) in fit { tspan class=(stands.class()) { (told) } "  " }
            @if left > 0 { tspan class="note" { "+" (left) } }
        }
    }
}

fn short_word(stands: Stands) -> &'static str {
    match stands {
        Stands::NotApplicable => "n/a",
        Stands::Untold => "not judged",
        other => other.word(),
    }
}
