//! What a query may hold, and how it is written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Problem;

/// Words with commas between them; at least one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words<T>(Vec<T>);

impl<T> Deref for Words<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Words<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Split<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Split<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("words with commas between them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
                text.split(',').map(|word| T::deserialize(StrDeserializer::<E>::new(word))).collect()
            }
        }
        deserializer.deserialize_str(Split(PhantomData)).map(Words)
    }
}

impl<T: JsonSchema> JsonSchema for Words<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Words_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "minItems": 1, "items": generator.subschema_for::<T>()})
    }
}

/// A policy's id.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, inline)]
pub(super) struct PolicyId(#[schemars(regex(pattern = r"^[A-Z0-9]+-[0-9]{3}$"))] pub(super) String);

impl<'de> Deserialize<'de> for PolicyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = text.split_once('-').is_some_and(|(domain, number)| {
            !domain.is_empty()
                && domain.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                && number.len() == 3
                && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if fits { Ok(Self(text)) } else { Err(D::Error::custom("a policy's id looks like ACI-001")) }
    }
}

/// How many items one answer holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, inline)]
pub(super) struct Limit(#[schemars(range(min = 1, max = 500))] pub(super) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = usize::deserialize(deserializer)?;
        if (1..=500).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(D::Error::custom("limit is from 1 to 500"))
        }
    }
}

/// A text to look for, or the name of something.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, inline)]
pub(super) struct Text(#[schemars(length(min = 1, max = 2048))] pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if (1..=2048).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(D::Error::custom("has 1 to 2048 characters"))
        }
    }
}

/// Where the next page begins, by what its last item is sorted by; opaque to whoever passes it back.
pub(super) fn cursor(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The key of a cursor.
pub(super) fn read_cursor<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let foreign =
        || Problem::new(StatusCode::BAD_REQUEST, "cursor: is none that `next` of this address gave");
    key.map(Some).ok_or_else(foreign)
}
