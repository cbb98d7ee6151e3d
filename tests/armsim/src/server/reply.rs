//! One answer, before it becomes HTTP.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

/// Status, headers and body; and what was asked, for the statistics.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "other", headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// Length of the body in bytes.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// `served` numbers the answer and thereby makes its request id.
    pub(super) fn into_response(self, served: u64) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        let id = format!("00000000-0000-4000-8000-{served:012x}");
        let ids = [("x-ms-request-id", id.clone()), ("x-ms-correlation-request-id", id)];
        for (name, value) in ids.into_iter().chain(self.headers) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
