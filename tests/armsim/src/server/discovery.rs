//! What a client asks before it has a token: where tokens come from, and which cloud this is.
//!
//! OpenID configuration of a tenant, instance discovery (how Microsoft's libraries make sure that an authority is genuine),
//! and Resource Manager's `/metadata/endpoints`. The tokens themselves are left to `tokens`.

use super::errors;
use super::reply::Reply;
use super::request::Request;
use super::tls::HOSTS;
use axum::http::{Method, Uri};
use serde_json::{Value, json};

const CLOUDS: &str = include_str!("discovery/clouds.json");
/// From this api-version on `/metadata/endpoints` lists clouds; before, it told of its own alone.
const FIRST_WITH_CLOUDS: &str = "2019-05-01";

/// The answer, if the request is of this kind.
pub(super) fn answer(request: &Request<'_>) -> Option<Reply> {
    let lower = request.lower_segments();
    let reply: fn(&Request<'_>) -> Reply = match lower.as_slice() {
        [_, "v2.0", ".well-known", "openid-configuration"] => |request| openid(request, "/v2.0"),
        [_, ".well-known", "openid-configuration"] => |request| openid(request, ""),
        [_, "discovery", "instance"] => instance,
        ["metadata", "endpoints"] => endpoints,
        _ => return None,
    };
    Some(if request.method == Method::GET { reply(request) } else { errors::method_not_allowed(request) })
}

fn openid(request: &Request<'_>, version: &str) -> Reply {
    let segments = request.segments();
    let tenant = segments.first().copied().unwrap_or_default();
    let at = |path: &str| format!("{}/{tenant}{path}", request.base_url);
    let issuer = match version {
        "" => format!("https://sts.windows.net/{tenant}/"),
        _ => at(version),
    };
    Reply::json(
        200,
        &json!({
            "issuer": issuer,
            "authorization_endpoint": at(&format!("/oauth2{version}/authorize")),
            "token_endpoint": at(&format!("/oauth2{version}/token")),
            "device_authorization_endpoint": at(&format!("/oauth2{version}/devicecode")),
            "end_session_endpoint": at(&format!("/oauth2{version}/logout")),
            "jwks_uri": at(&format!("/discovery{version}/keys")),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
        }),
    )
}

/// The metadata lists every host that is another name of the same authority.
fn instance(request: &Request<'_>) -> Reply {
    let Some(asked) = request.parameter("authorization_endpoint") else {
        let message = "AADSTS900144: The request must contain the parameter 'authorization_endpoint'.";
        return Reply::json(400, &json!({"error": "invalid_request", "error_description": message}));
    };
    let tenant = asked.parse::<Uri>().ok();
    let tenant = tenant.as_ref().and_then(|uri| uri.path().split('/').nth(1)).filter(|name| !name.is_empty());
    let discovery =
        format!("{}/{}/v2.0/.well-known/openid-configuration", request.base_url, tenant.unwrap_or("common"));
    let cloud = |network: &str, cache: &str, aliases: &[&str]| json!({"preferred_network": network, "preferred_cache": cache, "aliases": aliases});
    let public = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];
    let china = ["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"];
    let government = ["login.microsoftonline.us", "login.usgovcloudapi.net"];
    let metadata = [
        cloud(public[0], public[1], &public),
        cloud(china[0], china[0], &china),
        cloud(government[0], government[0], &government),
    ];
    Reply::json(
        200,
        &json!({"tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": metadata}),
    )
}

fn endpoints(request: &Request<'_>) -> Reply {
    let Some(version) = request.parameter("api-version").filter(|version| !version.is_empty()) else {
        return errors::missing_api_version();
    };
    let mut clouds: Vec<Value> = serde_json::from_str(CLOUDS).unwrap_or_default();
    let asked = request.base_url.split_once("://").map_or("", |(_, host)| host);
    if !HOSTS.contains(&asked) {
        // Asked at our own address: a client that follows must come back here, not to Azure.
        if let Some(cloud) = clouds.first_mut() {
            cloud["resourceManager"] = json!(format!("{}/", request.base_url));
            cloud["authentication"]["loginEndpoint"] = json!(format!("{}/", request.base_url));
        }
    }
    if version >= FIRST_WITH_CLOUDS {
        return Reply::json(200, &json!(clouds));
    }
    let here = clouds.iter().position(|cloud| {
        cloud["resourceManager"].as_str().is_some_and(|url| url.split('/').nth(2) == Some(asked))
    });
    let cloud = &clouds[here.unwrap_or_default()];
    let login = cloud["authentication"]["loginEndpoint"].as_str().unwrap_or_default();
    Reply::json(
        200,
        &json!({
            "galleryEndpoint": cloud["gallery"], "graphEndpoint": cloud["graph"], "portalEndpoint": cloud["portal"],
            "authentication": {"loginEndpoint": format!("{}/", login.trim_end_matches('/')), "audiences": cloud["authentication"]["audiences"]},
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a client would be sent to a host that the proxy refuses, or for which there is no certificate.
    #[test]
    fn the_clouds_name_hosts_that_are_answered_for() {
        let clouds: Vec<Value> = serde_json::from_str(CLOUDS).expect("the clouds are JSON");
        assert_eq!(clouds.len(), 3);
        for cloud in &clouds {
            for place in
                ["/resourceManager", "/authentication/loginEndpoint", "/graph", "/microsoftGraphResourceId"]
            {
                let url = cloud.pointer(place).and_then(Value::as_str).expect(place);
                let host = url.split('/').nth(2).expect("the endpoint is a URL");
                assert!(HOSTS.contains(&host), "{host}");
            }
        }
    }
}
