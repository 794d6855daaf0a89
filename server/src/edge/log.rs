//! The audit log's tree for whoever watches it: the last checkpoint, tiles of hashes and the public
//! keys, as C2SP tlog-tiles has them. Hashes tell nothing of what they are of, so nobody has to sign in.

use super::{page::Fault, state::AppState};
use audit::tree::{TILE_WIDTH, TileId};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{Error, Result};
use http::header;

/// Full tiles never change.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/keys", get(keys))
        .route("/log/tile/{level}/{*number}", get(tile))
}

fn text(body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, body).into_response()
}

async fn checkpoint(State(state): State<AppState>) -> Response {
    match state.services.checkpoints.last().await {
        Ok(Some(last)) => text(last.note),
        Ok(None) => Fault::from(
            Error::not_found("the audit log has no checkpoint yet")
                .remedy("The first is signed seconds after the first record."),
        )
        .into_response(),
        Err(e) => Fault::from(e).into_response(),
    }
}

async fn keys(State(state): State<AppState>) -> Response {
    let mut lines = state.services.checkpoints.keys().join("\n");
    lines.push('\n');
    text(lines)
}

async fn tile(
    State(state): State<AppState>,
    Path((level, number)): Path<(String, String)>,
) -> Response {
    let found = async {
        let id = tile_of(&level, &number)?;
        let hashes = state.services.checkpoints.tile(id).await?;
        Ok::<_, Error>((id, hashes))
    };
    match found.await {
        Ok((id, hashes)) => {
            let keep = if usize::from(id.width) == TILE_WIDTH {
                FOR_EVER
            } else {
                "no-cache"
            };
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, keep),
            ];
            (headers, hashes).into_response()
        }
        Err(e) => Fault::from(e).into_response(),
    }
}

/// A tile by its address (C2SP tlog-tiles): the level, then the number in groups of three digits of
/// which all but the last begin with `x`, then `.p/` and the width where the tile is not full.
///
/// Errors: `NotFound` for any other way of writing it.
fn tile_of(level: &str, number: &str) -> Result<TileId> {
    let gone = || Error::not_found("this is the address of no tile");
    let level = digits(level)
        .filter(|l| *l < 64 && level == l.to_string())
        .ok_or_else(gone)?;
    let (number, width) = match number.split_once(".p/") {
        None => (number, TILE_WIDTH as u64),
        Some((number, width)) => {
            let w = digits(width).filter(|w| (1..TILE_WIDTH as u64).contains(w));
            (number, w.ok_or_else(gone)?)
        }
    };
    let mut index = 0u64;
    let mut groups = number.split('/').peekable();
    while let Some(group) = groups.next() {
        let group = match groups.peek() {
            Some(_) => group.strip_prefix('x').ok_or_else(gone)?,
            None => group,
        };
        let three = Some(group).filter(|g| g.len() == 3).and_then(digits);
        index = three
            .and_then(|g| index.checked_mul(1000)?.checked_add(g))
            .ok_or_else(gone)?;
    }
    Ok(TileId {
        level: u8::try_from(level).map_err(|_| gone())?,
        index,
        width: u16::try_from(width).map_err(|_| gone())?,
    })
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_specification() {
        let tile = |level, number| {
            tile_of(level, number)
                .map(|t| (t.level, t.index, t.width))
                .ok()
        };
        assert_eq!(tile("0", "000"), Some((0, 0, 256)));
        assert_eq!(tile("1", "x001/x234/067"), Some((1, 1_234_067, 256)));
        assert_eq!(tile("0", "x001/000.p/8"), Some((0, 1000, 8)));
        for (level, number) in [
            ("00", "000"),
            ("64", "000"),
            ("x", "000"),
            ("0", "0"),
            ("0", "0000"),
            ("0", "001/000"),
            ("0", "x001"),
            ("0", "000.p/0"),
            ("0", "000.p/256"),
            ("0", "000.p/"),
            ("0", "-01"),
            ("0", ""),
            ("0", "../000"),
            ("0", "x999/x999/x999/x999/x999/x999/x999/999"),
        ] {
            assert_eq!(tile(level, number), None, "{level} {number}");
        }
    }
}
