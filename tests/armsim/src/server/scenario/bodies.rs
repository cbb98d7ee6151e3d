//! How a body is sent: whole, or in one of the ways in which it does not arrive as it should.
//!
//! A stream that fails makes hyper close the connection: a client sees the answer break off. What is in the body is
//! left to the other modules.

use super::trouble::{Gzip, Pace, What};
use axum::body::{Body, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, Stream, StreamExt};
use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

/// How often a body that drips sends a byte, in Azure's time.
const DRIP: Duration = Duration::from_millis(100);
const FLOOD: usize = 64 * 1024;
const MEBIBYTE: usize = 1 << 20;

/// One way of sending.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::server) enum Delivery {
    /// Closes the connection without a word.
    Close,
    /// Chunks, of which the last is missing.
    BreakOff { at: usize },
    /// Fewer bytes than `Content-Length` promised, then the connection closes.
    CutShort { at: usize },
    /// Fewer bytes than promised, then silence.
    Stall { at: usize },
    /// Piece by piece.
    Slow { pieces: usize, pause: Duration },
    /// Blanks after the body, slowly and for ever.
    Drip { pause: Duration },
    /// Blanks after the body, fast and for ever.
    Flood,
    /// Said to be gzip, and is not.
    Garbage,
    /// Gzip without its second half.
    Truncated,
    /// The body and so many MiB of blanks, as gzip.
    Bomb { mebibytes: usize },
}

impl Delivery {
    /// How that trouble sends an answer.
    pub(super) fn of(what: &What, time_scale: f64) -> Option<Self> {
        let scaled = |time| scaled(time, time_scale);
        Some(match what {
            What::Close {} => Self::Close,
            What::BreakOff { at } => Self::BreakOff { at: *at },
            What::CutShort { at } => Self::CutShort { at: *at },
            What::Stall { at } => Self::Stall { at: *at },
            What::Slow { seconds, pieces } => {
                let pause = scaled(Duration::from_secs(u64::from(*seconds)) / *pieces);
                Self::Slow { pieces: usize::try_from(*pieces).unwrap_or(usize::MAX), pause }
            }
            What::Endless { pace: Pace::Drip } => Self::Drip { pause: scaled(DRIP) },
            What::Endless { pace: Pace::Flood } => Self::Flood,
            What::Gzip { how: Gzip::Garbage, .. } => Self::Garbage,
            What::Gzip { how: Gzip::Truncated, .. } => Self::Truncated,
            What::Gzip { how: Gzip::Bomb, mebibytes } => Self::Bomb { mebibytes: *mebibytes },
            _ => return None,
        })
    }

    /// The body on its way, and the headers that go with it.
    pub(in crate::server) fn send(self, body: Vec<u8>) -> (Body, Vec<(&'static str, String)>) {
        let whole = body.len();
        // A body that breaks off does so before its end.
        let part = |at: usize| Bytes::from(body[..at.min(whole.saturating_sub(1))].to_vec());
        let length = vec![("content-length", whole.max(1).to_string())];
        let gzip = vec![("content-encoding", "gzip".to_owned())];
        match self {
            // hyper flushes the head together with what follows it: here, nothing does.
            Self::Close => (Body::from_stream(stream::iter([failure()])), Vec::new()),
            Self::BreakOff { at } => (Body::from_stream(first(part(at)).chain(late(failure()))), Vec::new()),
            Self::CutShort { at } => (Body::from_stream(first(part(at)).chain(late(failure()))), length),
            Self::Stall { at } => (Body::from_stream(first(part(at)).chain(stream::pending())), length),
            Self::Slow { pieces, pause } => {
                (slowly(body, pieces, pause), vec![("content-length", whole.to_string())])
            }
            Self::Drip { pause } => {
                let blanks = stream::repeat(Bytes::from_static(b" ")).then(move |blank| after(pause, blank));
                (Body::from_stream(first(Bytes::from(body)).chain(blanks.map(Ok))), Vec::new())
            }
            Self::Flood => {
                let blanks = stream::repeat(Bytes::from(vec![b' '; FLOOD])).map(Ok);
                (Body::from_stream(first(Bytes::from(body)).chain(blanks)), Vec::new())
            }
            Self::Garbage => (Body::from(b"\x1f\x8b this is no gzip".to_vec()), gzip),
            Self::Truncated => {
                let packed = packed(&body);
                (Body::from(packed[..packed.len() / 2].to_vec()), gzip)
            }
            Self::Bomb { mebibytes } => (bomb(body, mebibytes), gzip),
        }
    }
}

/// A time of Azure's as a real one.
pub(in crate::server) fn scaled(time: Duration, time_scale: f64) -> Duration {
    // A scale that is no positive number slows nothing down and speeds nothing up.
    match time_scale.is_normal() && time_scale > 0.0 {
        true => Duration::try_from_secs_f64(time.as_secs_f64() / time_scale).unwrap_or(Duration::MAX),
        false => time,
    }
}

type Piece = io::Result<Bytes>;

fn failure() -> Piece {
    Err(io::Error::other("this answer was to break off"))
}

fn first(part: Bytes) -> impl Stream<Item = Piece> {
    stream::iter([Ok(part)])
}

/// After what went before has left for the client.
fn late(piece: Piece) -> impl Stream<Item = Piece> {
    stream::once(async {
        tokio::task::yield_now().await;
        piece
    })
}

async fn after(pause: Duration, piece: Bytes) -> Bytes {
    tokio::time::sleep(pause).await;
    piece
}

fn slowly(body: Vec<u8>, pieces: usize, pause: Duration) -> Body {
    let size = body.len().div_ceil(pieces).max(1);
    let pieces: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::iter(pieces).then(move |piece| after(pause, piece)).map(Ok::<_, Infallible>))
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// Packs a MiB at a time, so that the blanks are nowhere as a whole.
fn bomb(body: Vec<u8>, mebibytes: usize) -> Body {
    let start = (Some(GzEncoder::new(Vec::new(), Compression::fast())), body, mebibytes);
    let pieces = stream::try_unfold(start, |(encoder, plain, left)| async move {
        let Some(mut encoder) = encoder else { return Ok::<_, io::Error>(None) };
        encoder.write_all(&plain)?;
        if left == 0 {
            return Ok(Some((Bytes::from(encoder.finish()?), (None, Vec::new(), 0))));
        }
        let piece = std::mem::take(encoder.get_mut());
        Ok(Some((Bytes::from(piece), (Some(encoder), vec![b' '; MEBIBYTE], left - 1))))
    });
    Body::from_stream(pieces)
}
