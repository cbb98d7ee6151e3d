//! Service tags, as the tenant's own list tells them.

use super::field::{self, Part};
use super::{Known, Record, ResourceId};

/// A list of service tags.
#[derive(Clone, Debug)]
pub struct ServiceTags {
    /// Its id.
    pub id: ResourceId,
    /// Its edition, where told.
    pub edition: Option<i64>,
    /// The tags.
    pub tags: Known<Vec<ServiceTag>>,
}

/// A service tag.
#[derive(Clone, Debug)]
pub struct ServiceTag {
    /// Its name.
    pub name: Known<String>,
    /// Its prefixes of both families, as Azure told them.
    pub prefixes: Known<Vec<String>>,
}

impl ServiceTags {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let read = |part| ServiceTag {
            name: field::TAG_NAME.told_text(part).map(str::to_owned),
            prefixes: field::TAG_PREFIXES.texts(part),
        };
        Self {
            id: record.id().clone(),
            edition: field::TAGS_CHANGE.number(part).ok().flatten(),
            tags: field::TAGS.list(part).map(|list| list.into_iter().map(read).collect()),
        }
    }
}
