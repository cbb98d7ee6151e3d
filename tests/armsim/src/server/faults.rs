//! Faults on demand: the next requests of some path fail in a given way.

use super::errors;
use super::reply::Reply;
use super::request::Request;
use std::str::FromStr;

/// The next `times` requests whose path or query contains `path` (in any case) answer `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Part of the path and query, e.g. `computes` or `api-version=2024`; empty for any request.
    pub path: String,
    /// The HTTP status to answer.
    pub status: u16,
    /// Seconds of the `Retry-After` header.
    pub retry_after: Option<u64>,
    /// How many requests still fail.
    pub times: usize,
}

impl FromStr for Fault {
    type Err = String;

    /// `path=computes,status=429,retry_after=1,times=2`; only the status is required.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut fault = Self { path: String::new(), status: 0, retry_after: None, times: 1 };
        for part in text.split(',') {
            let (key, value) =
                part.split_once('=').ok_or_else(|| format!("'{part}' is not of the form key=value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{key} '{value}' is not a number"));
            match key.trim() {
                "path" => fault.path = value.to_owned(),
                "status" => {
                    fault.status = u16::try_from(number()?)
                        .ok()
                        .filter(|status| (200..600).contains(status))
                        .ok_or_else(|| format!("status '{value}' is not between 200 and 599"))?;
                }
                "retry_after" => fault.retry_after = Some(number()?),
                "times" => fault.times = usize::try_from(number()?).unwrap_or(usize::MAX),
                other => {
                    return Err(format!("'{other}' is none of path, status, retry_after, times"));
                }
            }
        }
        if fault.status == 0 { Err("a fault needs a status".to_owned()) } else { Ok(fault) }
    }
}

impl Fault {
    /// The body that Azure documents for the status.
    pub(super) fn reply(&self, request: &Request<'_>) -> Reply {
        let reply = recorded(self.status, self.retry_after, request);
        match self.retry_after {
            Some(seconds) => reply.header("retry-after", seconds.to_string()),
            None => reply,
        }
    }
}

/// What Azure documents for the status, without `Retry-After`. `wait` is in the words of throttling, in seconds.
pub(super) fn recorded(status: u16, wait: Option<u64>, request: &Request<'_>) -> Reply {
    let graph = request.lower_segments().contains(&"microsoft.resourcegraph");
    match status {
        401 => errors::expired_token("1/1/2026 0:00:00 AM", "1/1/2026 1:00:00 AM"),
        403 => errors::authorization_failed("*/read", &request.path),
        404 => errors::resource_not_found(&request.path),
        429 if graph => rate_limiting(wait.unwrap_or(5)),
        429 => errors::error(
            429,
            "SubscriptionRequestsThrottled",
            &format!(
                "Number of 'read' requests exceeded. Please try again after '{}' seconds.",
                wait.unwrap_or(10)
            ),
        ),
        500 => errors::error(500, "InternalServerError", "The server encountered an internal error."),
        502 => errors::error(502, "ProviderError", "The resource provider did not answer properly."),
        503 => errors::error(503, "ServerTimeout", "The request timed out. Please try again."),
        504 => errors::error(504, "GatewayTimeout", "The gateway did not receive an answer in time."),
        status => errors::error(status, "ArmsimFault", "This answer was asked for."),
    }
}

fn rate_limiting(wait: u64) -> Reply {
    errors::rate_limiting()
        .header("x-ms-user-quota-remaining", "0")
        .header("x-ms-user-quota-resets-after", format!("00:{:02}:{:02}", wait / 60 % 60, wait % 60))
}

/// The fault that waits for this request, counted down.
pub(super) fn take(faults: &mut Vec<Fault>, request: &Request<'_>) -> Option<Fault> {
    let line = request.line();
    let at = faults.iter().position(|fault| fault.times > 0 && line.contains(&fault.path.to_lowercase()))?;
    faults[at].times -= 1;
    let fault = faults[at].clone();
    faults.retain(|fault| fault.times > 0);
    Some(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_text() {
        let fault = Fault { path: "computes".to_owned(), status: 429, retry_after: Some(1), times: 2 };
        assert_eq!("path=computes,status=429,retry_after=1,times=2".parse(), Ok(fault));
        assert!("path=computes".parse::<Fault>().is_err());
        assert!("status=99".parse::<Fault>().is_err());
    }
}
