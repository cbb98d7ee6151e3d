//! Rows on their way through the stages of a query.
//!
//! Which rows a caller may see at all is left to the parent module.

use super::invalid_query;
use crate::server::kql::{Direction, Function, Path, Predicate, Stage};
use crate::server::reply::Reply;
use crate::server::shape;
use crate::world::{Place, World};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A row: a record of the estate, or what a stage counted.
pub(super) enum Row<'a> {
    Record(&'a Value, &'a Place),
    Counted(Value),
}

/// The rows, and what of them is left.
pub(super) struct Table<'a> {
    world: &'a World,
    pub(super) rows: Vec<Row<'a>>,
    /// The columns left by `project`, and where each comes from.
    columns: Option<Vec<(String, Path)>>,
    /// Whether `take` cut rows off.
    pub(super) cut: bool,
}

impl<'a> Table<'a> {
    pub(super) fn new(world: &'a World, rows: Vec<Row<'a>>) -> Self {
        Self { world, rows, columns: None, cut: false }
    }

    pub(super) fn apply(&mut self, stage: &Stage) -> Result<(), Reply> {
        match stage {
            Stage::Where(condition) => self.select(condition)?,
            Stage::Project(columns) => self.columns = Some(self.resolve_all(columns)?),
            Stage::Extend(columns) => {
                let added = self.resolve_all(columns)?;
                let mut all = self.columns();
                all.retain(|(name, _)| added.iter().all(|(new, _)| new != name));
                all.extend(added);
                self.columns = Some(all);
            }
            Stage::OrderBy(orders) => {
                // Stable sorts, the least significant column first.
                for (path, direction) in orders.iter().rev() {
                    self.sort(&self.resolve(path)?, *direction);
                }
            }
            Stage::Take(count) => {
                self.cut |= self.rows.len() > *count;
                self.rows.truncate(*count);
            }
            Stage::Count => self.become_counts(vec![json!({"Count": self.rows.len()})], &["Count"]),
            Stage::Summarize(name, by) => self.summarize(name, by)?,
        }
        Ok(())
    }

    fn select(&mut self, condition: &Predicate) -> Result<(), Reply> {
        for path in condition.paths() {
            self.resolve(path)?;
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| {
            condition.holds(&|path| {
                self.resolve(path).map_or_else(|_| String::new(), |path| self.text(row, &path))
            })
        });
        self.rows = rows;
        Ok(())
    }

    fn sort(&mut self, path: &Path, direction: Direction) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_cached_key(|row| {
            let number = self.value(row, path).as_u64().unwrap_or_default();
            (number, self.text(row, path))
        });
        if direction == Direction::Descending {
            rows.reverse();
        }
        self.rows = rows;
    }

    fn summarize(&mut self, name: &str, by: &[(String, Path)]) -> Result<(), Reply> {
        let by = self.resolve_all(by)?;
        // By text, which tells all values apart and gives an order; the values themselves are kept.
        let mut groups: BTreeMap<Vec<String>, (Vec<Value>, usize)> = BTreeMap::new();
        for row in &self.rows {
            let key = by.iter().map(|(_, path)| self.text(row, path)).collect();
            let values = || by.iter().map(|(_, path)| self.value(row, path)).collect();
            groups.entry(key).or_insert_with(|| (values(), 0)).1 += 1;
        }
        if by.is_empty() {
            groups.entry(Vec::new()).or_default();
        }
        let mut names: Vec<&str> = by.iter().map(|(name, _)| name.as_str()).collect();
        names.push(name);
        let counted = groups.into_values().map(|(values, count)| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .zip(values.into_iter().chain([json!(count)]))
                .collect()
        });
        let counted: Vec<Value> = counted.map(Value::Object).collect();
        self.become_counts(counted, &names);
        Ok(())
    }

    fn become_counts(&mut self, counted: Vec<Value>, names: &[&str]) {
        self.rows = counted.into_iter().map(Row::Counted).collect();
        self.columns = Some(names.iter().map(|name| ((*name).to_owned(), Path::column(name))).collect());
    }

    /// The columns that there are, and where each comes from.
    fn columns(&self) -> Vec<(String, Path)> {
        let all =
            || shape::COLUMNS.iter().map(|column| ((*column).to_owned(), Path::column(column))).collect();
        self.columns.clone().unwrap_or_else(all)
    }

    fn resolve_all(&self, columns: &[(String, Path)]) -> Result<Vec<(String, Path)>, Reply> {
        columns.iter().map(|(name, path)| Ok((name.clone(), self.resolve(path)?))).collect()
    }

    /// The path in terms of the row's own columns.
    fn resolve(&self, path: &Path) -> Result<Path, Reply> {
        let unknown = || {
            invalid_query(&format!("Failed to resolve column or scalar expression named '{}'", path.column))
        };
        match &self.columns {
            None => {
                let known = shape::COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(&path.column));
                Ok(Path { column: (*known.ok_or_else(unknown)?).to_owned(), ..path.clone() })
            }
            Some(columns) => {
                let (_, source) =
                    columns.iter().find(|(name, _)| *name == path.column).ok_or_else(unknown)?;
                let mut source = source.clone();
                source.keys.extend(path.keys.iter().cloned());
                // Lower case stays so, whatever is made of it.
                if source.function != Some(Function::ToLower) {
                    source.function = path.function.or(source.function);
                }
                Ok(source)
            }
        }
    }

    fn cell<'r>(&self, row: &'r Row<'_>, column: &str) -> Cow<'r, Value> {
        let found = match row {
            Row::Record(record, place) => {
                shape::column(record, place, &self.world.estate.header.tenant_id, column)
            }
            Row::Counted(counted) => counted.get(column).map(Cow::Borrowed),
        };
        found.unwrap_or(Cow::Owned(Value::Null))
    }

    fn value(&self, row: &Row<'_>, path: &Path) -> Value {
        path.of(&self.cell(row, &path.column))
    }

    fn text(&self, row: &Row<'_>, path: &Path) -> String {
        path.text_of(&self.cell(row, &path.column))
    }

    /// `resultFormat` "objectArray".
    pub(super) fn objects(&self, rows: &[Row<'_>]) -> Value {
        let columns = self.columns();
        let object = |row: &Row<'_>| {
            let cells = columns.iter().map(|(name, path)| (name.clone(), self.value(row, path)));
            Value::Object(cells.collect::<Map<_, _>>())
        };
        rows.iter().map(object).collect()
    }

    /// `resultFormat` "table": the columns with their types, and each row as an array.
    pub(super) fn table(&self, rows: &[Row<'_>]) -> Value {
        let columns = self.columns();
        let head = columns.iter().map(|(name, path)| json!({"name": name, "type": self.type_of(path)}));
        let cells = |row| columns.iter().map(|(_, path)| self.value(row, path)).collect::<Value>();
        json!({"columns": head.collect::<Value>(), "rows": rows.iter().map(cells).collect::<Value>()})
    }

    /// A column's type is the schema's, not that of the values in it: what lies below a dynamic column is dynamic.
    fn type_of(&self, path: &Path) -> &'static str {
        const DYNAMIC: &[&str] =
            &["sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation"];
        match self.rows.first() {
            _ if path.function.is_some() => "string",
            Some(Row::Counted(counted)) if counted.get(&path.column).is_some_and(Value::is_u64) => "integer",
            _ if DYNAMIC.contains(&path.column.as_str()) => "object",
            _ => "string",
        }
    }

    /// Whether pages can be told apart: the result has the resource's id.
    pub(super) fn has_id(&self) -> bool {
        self.columns().iter().any(|(name, path)| name == "id" && *path == Path::column("id"))
    }
}
