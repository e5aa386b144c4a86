//! Signing in: nonces given out, signed messages judged, sessions opened and closed. All of it is in memory and bounded,
//! and gone when the process ends. It never sees a key, and it keeps no message.

mod nonces;
mod sessions;

use std::sync::Mutex;

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, ORIGIN};
use events::identity::{Address, AddressSignature};
use events::sign_in::{Malformed, Message, signer};
use events::unit::{Millis, UnixMillis};

use crate::problem::{Code, Problem};
use crate::query::shown;
use nonces::Nonces;
use sessions::Sessions;

pub use nonces::LIFETIME as NONCE_LIFETIME;

/// How far apart the clocks of a wallet's machine and ours may be.
const CLOCKS_APART: Millis = Millis(60_000);

/// Who is asked for when somebody signs in, and how long that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The chain that a message has to name.
    pub chain_id: u64,
    /// The authority that a message has to name, such as `naap.example`.
    pub domain: String,
    /// How long a session lasts.
    pub session: Millis,
    /// How many sessions there may be.
    pub sessions_max: usize,
    /// What the signer is shown, which a message has to say as it is; none for whatever it says.
    pub statement: Option<String>,
    /// The URI that a message has to name, such as `https://naap.example`.
    pub uri: String,
}

/// Why sign-in cannot be offered so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The domain is not the URI's.
    #[error("the domain {domain:?} is not the authority of the URI {uri:?}")]
    Domain {
        /// The domain.
        domain: String,
        /// The URI.
        uri: String,
    },
    /// Cookies would travel in the open.
    #[error("{0:?} is not https, which only an address of this machine may do without")]
    Plain(String),
    /// The statement could not stand in a message.
    #[error("the statement {0:?} has characters that ERC-4361 has no place for")]
    Statement(String),
    /// The system gives no random bytes.
    #[error("cannot draw random bytes: {0}")]
    Random(String),
}

/// An open session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    pub address: Address,
    /// When it ends by itself.
    pub expires_ms: UnixMillis,
}

/// Sign-in, as configured.
#[derive(Debug)]
pub struct SignIn {
    is_secure: bool,
    nonces: Nonces,
    origin: String,
    scheme: String,
    sessions: Mutex<Sessions>,
    settings: Settings,
}

impl SignIn {
    /// Offers sign-in under these settings.
    pub fn new(settings: Settings) -> Result<Self, Unusable> {
        let Settings { domain, uri, statement, .. } = &settings;
        let strange = || Unusable::Domain { domain: domain.clone(), uri: uri.clone() };
        let (scheme, rest) = uri.split_once("://").ok_or_else(strange)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || authority != domain {
            return Err(strange());
        }
        let is_secure = scheme == "https";
        let is_at_home = scheme == "http" && is_loopback(authority);
        if !is_secure && !is_at_home {
            return Err(Unusable::Plain(uri.clone()));
        }
        if let Some(statement) = statement
            && !events::sign_in::is_statement(statement)
        {
            return Err(Unusable::Statement(statement.clone()));
        }
        Ok(Self {
            is_secure,
            nonces: Nonces::new().map_err(|error| Unusable::Random(error.to_string()))?,
            origin: format!("{scheme}://{authority}"),
            scheme: scheme.to_owned(),
            sessions: Mutex::new(Sessions::new(settings.session, settings.sessions_max)),
            settings,
        })
    }

    /// What a message has to name.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A nonce to be signed once, within five minutes.
    pub fn nonce(&self, now: UnixMillis) -> Result<String, Problem> {
        self.nonces.draw(now).map_err(|error| random(&error))
    }

    /// Opens a session for whoever signed `text`; gives it and the header that hands out its cookie.
    pub fn sign_in(
        &self,
        text: &str,
        signature: &AddressSignature,
        now: UnixMillis,
    ) -> Result<(Session, String), Problem> {
        let message = Message::parse(text).map_err(malformed)?;
        self.check(&message, now)?;
        let by = signer(text, signature).map_err(|why| not_signed(&message, why))?;
        if by != message.address {
            return Err(not_signed(&message, &format!("it is {by}'s")));
        }
        // Last, so that nobody but a signer uses up a nonce or the room to remember it.
        self.nonces.spend(&message.nonce, now)?;
        let (session, token) = self.lock().open(message.address, now)?;
        Ok((session, self.cookie(&token, self.settings.session.0 / 1_000)))
    }

    /// The session of a request.
    pub fn session(&self, headers: &HeaderMap, now: UnixMillis) -> Result<Session, Problem> {
        let token = self.token(headers);
        token.and_then(|token| self.lock().find(&token, now)).ok_or_else(|| {
            let instead = "GET /v1/private/nonce, sign a message with it, and POST it to /v1/private/sign-in.";
            Problem::new(Code::SignedOut, "not signed in, or the session has ended", instead)
        })
    }

