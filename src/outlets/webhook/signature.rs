//! The signature of an event, in the form of Standard Webhooks: HMAC-SHA256 over id, time and body.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::SecretSource;

/// What is read of a file that holds secrets.
const LONGEST_FILE: u64 = 64 << 10;
/// Two are in force while one is exchanged for another.
const MOST_SECRETS: usize = 2;

/// The secrets that a receiver knows; never shown.
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Reads them where they stand.
    pub fn of(source: &SecretSource) -> Result<Self, String> {
        match source {
            SecretSource::Environment(name) => {
                let text = std::env::var(name)
                    .map_err(|_| format!("the environment variable {name} (`secret_env`) is not set"))?;
                Self::parse(&text).map_err(|error| format!("the environment variable {name}: {error}"))
            }
            SecretSource::File(path) => {
                let text = read(path)
                    .map_err(|error| format!("cannot read {} (`secret_file`): {error}", path.display()))?;
                Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }

    /// One secret, or two parted by blanks or line breaks. What is wrong is told without them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let secret = |word: &str| {
            let key = word.strip_prefix("whsec_").and_then(|rest| STANDARD.decode(rest).ok());
            key.filter(|key| (24..=64).contains(&key.len())).ok_or_else(|| {
                "a secret is `whsec_` and the base64 of 24 to 64 bytes; `echo whsec_$(openssl rand -base64 32)` makes one"
                    .to_owned()
            })
        };
        let keys: Vec<Vec<u8>> = text.split_whitespace().map(secret).collect::<Result<_, _>>()?;
        match keys.len() {
            0 => Err("there is no secret".to_owned()),
            1..=MOST_SECRETS => Ok(Self(keys)),
            n => Err(format!("there are {n} secrets; two are enough to exchange one")),
        }
    }

    /// The value of `webhook-signature`: a signature by each secret. The receiver takes whichever it knows.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let one = |key: &Vec<u8>| {
            // HMAC takes keys of any length.
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body.as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

fn read(path: &Path) -> io::Result<String> {
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(LONGEST_FILE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference implementations of Standard Webhooks.
    #[test]
    fn the_reference_implementations_example_is_signed_as_they_sign_it() {
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("a secret");
        let signed = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_both_and_what_is_none_is_not_repeated() {
        let [a, b] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"];
        let sign = |text: &str| Secrets::parse(text).map(|secrets| secrets.sign("a", 1, "b"));
        let both = format!("{} {}", sign(a).expect("one"), sign(b).expect("one"));
        assert_eq!(sign(&format!("{a}\n{b}\n")), Ok(both));
        let hunter = format!("whsec_{}", STANDARD.encode("hunter2"));
        for text in ["", " \n", "hunter2", &hunter, "whsec_hunter2!", &format!("{a} {b} {a}")] {
            let error = sign(text).expect_err(text);
            assert!(!error.contains("hunter2") && !error.contains(&a[6..]), "{error}");
        }
    }

    #[test]
    fn a_place_without_a_secret_is_named() {
        let of = |source: SecretSource| Secrets::of(&source).err().expect("there is none");
        assert!(
            of(SecretSource::File("/dev/zero".into()))
                .contains("/dev/zero (`secret_file`): it is no regular file")
        );
        assert!(of(SecretSource::File("/nonexistent".into())).contains("/nonexistent (`secret_file`)"));
        assert!(
            of(SecretSource::Environment("MLFENCE_NO_SUCH".to_owned()))
                .contains("MLFENCE_NO_SUCH (`secret_env`)")
        );
    }
}
