//! Decides which addresses this process may call: https to public addresses, and more only where configured.
//! It never follows a redirect or a proxy, and a connection only ever goes to an address that was judged.
//!
//! A name is resolved and judged for every connection by the resolver that the connection uses, so there is no second
//! look-up for an attacker's name server to answer differently.

use std::error::Error as StdError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Error, Result};

/// What may be called beside public addresses over https. The default allows nothing more.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Loopback, over https or plain http.
    pub loopback: bool,
    /// Private networks (RFC 1918, RFC 4193, RFC 6598), over https.
    pub private: bool,
    /// Certificates (DER) to trust in the place of the system's; none means the system's.
    pub roots: Vec<Vec<u8>>,
}

/// A url that the policy permits, with what is needed to call it.
#[derive(Clone, Debug)]
pub struct Target {
    url: Url,
    rule: Rule,
    roots: Vec<Vec<u8>>,
}

/// The part of a policy that judges addresses, for one scheme.
#[derive(Clone, Copy, Debug)]
struct Rule {
    is_plain: bool,
    loopback: bool,
    private: bool,
}

/// What kind of address it is, by the IANA special-purpose registries.
enum Kind {
    Public,
    Loopback,
    Private,
    Forbidden(&'static str),
}

impl Policy {
    /// Permits a url, or says why not. Names are judged later, when they are resolved.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn target(&self, url: &str) -> Result<Target> {
        let refuse = |reason| Error::Address { target: url.chars().take(256).collect(), reason };
        let parsed = Url::parse(url).map_err(|_| refuse("it is not a url"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::Address {
                target: parsed.host_str().unwrap_or("").to_owned(),
                reason: "it has a login",
            });
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse("it has a query or a fragment"));
        }
        let is_plain = match parsed.scheme() {
            "https" => false,
            "http" if self.loopback => true,
            "http" => return Err(refuse("only https is allowed")),
            _ => return Err(refuse("its scheme is not https")),
        };
        let rule = Rule { is_plain, loopback: self.loopback, private: self.private };
        let host = parsed.host_str().ok_or_else(|| refuse("it has no host"))?;
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            rule.judge(ip).map_err(refuse)?;
        }
        Ok(Target { url: parsed, rule, roots: self.roots.clone() })
    }
}

impl Target {
    /// The url as given.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The url with path segments added.
    #[must_use]
    pub fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// A client for this target and its paths only: no redirects, no proxies, judged addresses, bounded time.
    ///
    /// # Errors
    /// [`Error::Foreign`] when TLS cannot be set up, for instance without any system certificate.
    pub fn client(&self, timeout: Duration) -> Result<reqwest::Client> {
        let fail = |reason: String| Error::Foreign { peer: self.url.to_string(), reason };
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(!self.rule.is_plain)
            .dns_resolver(Judge { rule: self.rule })
            .tls_backend_preconfigured(self.tls().map_err(fail)?)
            .connect_timeout(timeout)
            .timeout(timeout)
            .build()
            .map_err(|error| fail(error.to_string()))
    }

