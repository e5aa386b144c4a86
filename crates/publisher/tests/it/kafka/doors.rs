//! Who is let in: TLS, logins, and addresses that may not be open.

use std::path::Path;

use super::*;
use publisher::intake::Error;
use publisher::intake::kafka::{Login, Tls};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const HANDSHAKE_1: &str = "0011 0001 00000001 ffff 0005 504c41494e";
const WELCOME_1: &str = "00000007 0000 ffff 00000000";

/// Writes a certificate, its key and a password; returns settings that use them, and the certificate.
fn locked(folder: &Path) -> (Config, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("password"), "correct horse\n").unwrap();
    let tls = Tls { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
    let login = Login { user: "gateway".to_owned(), password: folder.join("password") };
    (Config { tls: Some(tls), login: Some(login), ..plain() }, made.cert.der().clone())
}

fn authenticate(token: &[u8]) -> BytesMut {
    let mut out = header(36, 0);
    out.put_i32(i32::try_from(token.len()).unwrap());
    out.put_slice(token);
    out
}

#[tokio::test]
async fn a_login_is_needed_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = locked(folder.path());
    let running = start_with(Config { tls: None, ..config }, |_| {}).await;
    let offered =
        ask(&mut running.connect().await, &unhex("0012 0000 00000001 0000")).await.unwrap();
    assert_eq!(offered[offered.len() - 12..], unhex("0011 0000 0001 0024 0000 0001"));
    for early in [
        produce(3, -1, "gw", 0, &batch(&["early"])).to_vec(),
        unhex("0003 0001 00000002 0000 ffffffff"),
    ] {
        assert!(ask(&mut running.connect().await, &early).await.is_none());
    }
    assert!(
        ask(&mut running.connect().await, &authenticate(b"\0gateway\0correct horse"))
            .await
            .is_none()
    );
    let mut long = running.connect().await;
    long.write_u32(100_000).await.unwrap();
    assert!(receive(&mut long).await.is_none(), "strangers are brief");
    assert!(running.kept().await.is_empty());

    let mut stream = running.connect().await;
    let other =
        ask(&mut stream, &unhex("0011 0001 00000001 ffff 0006 475353415049")).await.unwrap();
    assert_eq!(
        other,
        unhex("00000001 0021 00000001 0005 504c41494e"),
        "UNSUPPORTED_SASL_MECHANISM, then again"
    );
    assert_eq!(
        ask(&mut stream, &unhex(HANDSHAKE_1)).await.unwrap(),
        unhex("00000001 0000 00000001 0005 504c41494e")
    );
    assert_eq!(
        ask(&mut stream, &authenticate(b"\0gateway\0correct horse")).await.unwrap(),
        unhex(WELCOME_1)
    );
    let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &batch(&["in"]))).await.unwrap();
    assert_eq!(outcome(&answer), (0, 0));
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_hung_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = locked(folder.path());
    let running = start_with(Config { tls: None, ..config }, |_| {}).await;
    let tokens: [&[u8]; 6] = [
        b"\0gateway\0wrong",
        b"\0other\0correct horse",
        b"other\0gateway\0correct horse",
        b"\0gateway\0correct horse\0",
        b"\0gateway",
        b"",
    ];
    for token in tokens {
        let mut stream = running.connect().await;
        ask(&mut stream, &unhex(HANDSHAKE_1)).await.unwrap();
        let answer = ask(&mut stream, &authenticate(token)).await.unwrap();
        assert_eq!(answer[4..6], [0, 58], "SASL_AUTHENTICATION_FAILED");
        assert!(receive(&mut stream).await.is_none());
        let mut stream = running.connect().await;
        ask(&mut stream, &unhex("0011 0000 00000001 ffff 0005 504c41494e")).await.unwrap();
        assert!(ask(&mut stream, token).await.is_none(), "a bare token has no error to answer");
    }
    running.refused_at_last("E-DOOR-LOGIN", 12).await;
}

