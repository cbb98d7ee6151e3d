//! A client of a few lines, so that the tests see what is on the wire.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, unreachable_pub)]

use armsim::{Estate, Options, RunningServer, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Answer {
    /// The error's code.
    pub fn code(&self) -> &str {
        self.body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default()
    }

    /// The codes of the error's details.
    pub fn details(&self) -> Vec<&str> {
        let details = self.body.pointer("/error/details").and_then(Value::as_array);
        details.into_iter().flatten().filter_map(|one| one["code"].as_str()).collect()
    }

    /// The ids of the items of a page.
    pub fn ids(&self) -> Vec<String> {
        let items = self.body.get("value").or(self.body.get("data")).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|item| item["id"].as_str()).map(str::to_owned).collect()
    }
}

/// A running server, and a token for it.
pub struct Azure {
    pub server: RunningServer,
    pub token: String,
}

/// Serves the estate under these options.
pub async fn serve(estate: Estate, options: Options) -> Azure {
    let server = Server::start(estate, options).await.expect("a loopback port is free");
    let mut azure = Azure { server, token: String::new() };
    azure.token = azure.fresh_token().await;
    azure
}

impl Azure {
    /// A token from the managed identity endpoint.
    pub async fn fresh_token(&self) -> String {
        let path = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com";
        let answer = self.send("GET", path, &[("X-IDENTITY-HEADER", "armsim")], "").await;
        answer.body["access_token"].as_str().expect("the endpoint gives a token").to_owned()
    }

    /// An authorized GET of a path or of a `nextLink`.
    pub async fn get(&self, path: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        self.send("GET", path, &[("Authorization", &authorization)], "").await
    }

    /// An authorized POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        self.send("POST", path, &headers, &body.to_string()).await
    }

    /// One query of Resource Graph.
    pub async fn query(&self, query: &str, options: Value) -> Answer {
        self.query_in(query, None, options).await
    }

    /// One query of Resource Graph over some subscriptions.
    pub async fn query_in(&self, query: &str, subscriptions: Option<&[&str]>, options: Value) -> Answer {
        let mut body = json!({"query": query, "options": options});
        if let Some(subscriptions) = subscriptions {
            body["subscriptions"] = json!(subscriptions);
        }
        self.post("/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01", &body).await
    }

    /// All pages of an ARM list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.get(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            items.extend(page.body["value"].as_array().expect("a page has a value").iter().cloned());
            next = page.body["nextLink"].as_str().map(str::to_owned);
        }
        items
    }

    /// Any request.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let base = self.server.base_url();
        let host = base.strip_prefix("http://").expect("the server is plain http");
        let path = path.strip_prefix(base).unwrap_or(path);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(host).await.expect("the server listens");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.expect("the server answers");
        parse(&String::from_utf8(response).expect("the answer is text"))
    }
}

/// An answer from its text.
pub fn parse(response: &str) -> Answer {
    let (head, body) = response.split_once("\r\n\r\n").expect("there is a head and a body");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status.expect("there is a status"),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

/// The guid of the subscription of that name.
pub fn subscription(estate: &Estate, name: &str) -> String {
    let found = estate.header.subscriptions.iter().find(|subscription| subscription.name == name);
    found.expect("the estate has the subscription").id.clone()
}

/// The ids of all records of a type (as in the record) in a subscription.
pub fn ids_of(estate: &Estate, resource_type: &str, subscription: &str) -> Vec<String> {
    let inside = format!("/subscriptions/{subscription}/");
    let of_type = estate.records.iter().filter(|record| {
        record["type"].as_str().is_some_and(|told| told.eq_ignore_ascii_case(resource_type))
    });
    let mut ids: Vec<String> = of_type
        .filter_map(|record| record["id"].as_str())
        .filter(|id| id.starts_with(&inside))
        .map(str::to_owned)
        .collect();
    ids.sort();
    ids
}