    fn tls(&self) -> std::result::Result<rustls::ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.rule.is_plain || !self.roots.is_empty() {
            let mut store = rustls::RootCertStore::empty();
            for root in &self.roots {
                store.add(CertificateDer::from(root.clone())).map_err(|error| error.to_string())?;
            }
            builder.with_root_certificates(store)
        } else {
            builder.with_platform_verifier().map_err(|error| error.to_string())?
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl Rule {
    fn judge(self, ip: IpAddr) -> std::result::Result<(), &'static str> {
        match kind(ip) {
            Kind::Loopback if self.loopback => Ok(()),
            Kind::Loopback => Err("loopback is not configured"),
            _ if self.is_plain => Err("plain http is for loopback only"),
            Kind::Public => Ok(()),
            Kind::Private if self.private => Ok(()),
            Kind::Private => Err("private networks are not configured"),
            Kind::Forbidden(reason) => Err(reason),
        }
    }
}

/// Resolves names for connections, and refuses a name if any of its addresses is not permitted.
struct Judge {
    rule: Rule,
}

impl Resolve for Judge {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.rule;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.take(32).collect();
            for address in &found {
                let target = || format!("{} ({})", name.as_str(), address.ip());
                rule.judge(address.ip())
                    .map_err(|reason| Error::Address { target: target(), reason })?;
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// The refusal of the address policy inside a failed request, if that is why it failed.
pub(crate) fn refusal(error: &reqwest::Error) -> Option<Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(refusal @ Error::Address { .. }) = inner.downcast_ref::<Error>() {
            return Some(refusal.clone());
        }
        cause = inner.source();
    }
    None
}

/// Addresses on which clouds answer metadata and credentials to whoever asks; no configuration allows them.
/// AWS, GCP and Azure (two), Alibaba, Oracle, Azure's wire server, AWS over IPv6.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

fn kind(ip: IpAddr) -> Kind {
    if METADATA.contains(&ip) {
        return Kind::Forbidden("it is a cloud's metadata address");
    }
    match ip {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => kind_v6(ip),
    }
}

fn kind_v4(ip: Ipv4Addr) -> Kind {
    match ip.octets() {
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
        [0, ..] => Kind::Forbidden("it means this host"),
        [169, 254, ..] => Kind::Forbidden("it is link-local"),
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Kind::Forbidden("it is reserved for protocols, tests or examples"),
        [224..=255, ..] => Kind::Forbidden("it is multicast or reserved"),
        _ => Kind::Public,
    }
}

fn kind_v6(ip: Ipv6Addr) -> Kind {
    if ip == Ipv6Addr::LOCALHOST {
        return Kind::Loopback;
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] => Kind::Forbidden("it is an ipv4 address in disguise"),
        [0xfc00..=0xfdff, ..] => Kind::Private,
        [0xfe80..=0xfebf, ..] => Kind::Forbidden("it is link-local"),
        [0x2001, 0..=0x01ff, ..]
        | [0x2001, 0x0db8, ..]
        | [0x2002, ..]
        | [0x3fff, 0..=0x0fff, ..] => {
            Kind::Forbidden("it is reserved for protocols, tunnels or examples")
        }
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Forbidden("it is outside the public unicast range"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(policy: &Policy, url: &str) -> bool {
        policy.target(url).is_ok()
    }

    #[test]
    fn public_https_is_permitted_and_everything_special_is_not() {
        let policy = Policy::default();
        for url in
            ["https://example.org", "https://8.8.8.8:8443/base/", "https://[2606:4700::1111]/"]
        {
            assert!(permits(&policy, url), "{url}");
        }
        for url in [
            "http://example.org",
            "http://8.8.8.8",
            "ftp://8.8.8.8",
            "file:///etc/passwd",
            "nonsense",
            "https://user:secret@8.8.8.8",
            "https://8.8.8.8/?q=1",
            "https://127.0.0.1",
            "https://2130706433",
            "https://0x7f.1",
            "https://0.0.0.0",
            "https://10.0.0.1",
            "https://172.31.255.255",
            "https://192.168.1.1",
            "https://100.64.0.1",
            "https://169.254.1.1",
            "https://169.254.169.254/latest/meta-data",
            "https://168.63.129.16",
            "https://198.18.0.1",
            "https://224.0.0.1",
            "https://255.255.255.255",
            "https://[::1]",
            "https://[::]",
            "https://[::ffff:10.0.0.1]",
            "https://[::ffff:8.8.8.8]",
            "https://[64:ff9b::a00:1]",
            "https://[2002:a00:1::]",
            "https://[2001::1]",
            "https://[fe80::1]",
            "https://[fc00::1]",
            "https://[ff02::1]",
        ] {
            assert!(!permits(&policy, url), "{url}");
        }
    }

    #[test]
    fn configuration_opens_loopback_and_private_networks_and_nothing_else() {
        let policy = Policy { loopback: true, private: true, ..Policy::default() };
        for url in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "https://127.0.0.1",
            "https://10.0.0.1",
            "https://[fd01::1]",
        ] {
            assert!(permits(&policy, url), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://8.8.8.8",
            "https://100.100.100.200",
            "https://169.254.169.254",
            "https://192.0.0.192",
            "https://[fd00:ec2::254]",
            "https://[fe80::1]",
            "https://[::ffff:127.0.0.1]",
        ] {
            assert!(!permits(&policy, url), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_when_it_is_resolved() {
        let target =
            Policy::default().target("https://localhost:1/").expect("names are judged later");
        let client =
            target.client(Duration::from_secs(5)).expect("system certificates are installed");
        let error =
            client.get(target.url().clone()).send().await.expect_err("loopback is not configured");
        assert!(matches!(refusal(&error), Some(Error::Address { .. })), "{error:?}");
    }

    #[test]
    fn segments_are_added_below_the_base_path() {
        let target = Policy::default().target("https://example.org/base/").expect("it is public");
        assert_eq!(target.join(&["a", "b"]).as_str(), "https://example.org/base/a/b");
    }
}
