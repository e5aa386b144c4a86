//! The grammar of ERC-4361, line by line: what is not in it is refused, never skipped.

use super::moment::parse as moment;
use super::{BYTES_MAX, Malformed, Message, checksummed};
use crate::identity::Address;

const ASKS: &str = " wants you to sign in with your Ethereum account:";

/// Reads a message.
pub fn parse(text: &str) -> Result<Message, Malformed> {
    let part = Malformed::Part;
    if text.len() > BYTES_MAX {
        return Err(part("it is longer than 4096 bytes"));
    }
    let mut lines = text.split('\n').peekable();
    let mut line = |what| lines.next().ok_or(part(what));
    let first = line("the first line")?;
    let asks = first.strip_suffix(ASKS).ok_or(part("the first line"))?;
    let (scheme, domain) = match asks.split_once("://") {
        Some((scheme, domain)) => (Some(scheme), domain),
        None => (None, asks),
    };
    if scheme.is_some_and(|scheme| !is_scheme(scheme)) || !is_authority(domain) {
        return Err(part("the domain"));
    }
    let address = address(line("the address")?)?;
    let is_empty = |line: &str| line.is_empty().then_some(()).ok_or(part("an empty line"));
    is_empty(line("an empty line")?)?;
    let statement = line("the statement")?;
    let statement = if statement.is_empty() {
        None
    } else {
        is_empty(line("an empty line")?)?;
        Some(statement).filter(|it| is_statement(it)).ok_or(part("the statement")).map(Some)?
    };
    let mut field =
        |name: &str, what| lines.next().and_then(|line| line.strip_prefix(name)).ok_or(part(what));
    let uri = field("URI: ", "the URI")?;
    if field("Version: ", "the version")? != "1" {
        return Err(Malformed::Version);
    }
    let chain = field("Chain ID: ", "the chain id")?;
    let nonce = field("Nonce: ", "the nonce")?;
    let issued = field("Issued At: ", "the time it was made")?;
    let mut optional = |name: &str| lines.next_if(|line| line.starts_with(name))?.get(name.len()..);
    let expiration = optional("Expiration Time: ");
    let not_before = optional("Not Before: ");
    let request_id = optional("Request ID: ");
    let resources = if lines.next_if_eq(&"Resources:").is_some() {
        let listed = lines.by_ref().map_while(|line| line.strip_prefix("- "));
        let listed: Vec<&str> = listed.collect();
        if !listed.iter().all(|it| is_uri(it)) {
            return Err(part("the resources"));
        }
        listed
    } else {
        Vec::new()
    };
    if lines.next().is_some() {
        return Err(part("what follows the last line"));
    }
    let time = |text: &str, what| moment(text).ok_or(part(what));
    Ok(Message {
        address,
        chain_id: number(chain).ok_or(part("the chain id"))?,
        domain: domain.to_owned(),
        expiration_ms: expiration.map(|it| time(it, "the expiration time")).transpose()?,
        issued_ms: time(issued, "the time it was made")?,
        nonce: Some(nonce).filter(|it| is_nonce(it)).ok_or(part("the nonce"))?.to_owned(),
        not_before_ms: not_before.map(|it| time(it, "the time it holds from")).transpose()?,
        request_id: request_id
            .map(|it| is_made_of(it, is_pchar).then(|| it.to_owned()).ok_or(part("the request id")))
            .transpose()?,
        resources: resources.into_iter().map(str::to_owned).collect(),
        scheme: scheme.map(str::to_owned),
        statement: statement.map(str::to_owned),
        uri: Some(uri).filter(|it| is_uri(it)).ok_or(part("the URI"))?.to_owned(),
    })
}

fn address(text: &str) -> Result<Address, Malformed> {
    let address: Address = text.to_ascii_lowercase().parse().map_err(|_| Malformed::Address)?;
    if checksummed(&address) == text { Ok(address) } else { Err(Malformed::Address) }
}

fn number(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

fn is_nonce(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text can stand as a message's statement: printable characters of URIs and spaces, on one line.
pub fn is_statement(text: &str) -> bool {
    let fits = |byte| is_reserved(byte) || is_unreserved(byte) || byte == b' ';
    !text.is_empty() && text.bytes().all(fits)
}

fn is_scheme(text: &str) -> bool {
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_rest)
}

/// An authority without a login, which is never one of ours.
fn is_authority(text: &str) -> bool {
    let fits = |byte| is_unreserved(byte) || is_sub_delimiter(byte) || b":[]".contains(&byte);
    !text.is_empty() && is_made_of(text, fits)
}

fn is_uri(text: &str) -> bool {
    let has_scheme = text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
    has_scheme && is_made_of(text, |byte| is_reserved(byte) || is_unreserved(byte))
}

/// Whether a text has only bytes that fit, and complete percent escapes.
fn is_made_of(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_escape = byte == b'%'
            && bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())
            && bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        if !is_escape && !fits(byte) {
            return false;
        }
    }
    true
}

fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delimiter(byte) || b":@".contains(&byte)
}

fn is_reserved(byte: u8) -> bool {
    is_sub_delimiter(byte) || b":/?#[]@".contains(&byte)
}

fn is_sub_delimiter(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::UnixMillis;

    const PLAIN: &str = "example.com:3388 wants you to sign in with your Ethereum account:\n\
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n\n\n\
        URI: https://example.com/login\nVersion: 1\nChain ID: 42161\nNonce: 32891756\n\
        Issued At: 2021-09-30T16:25:24Z";

    const WHOLE: &str = "https://example.com wants you to sign in with your Ethereum account:\n\
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n\n\
        I accept the terms: https://example.com/tos\n\n\
        URI: https://example.com/login\nVersion: 1\nChain ID: 1\nNonce: 32891756\n\
        Issued At: 2021-09-30T16:25:24.500Z\nExpiration Time: 2021-09-30T18:26:24.5+02:00\n\
        Not Before: 2021-09-30T16:25:24Z\nRequest ID: some%20id\nResources:\n\
        - ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/\n- https://example.com/a";

    #[test]
    fn messages_are_read_whole() {
        let plain = Message::parse(PLAIN).unwrap();
        assert_eq!((plain.domain.as_str(), plain.scheme), ("example.com:3388", None));
        assert_eq!((plain.chain_id, plain.nonce.as_str()), (42_161, "32891756"));
        assert_eq!((plain.statement, plain.expiration_ms), (None, None));
        assert_eq!(plain.issued_ms, UnixMillis(1_633_019_124_000));
        let whole = Message::parse(WHOLE).unwrap();
        assert_eq!(whole.scheme.as_deref(), Some("https"));
        assert_eq!(whole.statement.as_deref(), Some("I accept the terms: https://example.com/tos"));
        assert_eq!(whole.expiration_ms, Some(UnixMillis(1_633_019_184_500)));
        assert_eq!(whole.not_before_ms, Some(UnixMillis(1_633_019_124_000)));
        assert_eq!(whole.request_id.as_deref(), Some("some%20id"));
        assert_eq!(whole.resources.len(), 2);
    }

    #[test]
    fn nothing_else_is_a_message() {
        for (from, to) in [
            (
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            ),
            ("0x5aAeb", "0X5aAeb"),
            ("Version: 1", "Version: 2"),
            ("Version: 1", "Version: 01"),
            ("Chain ID: 42161", "Chain ID: +42161"),
            ("Chain ID: 42161", "Chain ID: "),
            ("Nonce: 32891756", "Nonce: 3289175"),
            ("Nonce: 32891756", "Nonce: 3289175_"),
            ("URI: https://example.com/login", "URI: example"),
            ("URI: https://example.com/login", "URI: https://example.com/a b"),
            ("URI: https://example.com/login", "URI: https://example.com/%2"),
            ("2021-09-30T16:25:24Z", "2021-09-30 16:25:24Z"),
            ("2021-09-30T16:25:24Z", "2021-02-30T16:25:24Z"),
            ("2021-09-30T16:25:24Z", "2021-09-30T16:25:24"),
            ("2021-09-30T16:25:24Z", "2021-09-30T16:25:24Z\n"),
            ("2021-09-30T16:25:24Z", "2021-09-30T16:25:24Z\nRequest ID: a b"),
            ("2021-09-30T16:25:24Z", "2021-09-30T16:25:24Z\nResources:\n- x"),
            (
                "2021-09-30T16:25:24Z",
                "2021-09-30T16:25:24Z\nNot Before: 2021-09-30T16:25:24Z\nExpiration Time: 2021-09-30T16:25:24Z",
            ),
            ("\n\n\nURI", "\n\nURI"),
            ("\n\n\nURI", "\n\n\n\nURI"),
            ("\n\n\nURI", "\n\nsay \"yes\"\n\nURI"),
            ("\n\n\nURI", "\r\n\r\n\r\nURI"),
            ("example.com:3388", ""),
            ("example.com:3388", "user@example.com"),
            ("example.com:3388", "1s://example.com"),
            ("wants you to sign in", "Wants you to sign in"),
        ] {
            let text = PLAIN.replace(from, to);
            assert_ne!(text, PLAIN, "{from:?}");
            assert!(Message::parse(&text).is_err(), "{from:?} as {to:?}");
        }
        assert!(Message::parse("").is_err());
        assert!(Message::parse(&format!("{PLAIN}{}", " ".repeat(BYTES_MAX))).is_err());
    }
}
