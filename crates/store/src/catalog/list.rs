//! Search, filters, order and facets of the catalogue, in SQL.

use super::read::{models, select_models};
use crate::{conn::Conn, row::word, sql::Sql};
use domain::{
    Error, Result,
    ids::*,
    page::{self, Page},
};
use serde::{Deserialize, Serialize};
use services::ports::{CatalogFilter, CatalogSort, Facets, ModelRow};

/// The most values that a facet shows; the rest is found by search.
const MAX_FACET_VALUES: i64 = 50;

/// Where a page ends: the order that it belongs to, the last row's value in it, and its id.
#[derive(Clone, Serialize, Deserialize)]
struct Key {
    sort: CatalogSort,
    text: String,
    number: i64,
    id: ModelId,
}

/// A facet: the column that its values stand in.
#[derive(Clone, Copy, PartialEq)]
enum Facet {
    Task,
    Format,
    Licence,
    Kind,
    Signature,
    Scan,
    Registry,
}

impl Facet {
    fn column(self) -> &'static str {
        match self {
            Self::Task => "m.task",
            Self::Format => "m.format",
            Self::Licence => "m.licence",
            Self::Kind => "m.kind",
            Self::Signature => "m.signature",
            Self::Scan => "m.scan",
            Self::Registry => "m.registry_id",
        }
    }

    fn chosen(self, f: &CatalogFilter) -> Result<Vec<String>> {
        Ok(match self {
            Self::Task => f.tasks.clone(),
            Self::Format => f.formats.clone(),
            Self::Licence => f.licences.clone(),
            Self::Kind => f.kinds.iter().map(word).collect::<Result<_>>()?,
            Self::Signature => f.signatures.clone(),
            Self::Scan => f.scans.clone(),
            Self::Registry => f.registries.iter().map(|r| r.to_string()).collect(),
        })
    }

    const ALL: [Self; 7] = [Self::Task, Self::Format, Self::Licence, Self::Kind, Self::Signature, Self::Scan, Self::Registry];
}

/// ` WHERE …`, with every facet's choice but one's.
fn conditions(q: &mut Sql, f: &CatalogFilter, except: Option<Facet>) -> Result<()> {
    q.push(" WHERE m.versions > 0");
    for facet in Facet::ALL.into_iter().filter(|facet| Some(*facet) != except) {
        q.among(facet.column(), facet.chosen(f)?.into_iter());
    }
    if let Some(text) = &f.text {
        q.words("m.search", text);
    }
    Ok(())
}

pub(super) async fn page(c: &mut Conn, f: &CatalogFilter, after: Option<&str>, limit: usize) -> Result<Page<ModelRow>> {
    let (column, descending) = match f.sort {
        CatalogSort::Name => ("m.name_key", false),
        CatalogSort::Newest => ("m.newest_at", true),
        CatalogSort::Size => ("m.size_bytes", true),
        CatalogSort::Parameters => ("m.parameters", true),
    };
    let (beyond, order) = if descending { ("<", " DESC") } else { (">", "") };
    let select = select_models().replacen("SELECT ", "SELECT m.name_key AS name_key, m.newest_at AS newest_at, m.size_bytes AS size_bytes, m.parameters AS parameters, ", 1);
    let mut q = Sql::new(&select);
    conditions(&mut q, f, None)?;
    if let Some(after) = after {
        let key: Key = page::decode(after)?;
        if key.sort != f.sort {
            return Err(Error::invalid("this page address belongs to another order").remedy("Start again from the first page."));
        }
        q.push(&format!(" AND ({column}, m.id) {beyond} ("));
        if f.sort == CatalogSort::Name { q.arg(key.text) } else { q.arg(key.number) };
        q.push(", ").arg(key.id).push(")");
    }
    q.push(&format!(" ORDER BY {column}{order}, m.id{order}")).limit(limit);
    let found = c.all(q.text, q.args).await?;
    let mut keys = Vec::with_capacity(found.len());
    for r in &found {
        let number = match f.sort {
            CatalogSort::Name => 0,
            CatalogSort::Newest => r.int("newest_at")?,
            CatalogSort::Size => r.int("size_bytes")?,
            CatalogSort::Parameters => r.int("parameters")?,
        };
        let text = if f.sort == CatalogSort::Name { r.text("name_key")? } else { String::new() };
        keys.push(Key { sort: f.sort, text, number, id: r.id("m_id")? });
    }
    let rows: Vec<_> = models(c, &found).await?.into_iter().zip(keys).collect();
    Ok(Page::cut(rows, limit, |(_, key)| key.clone()).map(|(model, _)| model))
}

async fn count(c: &mut Conn, f: &CatalogFilter, facet: Facet) -> Result<Vec<(String, i64)>> {
    let column = facet.column();
    let mut q = Sql::new(&format!("SELECT {column} AS value, count(*) AS n FROM models m"));
    conditions(&mut q, f, Some(facet))?;
    q.push(&format!(" GROUP BY {column} ORDER BY count(*) DESC, {column} LIMIT ")).arg(MAX_FACET_VALUES);
    c.all(q.text, q.args).await?.iter().map(|r| Ok((r.text("value")?, r.int("n")?))).collect()
}

pub(super) async fn facets(c: &mut Conn, f: &CatalogFilter) -> Result<Facets> {
    let mut registries = Vec::new();
    let counted = count(c, f, Facet::Registry).await?;
    if !counted.is_empty() {
        let mut q = Sql::new("SELECT id, name FROM registries WHERE 1 = 1");
        q.among("id", counted.iter().map(|(id, _)| id.as_str()));
        for row in c.all(q.text, q.args).await? {
            let id = row.text("id")?;
            if let Some((_, n)) = counted.iter().find(|(counted, _)| *counted == id) {
                registries.push((row.id("id")?, row.text("name")?, *n));
            }
        }
        registries.sort_by(|a: &(RegistryId, String, i64), b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    }
    Ok(Facets {
        tasks: count(c, f, Facet::Task).await?,
        formats: count(c, f, Facet::Format).await?,
        licences: count(c, f, Facet::Licence).await?,
        kinds: count(c, f, Facet::Kind).await?,
        signatures: count(c, f, Facet::Signature).await?,
        scans: count(c, f, Facet::Scan).await?,
        registries,
    })
}
