//! Why a request brought nothing: Azure's error bodies, read leniently, as a gap's reason and words.
//!
//! The words are the same in every sweep (no correlation id, no time, no count) and hold no personal data, since
//! they end up in reports that are compared byte for byte.

use serde_json::Value;
use url::Url;

use crate::inventory::{GapReason, ResourceId};

/// The longest detail of a gap, in characters.
pub(super) const LONGEST_DETAIL: usize = 300;
/// How much of a body that is not ARM's error form is looked at.
const LONGEST_TEXT: usize = 500;

/// A request, or a list, that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What kind of gap it leaves.
    pub(super) reason: GapReason,
    /// Words that are stable from sweep to sweep.
    pub(super) detail: String,
    /// Azure's error codes, from the outermost inwards.
    codes: Vec<String>,
}

impl Failure {
    pub(super) fn new(reason: GapReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: shortened(&detail.into(), LONGEST_DETAIL), codes: Vec::new() }
    }

    /// Reads the body of an answer that is no success.
    pub(super) fn of_answer(status: u16, body: &[u8], url: &Url) -> Self {
        let error = ServiceError::read(body);
        let codes: Vec<String> = error.told.iter().map(|(code, _)| code.clone()).collect();
        let reason = reason(status, &error);
        let detail = shortened(&error.detail(status, url), LONGEST_DETAIL);
        Self { reason, detail, codes }
    }

    /// Whether Azure named this error code anywhere in its answer.
    pub(super) fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|told| told.eq_ignore_ascii_case(code))
    }

    /// The token's time was up; a fresh one helps.
    pub(super) fn is_expired_token(&self) -> bool {
        // A token that is refused as invalid may have been revoked; if the fresh one is refused too, it is configuration.
        self.has("ExpiredAuthenticationToken") || self.has("InvalidAuthenticationToken")
    }

    /// The resource provider is not registered in the subscription: there is nothing of its kinds there.
    pub(super) fn is_unregistered(&self) -> bool {
        self.has("MissingSubscriptionRegistration")
    }

    /// Resource Graph's cap of 16 MiB per answer; a smaller `$top` helps.
    pub(super) fn is_payload_too_large(&self) -> bool {
        self.has(PAYLOAD_TOO_LARGE)
    }

    /// Resource Graph may read none of the subscriptions that it was asked about.
    pub(super) fn is_none_readable(&self) -> bool {
        self.reason == GapReason::Denied
    }
}

/// Codes by which Azure says that it does not offer a list here, or not in that version.
const NOT_OFFERED: [&str; 4] = [
    "InvalidResourceType",
    "NoRegisteredProviderFound",
    "InvalidApiVersionParameter",
    "UnsupportedApiVersion",
];

/// Whether a failure's words begin with such a code.
pub(super) fn is_not_offered(detail: &str) -> bool {
    let code = detail.split_once(':').map_or(detail, |(code, _)| code);
    NOT_OFFERED.iter().any(|known| known.eq_ignore_ascii_case(code))
}

const PAYLOAD_TOO_LARGE: &str = "ResponsePayloadTooLarge";

/// Azure's error object, whatever became of its form: each code with its message.
#[derive(Debug, Default, PartialEq, Eq)]
struct ServiceError {
    told: Vec<(String, String)>,
    html: bool,
}

impl ServiceError {
    fn read(body: &[u8]) -> Self {
        let mut error = Self::default();
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => {
                let inner = value.get("error").filter(|inner| !inner.is_null()).unwrap_or(&value);
                error.collect(inner, 0);
            }
            Err(_) => {
                let text = String::from_utf8_lossy(body);
                error.html = text.trim_start().starts_with('<');
                if !error.html && !text.trim().is_empty() {
                    error.told.push((String::new(), shortened(text.trim(), LONGEST_TEXT)));
                }
            }
        }
        // Some answers tell of the 16 MiB cap in words only.
        if error.told.iter().any(|(_, message)| message.contains("Response payload size is")) {
            error.told.push((PAYLOAD_TOO_LARGE.to_owned(), String::new()));
        }
        error
    }

    /// Every key but `code` and `message` may be missing or null, `details` may be nested.
    fn collect(&mut self, value: &Value, depth: usize) {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let own = match value {
            Value::String(text) => (String::new(), text.as_str()),
            _ => (text("code").to_owned(), text("message")),
        };
        if !own.0.is_empty() || !own.1.is_empty() {
            self.told.push((own.0, shortened(own.1, LONGEST_TEXT)));
        }
        if depth < 4 && self.told.len() < 16 {
            for inner in value.get("details").and_then(Value::as_array).into_iter().flatten() {
                self.collect(inner, depth + 1);
            }
        }
    }

    fn has(&self, code: &str) -> bool {
        self.told.iter().any(|(told, _)| told.eq_ignore_ascii_case(code))
    }

    /// Resource Graph says `BadRequest` outside and the real reason in `details`.
    fn telling(&self) -> Option<&(String, String)> {
        let outer = self.told.first()?;
        let inner = self.told.get(1).filter(|(code, _)| !code.is_empty());
        if outer.0.eq_ignore_ascii_case("BadRequest") { inner.or(Some(outer)) } else { Some(outer) }
    }

    fn detail(&self, status: u16, url: &Url) -> String {
        let Some((code, message)) = self.telling() else {
            return format!("HTTP {status}{}", if self.html { " with an HTML page" } else { "" });
        };
        if code.eq_ignore_ascii_case("AuthorizationFailed") {
            return authorization_failed(message);
        }
        let name = if is_name(code, "._") { code.clone() } else { format!("HTTP {status}") };
        // The messages of these hold times, counts and actors, and say no more than the code.
        let sentence = if matches!(status, 401 | 429) { String::new() } else { scrubbed(message, url) };
        if sentence.is_empty() { name } else { format!("{name}: {sentence}") }
    }
}

