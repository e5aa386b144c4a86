//! A Kafka listener with a spool and nothing else, to try real clients against.
//! It never outlives its standard input: when that closes it stops, and lists what it kept.
//!
//! `listen DIRECTORY TOPIC [--tls CERTIFICATE KEY] [--login USER PASSWORD_FILE]` prints `listening HOST:PORT`, and at the end one
//! `kept ID` line for each record in the spool, in order, then `refused CODE COUNT` lines.

use std::error::Error;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use publisher::intake::kafka::{Config, Listener, Login, Tls};
use publisher::intake::{Clock, Counts};
use publisher::spool::{self, Spool};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut word = |what: &str| arguments.next().ok_or_else(|| format!("missing {what}"));
    let spool = Arc::new(Spool::open(&spool::Config::at(word("DIRECTORY")?))?);
    let mut config = Config::plain("127.0.0.1:0".parse()?, word("TOPIC")?);
    while let Ok(flag) = word("flag") {
        match flag.as_str() {
            "--tls" => {
                config.tls =
                    Some(Tls { certificate: word("CERTIFICATE")?.into(), key: word("KEY")?.into() })
            }
            "--login" => {
                config.login =
                    Some(Login { user: word("USER")?, password: word("PASSWORD_FILE")?.into() })
            }
            other => return Err(format!("unknown flag {other}").into()),
        }
    }
    let millis =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let clock: Clock = Arc::new(move || u64::try_from(millis()).unwrap_or(u64::MAX));
    let counts = Counts::default();
    let listener = Listener::bind(config, Arc::clone(&spool), clock, counts.clone()).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening {}", listener.address())?;
    out.flush()?;
    let stop = CancellationToken::new();
    let served = tokio::spawn(listener.run(stop.clone()));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    stop.cancel();
    served.await?;
    let mut reader = spool.read_from(spool.oldest());
    loop {
        let records = reader.take(1024).await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            writeln!(out, "kept {}", record.raw.key.unwrap_or_default())?;
        }
    }
    for (code, count) in counts.snapshot().refused {
        writeln!(out, "refused {code} {count}")?;
    }
    Ok(())
}
