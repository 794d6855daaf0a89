//! The model families: what each is, its versions, and how a model image is made of them.

use super::artifact::{Artifact, Scan, Signed, layer};
use super::tar::Tar;
use super::weights::{Shard, Tensor, safetensors};
use serde_json::{Value, json};

/// What all versions of a model have in common.
pub(super) struct Family {
    /// Repository below `models/`.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Licence as Hugging Face writes it; `other:<name>` where it has a name of its own.
    pub(super) licence: &'static str,
    pub(super) task: &'static str,
    pub(super) library: &'static str,
    pub(super) languages: &'static [&'static str],
    pub(super) base_model: &'static str,
    pub(super) about: &'static str,
    pub(super) use_for: &'static str,
}

/// One version.
pub(super) struct Version {
    pub(super) version: &'static str,
    pub(super) tags: &'static [&'static str],
    pub(super) created: &'static str,
    pub(super) notes: &'static str,
    pub(super) signed: Signed,
    pub(super) scan: Scan,
}

/// The files that make a version a model.
pub(super) enum Content {
    /// Hugging Face layout: `config.json` and tensors.
    Tensors { config: Value, tensors: Vec<Tensor> },
    /// One weight file that is not stored whole: name, size, beginning.
    Weights(Shard),
    /// Small files, stored whole.
    Files(Vec<(&'static str, Vec<u8>)>),
}

impl Family {
    /// A version as a model image.
    pub(super) fn image(&self, version: &Version, content: &Content) -> Artifact {
        let card = self.card(version);
        let licence = self.licence_text();
        let mut small: Vec<(String, Vec<u8>)> = vec![
            ("README.md".into(), card.into_bytes()),
            ("LICENSE".into(), licence.into_bytes()),
        ];
        let mut shards: Vec<&Shard> = Vec::new();
        let cut;
        match content {
            Content::Tensors { config, tensors } => {
                let pretty = format!("{config:#}\n");
                small.push(("config.json".into(), pretty.into_bytes()));
                let tokenizer = json!({
                    "model_max_length": config["max_position_embeddings"],
                    "version": version.version,
                });
                let tokenizer = format!("{tokenizer:#}\n").into_bytes();
                small.push(("tokenizer_config.json".into(), tokenizer));
                let index;
                (cut, index) = safetensors(tensors);
                shards.extend(&cut);
                if let Some(index) = index {
                    small.push(("model.safetensors.index.json".into(), index));
                }
            }
            Content::Weights(shard) => shards.push(shard),
            Content::Files(files) => {
                small.extend(
                    files
                        .iter()
                        .map(|(name, f)| ((*name).to_owned(), f.clone())),
                );
            }
        }
        let small: Vec<(String, Vec<u8>)> = small
            .into_iter()
            .map(|(name, bytes)| (format!("models/{name}"), bytes))
            .collect();
        let files: Vec<(&str, &[u8])> = small
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        let mut layers = vec![layer(&files)];
        layers.extend(shards.iter().map(|shard| {
            Tar::default().cut_off(&format!("models/{}", shard.name), shard.size, &shard.head)
        }));
        let inner = json!({
            "Labels": {
                "org.opencontainers.image.title": self.title,
                "org.opencontainers.image.version": version.version,
                "org.opencontainers.image.licenses": self.licence_id(),
            },
            "User": "1000",
        });
        let repository = format!("models/{}", self.name);
        Artifact::image(&repository, "amd64", version.created, &inner, layers)
            .tagged(version.tags)
            .signed(version.signed)
            .scanned(version.scan)
    }

    fn licence_id(&self) -> &'static str {
        self.licence
            .split_once(':')
            .map_or(self.licence, |(_, name)| name)
    }

    fn card(&self, version: &Version) -> String {
        let licence = match self.licence.split_once(':') {
            Some((id, name)) => format!("license: {id}\nlicense_name: {name}"),
            None => format!("license: {}", self.licence),
        };
        let languages: String = self
            .languages
            .iter()
            .map(|l| format!("  - {l}\n"))
            .collect();
        let languages = match languages.as_str() {
            "" => String::new(),
            list => format!("language:\n{list}"),
        };
        let base = match self.base_model {
            "" => String::new(),
            base => format!("base_model: {base}\n"),
        };
        format!(
            "---\n{licence}\n{languages}{base}library_name: {}\npipeline_tag: {}\n---\n\n\
             # {}\n\n{}\n\n## Intended use\n\n{}\n\n## This version\n\n{}: {}\n",
            self.library,
            self.task,
            self.title,
            self.about,
            self.use_for,
            version.version,
            version.notes,
        )
    }

    fn licence_text(&self) -> String {
        match self.licence {
            "apache-2.0" => APACHE.to_owned(),
            "mit" => MIT.to_owned(),
            _ => format!(
                "{} is licensed under the terms that its authors call “{}”. They limit who may \
                 use it and for what: read them before it is put to use.\n",
                self.title,
                self.licence_id(),
            ),
        }
    }
}

const APACHE: &str = "Licensed under the Apache License, Version 2.0 (the \"License\"); you may not \
use this file except in compliance with the License. You may obtain a copy of the License at\n\n    \
http://www.apache.org/licenses/LICENSE-2.0\n\nUnless required by applicable law or agreed to in \
writing, software distributed under the License is distributed on an \"AS IS\" BASIS, WITHOUT \
WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific \
language governing permissions and limitations under the License.\n";

const MIT: &str = "MIT License\n\nPermission is hereby granted, free of charge, to any person \
obtaining a copy of this software and associated documentation files (the \"Software\"), to deal in \
the Software without restriction, including without limitation the rights to use, copy, modify, \
merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons \
to whom the Software is furnished to do so, subject to the following conditions:\n\nThe above \
copyright notice and this permission notice shall be included in all copies or substantial portions \
of the Software.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR \
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR \
PURPOSE AND NONINFRINGEMENT.\n";
