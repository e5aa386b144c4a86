//! Signatures by the scheme of Standard Webhooks: HMAC-SHA256 over id, time and body, under a secret of each receiver.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What stands before the base64 of a secret.
const PREFIX: &str = "whsec_";

/// A secret of 256 random bits, as receivers' libraries take it.
pub fn draw_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes)))
}

/// The header `webhook-signature` of a message; nothing if the secret is none.
pub fn sign(secret: &str, id: &str, seconds: u64, body: &str) -> Option<String> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    let signed = mac.chain_update(format!("{id}.{seconds}.{body}")).finalize().into_bytes();
    Some(format!("v1,{}", BASE64_STANDARD.encode(signed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_scheme() {
        // The example of the scheme's own libraries.
        let signed = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(sign("MfKQ", "id", 1, ""), None);
        assert_ne!(draw_secret().unwrap(), draw_secret().unwrap());
    }
}
