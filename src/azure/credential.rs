//! Tokens: the one configured credential, its cache, and what to do when it has none to give.
//!
//! There is no chain of guesses. Requests, and what becomes of a token, are `client`'s affair.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential};
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, Transport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use futures_util::FutureExt;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use url::Url;

use crate::config::{Cloud, Config, Credential, SecretSource};

/// How long a token may take. Off Azure the address of the instance metadata service hangs, and the SDK would
/// go on asking for more than a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A token is renewed when this little of its life is left, or half of it if it lives shorter.
const RENEW_BEFORE: time::Duration = time::Duration::minutes(5);

/// How long a token is used whatever it says of itself.
const SHORTEST_LIFE: time::Duration = time::Duration::minutes(1);

/// A bearer token. It has no `Debug` and no `Display`, so that it cannot be printed by accident.
#[derive(Clone)]
pub(super) struct Token(Arc<str>);

impl Token {
    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> Option<reqwest::header::HeaderValue> {
        let mut value = reqwest::header::HeaderValue::try_from(format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Late(Duration),
    #[error("{0}")]
    Refused(String),
}

/// Gives tokens for Azure Resource Manager, one request at a time, and keeps them while they live. The SDK's
/// CLI credential would otherwise start a process for every request.
pub(super) struct TokenSource {
    config: CredentialConfig,
    wait: Duration,
    state: Mutex<State>,
}

struct State {
    credential: Option<Arc<dyn TokenCredential>>,
    held: Option<Held>,
}

struct Held {
    token: Token,
    expires: OffsetDateTime,
    renew: OffsetDateTime,
}

impl TokenSource {
    /// Builds the credential, so that a missing file or variable is told at once.
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let wait = LONGEST_WAIT.min(config.collection.request_timeout);
        let config = CredentialConfig::new(config);
        let credential = Some(config.build()?);
        Ok(Self { config, wait, state: Mutex::new(State { credential, held: None }) })
    }

    /// A token that is not `refused`, and whether it had to be fetched.
    pub(super) async fn token(&self, refused: Option<&Token>) -> Result<(Token, bool), TokenError> {
        // The lock is held while a token is fetched, so that many requests wait for one answer.
        let mut state = self.state.lock().await;
        let now = OffsetDateTime::now_utc();
        if let Some(refused) = refused
            && state.held.as_ref().is_some_and(|held| held.token.same(refused))
        {
            // The SDK caches too and would hand out the refused token again: start with a new credential.
            *state = State { credential: None, held: None };
        }
        if let Some(held) = &state.held
            && now < held.renew
        {
            return Ok((held.token.clone(), false));
        }
        match self.fetch(&mut state).await {
            Ok(fetched) => {
                // A fresh token that has expired already was made by another clock; Azure tells if it is wrong.
                let renew = fetched.expires_on - RENEW_BEFORE.min((fetched.expires_on - now) / 2);
                let renew = renew.max(now + SHORTEST_LIFE);
                let token = Token(fetched.token.secret().into());
                state.held = Some(Held { token: token.clone(), expires: fetched.expires_on, renew });
                Ok((token, true))
            }
            Err(error) => {
                // A secret or token file may have been replaced since: read it anew next time.
                state.credential = None;
                match &state.held {
                    Some(held) if now < held.expires => Ok((held.token.clone(), true)),
                    _ => Err(error),
                }
            }
        }
    }

    async fn fetch(&self, state: &mut State) -> Result<AccessToken, TokenError> {
        let credential = match &state.credential {
            Some(credential) => credential.clone(),
            None => self.config.build().map_err(TokenError::Refused)?,
        };
        state.credential = Some(credential.clone());
        let scopes = [self.config.cloud.token_scope()];
        // The SDK panics over a lifetime that no calendar holds; the identity provider's nonsense must not end the daemon.
        let asking = AssertUnwindSafe(credential.get_token(&scopes, None)).catch_unwind();
        match tokio::time::timeout(self.wait, asking).await {
            Ok(Ok(Ok(token))) => Ok(token),
            Ok(Ok(Err(error))) => Err(TokenError::Refused(in_words(&error))),
            Ok(Err(_)) => Err(TokenError::Refused("the sign-in's answer makes no sense".to_owned())),
            Err(_) => Err(TokenError::Late(self.wait)),
        }
    }

    /// What an operator can do about a missing token.
    pub(super) fn advice(&self) -> &'static str {
        match self.config.credential {
            Credential::ManagedIdentity { .. } => {
                "give this machine or app a managed identity (and its `credential.client_id` if user-assigned), or choose another `credential.type`"
            }
            Credential::WorkloadIdentity { .. } => {
                "check the pod's label azure.workload.identity/use, its service account's client id, and the federated credential"
            }
            Credential::ClientSecret { .. } => {
                "check `credential.tenant_id`, `credential.client_id`, and that the secret has not expired"
            }
            Credential::AzureCli { .. } => "sign in with `az login`, or choose another `credential.type`",
        }
    }
}

/// What is needed to build the credential again.
struct CredentialConfig {
    credential: Credential,
    cloud: Cloud,
    authority: Option<Url>,
}

