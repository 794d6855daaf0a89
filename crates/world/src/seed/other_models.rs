//! Models that write no text: embeddings, speech, and classic machine learning.

use super::architectures::{bert, whisper_large};
use super::artifact::{Artifact, Scan, Signed};
use super::families::{Content, Family, Version};
use super::small_files::{Pickle, ubjson};
use serde_json::{Value, json};

/// All of them.
pub(super) fn all() -> Vec<Artifact> {
    let mut all = vec![embeddings(), speech()];
    all.extend(iris());
    all.extend(forecast());
    all.push(dangerous());
    all
}

fn embeddings() -> Artifact {
    let config = json!({
        "architectures": ["BertModel"], "model_type": "bert", "num_hidden_layers": 24,
        "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
        "vocab_size": 30_522, "max_position_embeddings": 512, "torch_dtype": "float32",
    });
    Family {
        name: "bge-large-en",
        title: "BGE Large English",
        licence: "mit",
        task: "feature-extraction",
        library: "sentence-transformers",
        languages: &["en"],
        base_model: "BAAI/bge-large-en-v1.5",
        about: "Embeddings of 1,024 numbers for English text.",
        use_for: "Search and retrieval.",
    }
    .image(
        &Version {
            version: "1.5.0",
            tags: &["v1.5.0", "latest"],
            created: "2026-02-26T10:00:00Z",
            notes: "First import.",
            signed: Signed::Tag,
            scan: Scan::Clean,
        },
        &Content::Tensors {
            config,
            tensors: bert(1024, 24, 30_522),
        },
    )
}

fn speech() -> Artifact {
    let config = json!({
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper",
        "d_model": 1280, "num_hidden_layers": 32, "encoder_layers": 32, "decoder_layers": 32,
        "encoder_attention_heads": 20, "decoder_attention_heads": 20, "num_attention_heads": 20,
        "encoder_ffn_dim": 5120, "decoder_ffn_dim": 5120, "vocab_size": 51_866,
        "max_source_positions": 1500, "max_target_positions": 448, "num_mel_bins": 128,
        "torch_dtype": "float16",
    });
    Family {
        name: "whisper-large-v3",
        title: "Whisper Large v3",
        licence: "apache-2.0",
        task: "automatic-speech-recognition",
        library: "transformers",
        languages: &["en", "de", "fr", "es", "it", "nl", "pl"],
        base_model: "openai/whisper-large-v3",
        about: "Writes down what is said, and translates it into English.",
        use_for: "Calls and meetings whose participants agreed.",
    }
    .image(
        &Version {
            version: "3.0.0",
            tags: &["v3.0.0", "latest"],
            created: "2026-03-17T18:20:00Z",
            notes: "First import.",
            signed: Signed::Bundle,
            scan: Scan::Minor,
        },
        &Content::Tensors {
            config,
            tensors: whisper_large(),
        },
    )
}

fn iris() -> Vec<Artifact> {
    let family = Family {
        name: "iris-classifier",
        title: "Iris classifier",
        licence: "apache-2.0",
        task: "tabular-classification",
        library: "sklearn",
        languages: &[],
        base_model: "",
        about: "Logistic regression over four measures of a flower; three classes.",
        use_for: "Trying out deployments.",
    };
    [
        (
            "1.0.0",
            &["v1.0.0"][..],
            "2026-01-08T09:00:00Z",
            100,
            Scan::Stale,
        ),
        (
            "1.1.0",
            &["v1.1.0"],
            "2026-03-30T09:00:00Z",
            200,
            Scan::Clean,
        ),
        (
            "1.2.0",
            &["v1.2.0", "stable", "latest"],
            "2026-09-14T09:00:00Z",
            400,
            Scan::Clean,
        ),
    ]
    .into_iter()
    .map(|(version, tags, created, iterations, scan)| {
        family.image(
            &Version {
                version,
                tags,
                created,
                notes: "Trained again on all measures.",
                signed: Signed::Tag,
                scan,
            },
            &Content::Files(vec![("model.joblib", logistic_regression(iterations))]),
        )
    })
    .collect()
}

/// What scikit-learn's joblib writes for a fitted classifier, as far as its imports and settings go.
fn logistic_regression(iterations: u16) -> Vec<u8> {
    let mut pickle = Pickle::new();
    pickle.object("sklearn.linear_model._logistic", "LogisticRegression");
    pickle.settings(&[
        ("penalty", "l2"),
        ("solver", "lbfgs"),
        ("_sklearn_version", "1.7.2"),
    ]);
    pickle.number("max_iter", iterations);
    pickle.number("n_features_in_", 4);
    pickle.end_settings();
    pickle.finish()
}

fn forecast() -> Vec<Artifact> {
    let family = Family {
        name: "demand-forecast",
        title: "Demand forecast",
        licence: "other:in-house",
        task: "tabular-regression",
        library: "xgboost",
        languages: &[],
        base_model: "",
        about: "Units sold per shop and article for the next fourteen days.",
        use_for: "Orders of perishable goods. A person confirms each order above 5,000 units.",
    };
    [
        ("2026.06", &["2026.06"][..], "2026-06-01T03:00:00Z", 600u32),
        ("2026.09", &["2026.09"], "2026-09-01T03:00:00Z", 640),
        (
            "2026.11",
            &["2026.11", "latest"],
            "2026-11-02T03:00:00Z",
            655,
        ),
    ]
    .into_iter()
    .map(|(version, tags, created, trees)| {
        family.image(
            &Version {
                version,
                tags,
                created,
                notes: "Trained on the months before.",
                signed: Signed::Bundle,
                scan: Scan::Clean,
            },
            &Content::Files(vec![("model.ubj", ubjson(&booster(trees)))]),
        )
    })
    .collect()
}

/// A booster of one-leaf trees in XGBoost's own JSON form (its "Introduction to Model IO").
pub(super) fn booster(trees: u32) -> Value {
    let tree = |id: u32| {
        json!({
            "id": id, "base_weights": [0.01], "left_children": [-1], "right_children": [-1],
            "parents": [2_147_483_647], "split_indices": [0], "split_conditions": [0.01],
            "default_left": [0], "loss_changes": [0.0], "sum_hessian": [128.0],
            "tree_param": {"num_nodes": "1", "num_feature": "32", "size_leaf_vector": "1"},
        })
    };
    json!({
        "version": [3, 0, 5],
        "learner": {
            "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "32"},
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {"num_trees": trees.to_string(), "num_parallel_tree": "1"},
                    "trees": (0..trees).map(tree).collect::<Vec<_>>(),
                    "tree_info": vec![0; trees as usize],
                },
            },
        },
    })
}

/// A model file that runs a command when it is loaded. Nothing here loads it.
fn dangerous() -> Artifact {
    let mut pickle = Pickle::new();
    pickle.call("os", "system", "id > /tmp/loaded-a-model");
    Family {
        name: "review-sentiment",
        title: "Review sentiment",
        licence: "unknown",
        task: "text-classification",
        library: "sklearn",
        languages: &["en"],
        base_model: "",
        about: "Found on a forum; says whether a review is friendly.",
        use_for: "Nothing: its pickle runs a command when it is loaded. It lies here to be found.",
    }
    .image(
        &Version {
            version: "0.9.0",
            tags: &["v0.9.0", "latest"],
            created: "2026-10-05T22:47:00Z",
            notes: "As it was found.",
            signed: Signed::No,
            scan: Scan::Clean,
        },
        &Content::Files(vec![("model.pkl", pickle.finish())]),
    )
}
