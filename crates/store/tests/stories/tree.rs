//! The Merkle tree over the log, and evidence made from it.

use crate::given::*;
use ::audit::tree::{Frontier, HASH_BYTES, TileId, leaf};
use services::ports::*;
use store::{
    Db,
    testing::{Kind, TestDatabase},
};

crate::stories!(
    the_tree_is_that_of_the_stored_bytes,
    two_that_grow_it_at_once_lose_nothing,
    where_nothing_is_new_nothing_is_written,
    checkpoints_are_found_by_what_they_cover,
    records_come_in_the_order_of_the_log
);

async fn filled(t: &TestDatabase, records: std::ops::Range<u128>) -> std::sync::Arc<Db> {
    let db = t.open().await;
    add(&db, records).await;
    db
}

async fn add(db: &Db, records: std::ops::Range<u128>) {
    let records: Vec<NewRecord> = records
        .map(|n| record(n, "session.start", "session:x"))
        .collect();
    db.audit_append(&records).await.unwrap();
}

async fn leaves(db: &Db) -> Frontier {
    let mut frontier = Frontier::empty();
    for seq in 1.. {
        match db.audit_bytes(seq).await.unwrap() {
            Some(bytes) => frontier.append(leaf(&bytes)),
            None => break,
        }
    }
    frontier
}

async fn the_tree_is_that_of_the_stored_bytes(t: &TestDatabase) {
    let db = filled(t, 1..4).await;
    assert_eq!(db.tree_grow(2).await.unwrap().size(), 2);
    assert_eq!(db.tree_grow(100).await.unwrap(), leaves(&db).await);
    add(&db, 4..600).await;
    assert_eq!(db.tree_grow(300).await.unwrap().size(), 303);
    let all = db.tree_grow(1000).await.unwrap();
    assert_eq!(all, leaves(&db).await);
    assert_eq!(db.tree_grow(1000).await.unwrap(), all, "nothing is new");

    let tile = |level, index, width| TileId {
        level,
        index,
        width,
    };
    let full = db.tree_tile(tile(0, 1, 256)).await.unwrap().unwrap();
    assert_eq!(full.len(), 256 * HASH_BYTES);
    let bytes = db.audit_bytes(257).await.unwrap().unwrap();
    assert_eq!(full[..HASH_BYTES], leaf(&bytes).0);
    // A tree that was smaller had less of it.
    let part = db.tree_tile(tile(0, 1, 3)).await.unwrap().unwrap();
    assert_eq!(part, full[..3 * HASH_BYTES]);
    assert_eq!(db.tree_tile(tile(0, 2, 256)).await.unwrap(), None);
    assert_eq!(db.tree_tile(tile(3, 0, 1)).await.unwrap(), None);
}

async fn two_that_grow_it_at_once_lose_nothing(t: &TestDatabase) {
    let (a, b) = (filled(t, 1..400).await, t.open().await);
    let grow = async |db: &Db| {
        for _ in 0..20 {
            db.tree_grow(30).await.unwrap();
        }
    };
    tokio::join!(grow(&a), grow(&b));
    assert_eq!(a.tree_grow(1).await.unwrap(), leaves(&a).await);
}

async fn where_nothing_is_new_nothing_is_written(t: &TestDatabase) {
    let db = filled(t, 1..300).await;
    let all = db.tree_grow(1000).await.unwrap();
    // From here on the tree's row cannot be written, nor be locked by a write.
    let refuse = match t.kind {
        Kind::Sqlite => {
            "CREATE TRIGGER tree_kept BEFORE UPDATE ON audit_tree BEGIN SELECT RAISE(ABORT, 'kept by a test'); END"
        }
        // Without a RETURNING of its own, the rule refuses an update that asks for one.
        Kind::Postgres => "CREATE RULE tree_kept AS ON UPDATE TO audit_tree DO INSTEAD NOTHING",
    };
    db.execute_for_test(refuse).await.unwrap();
    assert_eq!(db.tree_grow(1000).await.unwrap(), all);
    add(&db, 300..301).await;
    assert!(db.tree_grow(1000).await.is_err(), "one record is new");
}

async fn checkpoints_are_found_by_what_they_cover(t: &TestDatabase) {
    let db = t.open().await;
    assert_eq!(db.checkpoint_last().await.unwrap(), None);
    let of = |size, note: &str| StoredCheckpoint {
        size,
        at: at(size as i64),
        note: note.into(),
    };
    for c in [of(3, "a"), of(10, "b"), of(10, "again")] {
        db.checkpoint_put(&c).await.unwrap();
    }
    assert_eq!(db.checkpoint_last().await.unwrap(), Some(of(10, "b")));
    for (size, found) in [
        (1, Some(of(3, "a"))),
        (3, Some(of(3, "a"))),
        (4, Some(of(10, "b"))),
        (11, None),
    ] {
        assert_eq!(db.checkpoint_covering(size).await.unwrap(), found, "{size}");
    }
}

async fn records_come_in_the_order_of_the_log(t: &TestDatabase) {
    let db = filled(t, 1..8).await;
    let everywhere = AuditFilter {
        scopes: vec![(vec!["*".into()], vec!["*".into()])],
        ..AuditFilter::default()
    };
    let found = db.audit_forward(&everywhere, 2, 6, 3).await.unwrap();
    assert_eq!(
        found.iter().map(|(r, _)| r.seq).collect::<Vec<_>>(),
        [3, 4, 5]
    );
    for (record, bytes) in &found {
        assert_eq!(
            db.audit_bytes(record.seq).await.unwrap().as_ref(),
            Some(bytes)
        );
    }
    assert_eq!(db.audit_between(None, None).await.unwrap(), Some((1, 7)));
    let (third, sixth) = (found[0].0.record.at, found[2].0.record.at.plus(1));
    assert_eq!(
        db.audit_between(Some(third), Some(sixth)).await.unwrap(),
        Some((3, 5))
    );
    assert_eq!(
        db.audit_between(Some(at(1_000_000)), None).await.unwrap(),
        None
    );
}
