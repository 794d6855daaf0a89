use super::*;
use std::collections::BTreeMap;

/// Tiles as a store keeps them: all bytes by level and index.
type Store = BTreeMap<(u8, u64), Vec<u8>>;

fn record(n: u64) -> Vec<u8> {
    format!("record {n}").into_bytes()
}

/// The root by the definition of RFC 6962, 2.1, alone.
fn defined(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => tlog_tiles::EMPTY_HASH,
        [one] => *one,
        many => {
            let split = many.len().next_power_of_two() / 2;
            tlog_tiles::node_hash(defined(&many[..split]), defined(&many[split..]))
        }
    }
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf(&record(i))).collect()
}

/// A store of `n` records, grown in steps of `step`, as after restarts.
fn grown(n: u64, step: u64) -> (Store, Hash) {
    let mut store = Store::new();
    let mut size = 0;
    let mut root = Frontier::empty().root();
    while size < n {
        let mut edge = Edge::new(size, |t| store.get(&(t.level, t.index)).cloned()).unwrap();
        for i in size..n.min(size + step) {
            edge.append(leaf(&record(i)));
        }
        for (level, index, bytes) in edge.changed() {
            store.insert((level, index), bytes);
        }
        (size, root) = (edge.size(), edge.frontier().root());
    }
    (store, root)
}

fn answered<T>(store: &Store, ask: impl Fn(&Tiles) -> Result<Plan<T>>) -> T {
    let mut have = Tiles::new();
    for _ in 0..3 {
        match ask(&have).unwrap() {
            Plan::Done(t) => return t,
            Plan::Read(tiles) => have.extend(
                tiles
                    .into_iter()
                    .map(|t| (t, store[&(t.level, t.index)][..t.bytes()].to_vec())),
            ),
        }
    }
    panic!("the plan asks again and again");
}

#[test]
fn a_leaf_and_an_empty_tree_hash_as_the_rfc_says() {
    assert_eq!(
        hex::encode(leaf(b"").0),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(
        hex::encode(Frontier::empty().root().0),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn roots_are_those_of_the_definition_however_the_tree_grew() {
    let all = leaves(700);
    let mut frontier = Frontier::empty();
    for n in 1..=700u64 {
        frontier.append(all[n as usize - 1]);
        assert_eq!(frontier.root(), defined(&all[..n as usize]), "{n}");
    }
    for n in [1, 2, 255, 256, 257, 511, 512, 700] {
        for step in [1, 7, 256, 1000] {
            assert_eq!(
                grown(n, step).1,
                defined(&all[..n as usize]),
                "{n} by {step}"
            );
        }
    }
}

#[test]
fn large_trees_have_tiles_on_several_levels() {
    let n = 70_000;
    let (store, root) = grown(n, 10_000);
    assert!(store.contains_key(&(2, 0)), "65,536 records fill a level");
    assert_eq!(root, defined(&leaves(n)));
    let proof = answered(&store, |have| inclusion(n, root, 12_345, have));
    assert!(is_included(&proof, n, root, 12_345, leaf(&record(12_345))));
}

#[test]
fn every_record_is_proven_and_nothing_else() {
    for n in [1u64, 2, 3, 255, 256, 257, 600] {
        let (store, root) = grown(n, 50);
        for index in [0, n / 2, n - 1] {
            let proof = answered(&store, |have| inclusion(n, root, index, have));
            let hash = leaf(&record(index));
            assert!(is_included(&proof, n, root, index, hash));
            assert!(!is_included(&proof, n, root, index, leaf(b"another")));
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at].0[7] ^= 1;
                assert!(!is_included(&wrong, n, root, index, hash));
            }
        }
        assert!(inclusion(n, root, n, &Tiles::new()).is_err());
    }
}

#[test]
fn a_tree_begins_with_each_earlier_one() {
    let all = leaves(600);
    let (store, root) = grown(600, 600);
    for earlier in [1u64, 2, 100, 255, 256, 257, 512, 599, 600] {
        let before = defined(&all[..earlier as usize]);
        let proof = answered(&store, |have| consistency(600, root, earlier, have));
        assert!(
            is_consistent(&proof, 600, root, earlier, before),
            "{earlier}"
        );
        assert!(!is_consistent(&proof, 600, root, earlier, leaf(b"x")));
        let frontier = answered(&store, |have| frontier_of(600, root, earlier, have));
        assert_eq!(frontier.root(), before);
    }
    assert!(consistency(600, root, 0, &Tiles::new()).is_err());
    assert!(consistency(600, root, 601, &Tiles::new()).is_err());
}

#[test]
fn tiles_that_were_changed_prove_nothing() {
    let (mut store, root) = grown(600, 600);
    store.get_mut(&(0, 1)).unwrap()[40] ^= 1;
    let have: Tiles = store
        .iter()
        .map(|(&(level, index), bytes)| {
            let width = u16::try_from(bytes.len() / HASH_BYTES).unwrap();
            (
                TileId {
                    level,
                    index,
                    width,
                },
                bytes.clone(),
            )
        })
        .collect();
    let refused = inclusion(600, root, 300, &have);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn an_edge_that_is_too_short_is_no_tree() {
    assert!(Edge::new(3, |_| Some(vec![0; 64])).is_err());
    assert!(Edge::new(3, |_| None).is_err());
    assert!(Frontier::new(3, vec![leaf(b"")]).is_err());
}

#[test]
fn the_edge_names_what_is_unfinished() {
    let named = |size| -> Vec<Option<(u8, u64, u16)>> {
        TileId::edge(size)
            .into_iter()
            .map(|t| t.map(|t| (t.level, t.index, t.width)))
            .collect()
    };
    assert_eq!(named(0), []);
    assert_eq!(named(255), [Some((0, 0, 255))]);
    assert_eq!(named(256), [None, Some((1, 0, 1))]);
    assert_eq!(named(65_537), [Some((0, 256, 1)), None, Some((2, 0, 1))]);
}
