//! Pages of a list: ARM's `nextLink` with an opaque `$skipToken`.

use super::errors;
use super::reply::Reply;
use super::request::Request;
use serde_json::{Value, json};

/// How lists are cut.
pub(super) struct Pages {
    pub(super) size: usize,
}

impl Pages {
    /// The page that the request asks for. `key` names the array: `value`, for most lists.
    pub(super) fn page<T>(
        &self,
        request: &Request<'_>,
        key: &str,
        mut body: Value,
        items: &[T],
        shape: impl Fn(&T) -> Value,
    ) -> Reply {
        let start = match request.parameter("$skipToken").map(|token| decode(token, &list_of(request))) {
            None => 0,
            Some(Some(start)) => start,
            Some(None) => {
                return errors::error(400, "InvalidSkipToken", "The skip token is malformed.");
            }
        };
        let top = request.parameter("$top").and_then(|top| top.parse().ok()).filter(|top| *top > 0);
        let end = items.len().min(start.saturating_add(self.size.min(top.unwrap_or(usize::MAX))));
        body[key] = items.get(start..end).unwrap_or_default().iter().map(shape).collect();
        if end < items.len() {
            body["nextLink"] = json!(self.link(request, end));
        }
        Reply::json(200, &body)
    }

    fn link(&self, request: &Request<'_>, offset: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &request.query {
            if !key.eq_ignore_ascii_case("$skipToken") {
                query.append_pair(key, value);
            }
        }
        query.append_pair("$skipToken", &encode(offset, &list_of(request)));
        let escaped = percent_encoding::utf8_percent_encode(&request.path, PATH);
        format!("{}{escaped}?{}", request.base_url, query.finish())
    }
}

const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'%');

fn list_of(request: &Request<'_>) -> String {
    request.lower_segments().join("/")
}

/// A token that tells a position in one particular list, and looks like nothing.
pub(super) fn encode(offset: usize, list: &str) -> String {
    format!("{:016x}{offset:x}", fingerprint(list))
}

/// The position, if the token is of that list.
pub(super) fn decode(token: &str, list: &str) -> Option<usize> {
    let (of, offset) = token.split_at_checked(16)?;
    (u64::from_str_radix(of, 16).ok()? == fingerprint(list))
        .then(|| usize::from_str_radix(offset, 16).ok())?
}

/// FNV-1a: stable between runs, unlike the standard hasher.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_token_is_good_for_its_own_list_only() {
        let token = encode(300, "subscriptions");
        assert_eq!(decode(&token, "subscriptions"), Some(300));
        assert_eq!(decode(&token, "other"), None);
        assert_eq!(decode("nonsense", "subscriptions"), None);
    }
}
