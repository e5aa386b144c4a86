//! The binary as a process: run to its end, or started, asked over HTTP, told to stop, killed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that a test waits for: generous, for machines with much to do.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A command of the binary, with nothing of this machine's configuration: neither ours nor what terminals are told.
pub fn naap(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_naap"));
    command.env_clear().args(arguments).current_dir(std::env::temp_dir());
    command
}

/// Runs a verb to its end.
pub fn run(arguments: &[&str]) -> Output {
    naap(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a verb printed, once it succeeded.
pub fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\n{out}\n{error}", output.status);
    out.into_owned()
}

/// A folder as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Asks again until there is an answer, or panics with what was waited for.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that runs until it is told to stop.
pub struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    /// Starts a verb on a folder; it may not answer yet.
    pub fn begin(verb: &str, folder: &Path, more: &[&str]) -> Self {
        Self::begin_by(naap, verb, folder, more)
    }

    /// Starts a verb as the command that `by` makes of its arguments.
    pub fn begin_by(
        by: impl Fn(&[&str]) -> Command,
        verb: &str,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let addresses = folder.join("addresses.json");
        if addresses.exists() {
            std::fs::remove_file(&addresses).unwrap();
        }
        let listens: &[&str] = match verb {
            "dev" | "publish" => &["--kafka", "127.0.0.1:0"],
            _ => &[],
        };
        let mut command =
            by(&[verb, "--data", text(folder), "--listen", "127.0.0.1:0", "--log", "warn"]);
        command.args(listens).args(more).stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.spawn().unwrap(), folder: folder.to_owned() }
    }

    /// Starts a verb and waits until it answers.
    pub fn start(verb: &str, folder: &Path, more: &[&str]) -> Self {
        Self::begin(verb, folder, more).answering()
    }

    /// Waits until it answers.
    pub fn answering(mut self) -> Self {
        until("the process to answer", || {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
            self.addresses()
        });
        self
    }

    /// Waits until it ends by itself, and tells how.
    pub fn end(mut self) -> ExitStatus {
        until("the process to end", || self.child.try_wait().unwrap())
    }

    /// Where it answers, once it does.
    pub fn addresses(&self) -> Option<Value> {
        let text = std::fs::read(self.folder.join("addresses.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The address of a door.
    pub fn at(&self, door: &str) -> SocketAddr {
        self.addresses().unwrap()[door].as_str().unwrap().parse().unwrap()
    }

    /// What the API answers at a path.
    pub fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = http(self.at("api"), "GET", path, b"");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<u64> {
        let (_, body) = http(self.at("api"), "GET", "/metrics", b"");
        let text = String::from_utf8(body).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = until("the process to stop", || self.child.try_wait().unwrap());
        assert!(status.success(), "stopping: {status}");
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be killed again.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One request on a connection of its own.
pub fn http(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = &answer[end + 4..];
    (
        status,
        if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_vec() },
    )
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
}