fn reason(status: u16, error: &ServiceError) -> GapReason {
    match status {
        _ if error.has(PAYLOAD_TOO_LARGE) => GapReason::Truncated,
        _ if error.has("NoValidSubscriptionsInQueryRequest") => GapReason::Denied,
        401 | 403 => GapReason::Denied,
        429 => GapReason::Throttled,
        400 | 404 if NOT_OFFERED.iter().any(|code| error.has(code)) => GapReason::Unsupported,
        404 => GapReason::NotFound,
        408 | 500.. => GapReason::Timeout,
        400.. => GapReason::Unsupported,
        // Redirects are not followed, since the token would go with them.
        _ => GapReason::Malformed,
    }
}

/// Whether a text is made of letters, digits and these marks: a name that Azure chose, not words about somebody.
fn is_name(text: &str, marks: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

/// Whether a text names a person by an address, or would steer a terminal.
fn is_unfit(text: &str) -> bool {
    text.contains(|c: char| c == '@' || c.is_control())
}

/// The message names the caller by id and e-mail address; only the missing right is of use.
fn authorization_failed(message: &str) -> String {
    let quoted = |after: &str| {
        let (_, rest) = message.split_once(after)?;
        let (text, _) = rest.split_once('\'')?;
        (!is_unfit(text)).then_some(text)
    };
    let action = quoted("perform action '").filter(|action| is_name(action, "./*_"));
    let scope = quoted("over scope '").and_then(ResourceId::parse);
    match (action, scope) {
        (Some(action), Some(scope)) => format!("AuthorizationFailed: missing {action} on {scope}"),
        (Some(action), None) => format!("AuthorizationFailed: missing {action}"),
        _ => "AuthorizationFailed".to_owned(),
    }
}

/// The first sentence, without whatever may vary or be personal: a word with a digit that the request itself
/// did not hold (ids, times, counts), and e-mail addresses.
fn scrubbed(message: &str, url: &Url) -> String {
    let asked = url.as_str().to_ascii_lowercase();
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let sentence = line.split_once(". ").map_or(line, |(first, _)| first).trim_end_matches('.');
    let mut words: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/').to_ascii_lowercase();
        let varies = core.contains(|c: char| c.is_ascii_digit()) && !asked.contains(&core);
        let word = if varies || is_unfit(word) || core == "am" || core == "pm" { "…" } else { word };
        if word != "…" || words.last().is_none_or(|last| last != "…") {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

fn shortened(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, reason: GapReason, detail: &str) {
        let url =
            Url::parse("https://management.azure.com/subscriptions/s1/providers/x?api-version=2021-04-01")
                .expect("a URL");
        let failure = Failure::of_answer(status, body.as_bytes(), &url);
        assert_eq!((failure.reason, failure.detail.as_str()), (reason, detail), "{status} {body}");
    }

    #[test]
    fn every_form_of_error_body() {
        use GapReason::*;
        let authorization = r#"{"error":{"code":"AuthorizationFailed","message":"The client 'jane@contoso.com' with object id '00000000-0000-0000-0000-0000000000b1' does not have authorization to perform action 'Microsoft.Authorization/permissions/read' over scope '/subscriptions/S1' or the scope is invalid. If access was recently granted, please refresh your credentials."}}"#;
        check(
            403,
            authorization,
            Denied,
            "AuthorizationFailed: missing Microsoft.Authorization/permissions/read on /subscriptions/s1",
        );
        check(
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"may not perform action 'x/read' over scope '/users/jane@contoso.com'"}}"#,
            Denied,
            "AuthorizationFailed: missing x/read",
        );
        check(
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#,
            Denied,
            "AuthorizationFailed",
        );
        check(
            403,
            r#"{"code":"Forbidden","message":"jane@contoso.com may not, says 8e4201ec-a5ea-4b6a-be58-75c610acbbe8."}"#,
            Denied,
            "Forbidden: … may not, says …",
        );
        check(
            404,
            r#"{"error":{"code":"InvalidResourceType","message":"The resource type could not be found in the namespace 'X' for api version '2021-04-01'."}}"#,
            Unsupported,
            "InvalidResourceType: The resource type could not be found in the namespace 'X' for api version '2021-04-01'",
        );
        check(
            400,
            r#"{"error":{"code":"NoRegisteredProviderFound","message":"No registered resource provider found. The supported api-versions are '2022-01-01'."}}"#,
            Unsupported,
            "NoRegisteredProviderFound: No registered resource provider found",
        );
        check(
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"may not perform action '8e4201ec-a5ea-4b6a-be58-75c610acbbe8' over scope '/subscriptions/S1'"}}"#,
            Denied,
            "AuthorizationFailed",
        );
        // A code is a name; words in its place are as little to be trusted as the message's.
        check(400, r#"{"code":"no right for jane@contoso.com","message":"m"}"#, Unsupported, "HTTP 400: m");
        check(500, r#"{"code":"C","message":"ask @jane or\u001b[31m red"}"#, Timeout, "C: ask … red");
        check(404, r#"{"error":{"code":"ResourceNotFound","message":null}}"#, NotFound, "ResourceNotFound");
        check(
            500,
            r#"{"error":{"code":"InternalServerError","message":"Provider said \"boom\"\r\nretry later","target":null,"details":null,"innererror":null}}"#,
            Timeout,
            "InternalServerError: Provider said \"boom\"",
        );
        check(503, r#"{"error":"busy"}"#, Timeout, "HTTP 503: busy");
        check(502, "<html><body>Bad gateway 12:00</body></html>", Timeout, "HTTP 502 with an HTML page");
        check(504, "", Timeout, "HTTP 504");
        check(500, r#"{"error":null}"#, Timeout, "HTTP 500");
        check(500, "[1]", Timeout, "HTTP 500");
        check(500, r#"{"error":{"code":7,"message":["x"]}}"#, Timeout, "HTTP 500");
        check(302, "", Malformed, "HTTP 302");
        check(
            401,
            r#"{"error":{"code":"ExpiredAuthenticationToken","message":"The access token expiry UTC time '11/24/2025 11:31:00 PM' is earlier than current UTC time"}}"#,
            Denied,
            "ExpiredAuthenticationToken",
        );
        check(
            429,
            r#"{"error":{"code":"RateLimiting","message":"timestamp = 2023-02-03T17:58:41Z"}}"#,
            Throttled,
            "RateLimiting",
        );
        check(
            400,
            r#"{"error":{"code":"BadRequest","message":"Please provide below info: timestamp = 2026-01-01T00:00:00Z","details":[{"code":"NoValidSubscriptionsInQueryRequest","message":"There must be at least one subscription that is eligible to contain resources."}]}}"#,
            Denied,
            "NoValidSubscriptionsInQueryRequest: There must be at least one subscription that is eligible to contain resources",
        );
        check(
            400,
            r#"{"error":{"code":"BadRequest","message":"x","details":[{"code":"InvalidQuery","message":null,"details":[{"code":"ParserFailure"}]}]}}"#,
            Unsupported,
            "InvalidQuery",
        );
        check(
            409,
            r#"{"error":{"code":"MissingSubscriptionRegistration","message":"m"}}"#,
            Unsupported,
            "MissingSubscriptionRegistration: m",
        );
        check(
            500,
            r#"{"error":{"code":"E","message":"at 11/28/2025 5:28:45 AM, request 77 failed. More"}}"#,
            Timeout,
            "E: at … request … failed",
        );
    }

    #[test]
    fn the_cap_of_resource_graph_is_known_by_code_and_by_words() {
        let url = Url::parse("https://h/").expect("a URL");
        for body in [
            r#"{"error":{"code":"BadRequest","message":"m","details":[{"code":"ResponsePayloadTooLarge","message":"m"}]}}"#,
            r#"{"error":{"code":"BadRequest","message":"Response payload size is 17000000, and has exceeded the limit of 16777216"}}"#,
        ] {
            assert!(Failure::of_answer(400, body.as_bytes(), &url).is_payload_too_large(), "{body}");
        }
    }

    #[test]
    fn details_are_short() {
        let url = Url::parse("https://h/").expect("a URL");
        let body = format!(r#"{{"code":"C","message":"{}"}}"#, "word ".repeat(1000));
        assert!(Failure::of_answer(400, body.as_bytes(), &url).detail.chars().count() <= LONGEST_DETAIL);
    }
}
