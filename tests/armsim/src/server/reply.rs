//! One answer, before it becomes HTTP.

use super::scenario::Delivery;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

const JSON: &str = "application/json; charset=utf-8";

/// Status, headers and body; and what was asked, for the statistics.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How the body is sent, unless it is simply sent.
    delivery: Option<Delivery>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, JSON, body.to_string().into_bytes())
    }

    /// A body that need not be JSON, whatever it claims.
    pub(super) fn bytes(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, kind: "other", content_type, headers: Vec::new(), body, delivery: None }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// The body, if it is JSON.
    pub(super) fn as_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(super) fn set_json(&mut self, body: &Value) {
        self.body = body.to_string().into_bytes();
    }

    /// Length of the body in bytes.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// `served` numbers the answer and thereby makes its request id.
    pub(super) fn into_response(self, served: u64) -> Response {
        let (body, more) = match self.delivery {
            None => (Body::from(self.body), Vec::new()),
            Some(delivery) => delivery.send(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let id = format!("00000000-0000-4000-8000-{served:012x}");
        let ids = [("x-ms-request-id", id.clone()), ("x-ms-correlation-request-id", id)];
        for (name, value) in ids.into_iter().chain(self.headers).chain(more) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