    /// Closes the session of a request, if it has one; gives the header that takes its cookie back.
    pub fn sign_out(&self, headers: &HeaderMap) -> String {
        if let Some(token) = self.token(headers) {
            self.lock().close(&token);
        }
        self.cookie("", 0)
    }

    /// Whether a request that changes something comes from our own pages, or from no page at all.
    ///
    /// Browsers say where such a request comes from; whoever says nothing is none, and was handed no cookie by one.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let refuse = |why: String| {
            let instead = format!("Send it from a page of {}.", self.origin);
            Err(Problem::new(Code::Origin, why, instead))
        };
        let sites = headers.get_all("sec-fetch-site");
        if sites.iter().any(|site| site != "same-origin") {
            return refuse("the request was sent by a page of another site".to_owned());
        }
        match headers.get_all(ORIGIN).iter().find(|origin| *origin != self.origin.as_str()) {
            Some(origin) => {
                let shown = shown(&String::from_utf8_lossy(origin.as_bytes()));
                refuse(format!("the request comes from {shown:?}"))
            }
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether a message is one that was asked for, and holds now.
    fn check(&self, message: &Message, now: UnixMillis) -> Result<(), Problem> {
        let Settings { chain_id, domain, statement, uri, .. } = &self.settings;
        let wrong = |code, what: &str, said: &str, wanted: &str| {
            let said = shown(said);
            Err(Problem::new(code, format!("{what} is {said:?}"), format!("Sign {wanted:?}.")))
        };
        if message.domain != *domain {
            return wrong(Code::SignInDomain, "the domain", &message.domain, domain);
        }
        if let Some(scheme) = &message.scheme
            && *scheme != self.scheme
        {
            return wrong(Code::SignInDomain, "the scheme", scheme, &self.scheme);
        }
        if message.uri != *uri {
            return wrong(Code::SignInUri, "the URI", &message.uri, uri);
        }
        if message.chain_id != *chain_id {
            let (said, wanted) = (message.chain_id.to_string(), chain_id.to_string());
            return wrong(Code::SignInChain, "the chain id", &said, &wanted);
        }
        if statement.is_some() && message.statement != *statement {
            let said = message.statement.as_deref().unwrap_or_default();
            let wanted = statement.as_deref().unwrap_or_default();
            return wrong(Code::SignInStatement, "the statement", said, wanted);
        }
        self.check_time(message, now)
    }

    fn check_time(&self, message: &Message, now: UnixMillis) -> Result<(), Problem> {
        let late = |why: &str| {
            let instead = "Get a new nonce and sign a message with the current time.";
            Err(Problem::new(Code::SignInTime, why, instead))
        };
        if message.issued_ms > now.plus(CLOCKS_APART) {
            return late("the message was issued in the future");
        }
        if message.issued_ms.plus(NONCE_LIFETIME).plus(CLOCKS_APART) < now {
            return late("the message was issued more than five minutes ago");
        }
        if message.expiration_ms.is_some_and(|end| end <= now) {
            return late("the message has expired");
        }
        if message.not_before_ms.is_some_and(|begin| begin > now) {
            return late("the message is not valid yet");
        }
        Ok(())
    }

    /// A cookie with this prefix is bound to our host over https, and no other host can set it.
    fn name(&self) -> &'static str {
        if self.is_secure { "__Host-naap-session" } else { "naap-session" }
    }

    fn cookie(&self, token: &str, seconds: u64) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let name = self.name();
        format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}; Max-Age={seconds}")
    }

    /// The token of a request's cookie; none where there are two, since one of them is somebody else's doing.
    fn token(&self, headers: &HeaderMap) -> Option<String> {
        let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
        let mut mine = pairs.filter(|(name, _)| name.trim() == self.name());
        let token = mine.next()?.1.trim().to_owned();
        mine.next().is_none().then_some(token)
    }
}

/// Whether an authority is this machine's own.
fn is_loopback(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { authority }
    });
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn random(error: &getrandom::Error) -> Problem {
    tracing::error!(%error, "cannot draw random bytes");
    Problem::internal()
}

fn malformed(why: Malformed) -> Problem {
    let code = match why {
        Malformed::Address => Code::SignInAddress,
        Malformed::Part(_) => Code::SignInMessage,
        Malformed::Version => Code::SignInVersion,
    };
    let instead = "Sign a message exactly as ERC-4361 lays it out, with a line feed after every line but the last.";
    Problem::new(code, why.to_string(), instead)
}

fn not_signed(message: &Message, why: &str) -> Problem {
    let detail = format!("the signature is not {}'s: {why}", message.address);
    let instead = "Sign the text as it is with the key of the address it names (personal_sign, EIP-191). Accounts that \
                   are contracts (ERC-1271) cannot sign in here yet.";
    Problem::new(Code::SignInSignature, detail, instead)
}
