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
use std::collections::BTreeMap;

/// The most values that a facet shows; the rest is found by search.
const MAX_FACET_VALUES: usize = 50;

/// Where a page ends: the order that it belongs to, the last row's value in it, and its id.
#[derive(Clone, Serialize, Deserialize)]
struct Key {
    sort: CatalogSort,
    text: String,
    number: i64,
    id: ModelId,
}

/// A facet: the column that its values stand in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

    const ALL: [Self; 7] = [
        Self::Task,
        Self::Format,
        Self::Licence,
        Self::Kind,
        Self::Signature,
        Self::Scan,
        Self::Registry,
    ];
}

/// ` WHERE …`, with every facet's choice but one's.
fn conditions(q: &mut Sql, f: &CatalogFilter, except: Option<Facet>) -> Result<()> {
    q.push(" WHERE m.versions > 0");
    for facet in Facet::ALL
        .into_iter()
        .filter(|facet| Some(*facet) != except)
    {
        q.among(facet.column(), facet.chosen(f)?.into_iter());
    }
    if let Some(text) = &f.text {
        q.words("m.search", text);
    }
    Ok(())
}

pub(super) async fn page(
    c: &mut Conn,
    f: &CatalogFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<ModelRow>> {
    let (column, descending) = match f.sort {
        CatalogSort::Name => ("m.name_key", false),
        CatalogSort::Newest => ("m.newest_at", true),
        CatalogSort::Size => ("m.size_bytes", true),
        CatalogSort::Parameters => ("m.parameters", true),
    };
    let (beyond, order) = if descending {
        ("<", " DESC")
    } else {
        (">", "")
    };
    let select = select_models().replacen("SELECT ", "SELECT m.name_key AS name_key, m.newest_at AS newest_at, m.size_bytes AS size_bytes, m.parameters AS parameters, ", 1);
    let mut q = Sql::new(&select);
    conditions(&mut q, f, None)?;
    if let Some(after) = after {
        let key: Key = page::decode(after)?;
        if key.sort != f.sort {
            return Err(Error::invalid("this page address belongs to another order")
                .remedy("Start again from the first page."));
        }
        q.push(&format!(" AND ({column}, m.id) {beyond} ("));
        if f.sort == CatalogSort::Name {
            q.arg(key.text)
        } else {
            q.arg(key.number)
        };
        q.push(", ").arg(key.id).push(")");
    }
    q.push(&format!(" ORDER BY {column}{order}, m.id{order}"))
        .limit(limit);
    let found = c.all(q.text, q.args).await?;
    let mut keys = Vec::with_capacity(found.len());
    for r in &found {
        let number = match f.sort {
            CatalogSort::Name => 0,
            CatalogSort::Newest => r.int("newest_at")?,
            CatalogSort::Size => r.int("size_bytes")?,
            CatalogSort::Parameters => r.int("parameters")?,
        };
        let text = if f.sort == CatalogSort::Name {
            r.text("name_key")?
        } else {
            String::new()
        };
        keys.push(Key {
            sort: f.sort,
            text,
            number,
            id: r.id("m_id")?,
        });
    }
    let rows: Vec<_> = models(c, &found).await?.into_iter().zip(keys).collect();
    Ok(Page::cut(rows, limit, |(_, key)| key.clone()).map(|(model, _)| model))
}

/// How many models have each value of these facets, under conditions that they share: the index
/// `models_facets` gives how many models are alike in all of them, and their values are summed here.
async fn count(
    c: &mut Conn,
    f: &CatalogFilter,
    facets: &[Facet],
    except: Option<Facet>,
    into: &mut Counts,
) -> Result<()> {
    if facets.is_empty() {
        return Ok(());
    }
    let columns: Vec<&str> = facets.iter().map(|facet| facet.column()).collect();
    let columns = columns.join(", ");
    let values: Vec<String> = facets
        .iter()
        .map(|facet| format!("{} AS v{}", facet.column(), *facet as u8))
        .collect();
    let mut q = Sql::new(&format!(
        "SELECT {}, count(*) AS n FROM models m",
        values.join(", ")
    ));
    conditions(&mut q, f, except)?;
    q.push(&format!(" GROUP BY {columns}"));
    for row in c.all(q.text, q.args).await? {
        let n = row.int("n")?;
        for facet in facets {
            let value = row.text(&format!("v{}", *facet as u8))?;
            *into.entry(*facet).or_default().entry(value).or_default() += n;
        }
    }
    Ok(())
}

type Counts = BTreeMap<Facet, BTreeMap<String, i64>>;

pub(super) async fn facets(c: &mut Conn, f: &CatalogFilter) -> Result<Facets> {
    // What was chosen in a facet does not hide that facet's other values; all others share one query.
    let mut counts = Counts::new();
    let mut unchosen = Vec::new();
    for facet in Facet::ALL {
        if facet.chosen(f)?.is_empty() {
            unchosen.push(facet);
        } else {
            count(c, f, &[facet], Some(facet), &mut counts).await?;
        }
    }
    count(c, f, &unchosen, None, &mut counts).await?;
    let mut take = |facet| {
        let counted = counts.remove(&facet).unwrap_or_default();
        let mut values: Vec<(String, i64)> = counted.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(MAX_FACET_VALUES);
        values
    };
    Ok(Facets {
        registries: named(c, take(Facet::Registry)).await?,
        tasks: take(Facet::Task),
        formats: take(Facet::Format),
        licences: take(Facet::Licence),
        kinds: take(Facet::Kind),
        signatures: take(Facet::Signature),
        scans: take(Facet::Scan),
    })
}

/// Registries by name instead of by id.
async fn named(
    c: &mut Conn,
    counted: Vec<(String, i64)>,
) -> Result<Vec<(RegistryId, String, i64)>> {
    if counted.is_empty() {
        return Ok(Vec::new());
    }
    let mut q = Sql::new("SELECT id, name FROM registries WHERE 1 = 1");
    q.among("id", counted.iter().map(|(id, _)| id.as_str()));
    let mut registries = Vec::with_capacity(counted.len());
    for row in c.all(q.text, q.args).await? {
        let id = row.text("id")?;
        if let Some((_, n)) = counted.iter().find(|(counted, _)| *counted == id) {
            registries.push((row.id("id")?, row.text("name")?, *n));
        }
    }
    registries
        .sort_by(|a: &(RegistryId, String, i64), b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    Ok(registries)
}