#[tokio::test]
async fn the_first_handshake_takes_a_bare_token() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = locked(folder.path());
    let running = start_with(Config { tls: None, ..config }, |_| {}).await;
    let mut stream = running.connect().await;
    ask(&mut stream, &unhex("0011 0000 00000001 ffff 0005 504c41494e")).await.unwrap();
    assert_eq!(ask(&mut stream, b"gateway\0gateway\0correct horse").await.unwrap(), b"");
    let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &batch(&["in"]))).await.unwrap();
    assert_eq!(outcome(&answer), (0, 0));
}

#[tokio::test]
async fn a_login_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, _) = locked(folder.path());
    config.limits.login = Duration::from_millis(50);
    let running = start_with(config.clone(), |_| {}).await;
    assert!(receive(&mut running.connect().await).await.is_none());
    running.refused_at_last("E-DOOR-TLS", 1).await;
    let running = start_with(Config { tls: None, ..config }, |_| {}).await;
    assert!(receive(&mut running.connect().await).await.is_none());
    running.refused_at_last("E-DOOR-SLOW", 1).await;
}

#[tokio::test]
async fn a_gateway_can_come_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (config, certificate) = locked(folder.path());
    let running = start_with(config, |_| {}).await;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream =
        TlsConnector::from(Arc::new(client)).connect(name, running.connect().await).await.unwrap();
    ask(&mut stream, &unhex(HANDSHAKE_1)).await.unwrap();
    assert_eq!(
        ask(&mut stream, &authenticate(b"\0gateway\0correct horse")).await.unwrap(),
        unhex(WELCOME_1)
    );
    let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &batch(&["in"]))).await.unwrap();
    assert_eq!(outcome(&answer), (0, 0));
    let mut bare = running.connect().await;
    assert_ne!(
        ask(&mut bare, &unhex("0012 0000 00000001 0000")).await.unwrap_or_default().first(),
        Some(&0)
    );
    running.refused_at_last("E-DOOR-TLS", 1).await;
}

#[tokio::test]
async fn a_listener_open_to_the_network_without_a_lock_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = locked(folder.path());
    let spool = Arc::new(Spool::open(&spool::Config::at(folder.path().join("spool"))).unwrap());
    let bind = async |config: Config| {
        let bound =
            Listener::bind(config, Arc::clone(&spool), Arc::new(|| 0), Counts::default()).await;
        bound.err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    for open in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[::ffff:127.0.0.1]:0"] {
        let open = Config { listen: open.parse().unwrap(), ..config.clone() };
        assert!(bind(Config { tls: None, ..open.clone() }).await.contains("TLS is missing"));
        assert!(bind(Config { login: None, ..open.clone() }).await.contains("a login is missing"));
        let refusal = bind(Config { tls: None, login: None, ..open }).await;
        assert!(
            refusal.contains("will not listen") && refusal.contains("TLS and a login are missing"),
            "{refusal}"
        );
    }
    let anywhere = Config { listen: "0.0.0.0:0".parse().unwrap(), ..config.clone() };
    assert!(bind(anywhere).await.contains("say which one clients reach it by"));
    assert!(bind(Config { topic: String::new(), ..plain() }).await.contains("1 to 249"));
    std::fs::write(folder.path().join("password"), "\n").unwrap();
    assert!(bind(config.clone()).await.contains("is empty"));
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    assert!(bind(config.clone()).await.contains("could not use the certificate"));
    let gone = Config { login: None, tls: None, ..config };
    let taken = Listener::bind(gone.clone(), Arc::clone(&spool), Arc::new(|| 0), Counts::default())
        .await
        .unwrap();
    let again = Config { listen: taken.address(), ..gone };
    let refusal = Listener::bind(again, spool, Arc::new(|| 0), Counts::default()).await.err();
    assert!(matches!(refusal, Some(Error::Listen { .. })));
}