impl CredentialConfig {
    fn new(config: &Config) -> Self {
        let authority = config.endpoints.as_ref().map(|endpoints| endpoints.authority.clone());
        Self { credential: config.credential.clone(), cloud: config.cloud, authority }
    }

    fn build(&self) -> Result<Arc<dyn TokenCredential>, String> {
        match &self.credential {
            Credential::ManagedIdentity { client_id } => self.managed_identity(client_id.clone()),
            Credential::WorkloadIdentity { client_id, tenant_id, token_file } => {
                let mut options = WorkloadIdentityCredentialOptions {
                    client_id: client_id.clone(),
                    tenant_id: tenant_id.clone(),
                    token_file_path: token_file.clone(),
                    ..Default::default()
                };
                options.credential_options.client_options = self.sign_in_options()?;
                erased(WorkloadIdentityCredential::new(Some(options)))
            }
            Credential::ClientSecret { tenant_id, client_id, secret } => {
                let secret = read_secret(secret)?;
                let options = ClientSecretCredentialOptions { client_options: self.sign_in_options()? };
                erased(ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options)))
            }
            Credential::AzureCli { tenant_id } => {
                let options =
                    AzureCliCredentialOptions { tenant_id: tenant_id.clone(), ..Default::default() };
                erased(AzureCliCredential::new(Some(options)))
            }
        }
    }

    fn managed_identity(&self, client_id: Option<String>) -> Result<Arc<dyn TokenCredential>, String> {
        if self.authority.is_some() && std::env::var_os("IDENTITY_ENDPOINT").is_none() {
            // The instance metadata service would give a real token, bound for a simulated Azure.
            return Err("`endpoints` is set, but IDENTITY_ENDPOINT and IDENTITY_HEADER are not: a token of this machine's own identity would be sent to another Azure".to_owned());
        }
        // Identity endpoints are on this machine or link-local; Azure documents that no proxy may be used.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| format!("no HTTP client for the managed identity: {error}"))?;
        let client_options =
            ClientOptions { transport: Some(Transport::new(Arc::new(client))), ..Default::default() };
        let user_assigned_id = client_id.map(UserAssignedId::ClientId);
        erased(ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id,
            client_options,
        })))
    }

    /// The sign-in host follows the configured cloud, not `AZURE_AUTHORITY_HOST`: a token of one cloud is of no
    /// use in another.
    fn sign_in_options(&self) -> Result<ClientOptions, String> {
        let cloud = match self.cloud {
            Cloud::Public => CloudConfiguration::AzurePublic,
            Cloud::UsGovernment => CloudConfiguration::AzureGovernment,
            Cloud::China => CloudConfiguration::AzureChina,
        };
        let transport = match &self.authority {
            Some(authority) => Some(Transport::new(Arc::new(Redirected::to(authority)?))),
            None => None,
        };
        Ok(ClientOptions { cloud: Some(Arc::new(cloud)), transport, ..Default::default() })
    }
}

fn erased<C: TokenCredential + 'static>(
    built: azure_core::Result<Arc<C>>,
) -> Result<Arc<dyn TokenCredential>, String> {
    match built {
        Ok(credential) => Ok(credential),
        Err(error) => Err(in_words(&error)),
    }
}

fn read_secret(source: &SecretSource) -> Result<Secret, String> {
    let text = match source {
        SecretSource::Environment(name) => std::env::var(name)
            .map_err(|_| format!("the environment variable {name} (`credential.secret_env`) is not set"))?,
        SecretSource::File(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {} (`credential.secret_file`): {error}", path.display()))?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err("the client secret is empty".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}

/// An error with its causes on one line. Entra's texts name the application and the directory, no secret; whoever else
/// answers in its place may send the request back, so that nothing that looks like a form is repeated.
fn in_words(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    let form =
        |word: &&str| !["client_secret", "assertion", "refresh_token"].iter().any(|key| word.contains(key));
    text.split_whitespace().filter(form).collect::<Vec<_>>().join(" ").chars().take(600).collect()
}

/// Sends sign-in requests to the configured authority. The SDK refuses an authority that is not https at
/// construction, so a simulator on loopback is reached below it, in the transport.
#[derive(Debug)]
struct Redirected {
    client: reqwest::Client,
    authority: Url,
}

impl Redirected {
    fn to(authority: &Url) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if super::request::Endpoint::new(authority.clone()).is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| format!("no HTTP client for the sign-in: {error}"))?;
        Ok(Self { client, authority: authority.clone() })
    }
}

#[async_trait::async_trait]
impl HttpClient for Redirected {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        let mut url = self.authority.clone();
        url.set_path(request.url().path());
        url.set_query(request.url().query());
        *request.url_mut() = url;
        self.client.execute_request(&request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_secret_names_its_place() {
        let config = Config {
            credential: Credential::ClientSecret {
                tenant_id: "00000000-0000-0000-0000-000000000001".into(),
                client_id: "c".into(),
                secret: SecretSource::File("/nonexistent/secret".into()),
            },
            ..Config::default()
        };
        let error = TokenSource::new(&config).err().expect("no such file");
        assert!(error.starts_with("cannot read /nonexistent/secret (`credential.secret_file`)"), "{error}");
    }
}
