//! `prembridge mock-cloud` with webhooks.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc;

use super::receiver::{Receiver, SECRET, TOKEN};
use super::*;

/// Longer than anything should take here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running command, killed when dropped.
struct Process {
    child: Child,
    /// The lines of both outputs.
    lines: mpsc::UnboundedReceiver<String>,
    /// Those that nobody has asked for yet: the two outputs have no order among each other.
    others: Vec<String>,
}

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prembridge"));
        command.args(["mock-cloud", "--listen", "127.0.0.1:0"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        forward(child.stdout.take().unwrap(), sender.clone());
        forward(child.stderr.take().unwrap(), sender);
        Self { child, lines, others: Vec::new() }
    }

    /// The rest of the first line that begins like this, and of each only once.
    async fn told(&mut self, start: &str) -> String {
        loop {
            if let Some(at) = self.others.iter().position(|line| line.starts_with(start)) {
                return self.others.remove(at)[start.len()..].to_owned();
            }
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await.ok().flatten();
            self.others.push(line.unwrap_or_else(|| panic!("no {start:?} in {:?}", self.others)));
        }
    }
}

fn forward(from: impl Read + Send + 'static, to: mpsc::UnboundedSender<String>) {
    std::thread::spawn(move || BufReader::new(from).lines().try_for_each(|line| to.send(line.unwrap())));
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets the user write; the mock at this URL answers with the message's id.
async fn inbound(url: &str) -> Value {
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let mut client = Client(super::BufReader::new(stream));
    let path = "/_mock/inbound?phone_number_id=106540352242922";
    client.call("POST", path, "", br#"{"text": "hi"}"#).await.unwrap().json()["id"].take()
}

#[tokio::test]
async fn the_command_posts_webhooks_whether_or_not_the_challenge_is_passed() {
    for (token, outcome) in [
        (Some(TOKEN), "the webhook URL passed the challenge"),
        (Some("bad"), "the webhook URL did not pass the challenge: the answer was HTTP 403"),
        (None, ""),
    ] {
        let receiver = Receiver::start([]).await;
        let url = receiver.url() + "?key=secret";
        let mut args = vec!["--webhook-url", &url, "--app-secret", SECRET, "--status", "failed"];
        args.extend(token.iter().flat_map(|token| ["--verify-token", token]));
        let mut process = Process::start(&args);
        let base_url = process.told("mock Cloud API on ").await;
        let subscribed = process.told("webhooks to ").await;
        assert_eq!(subscribed, format!("{}: failed of each message", receiver.url()));
        if token.is_some() {
            process.told(outcome).await;
        }
        let id = inbound(&base_url).await;
        let seen = receiver.until(|seen| seen.posts.len() == 1).await;
        assert!(seen.posts[0].is_signed_with(SECRET));
        assert_eq!(seen.posts[0].value()["messages"][0]["id"], id);
        assert_eq!(seen.challenges.len(), usize::from(token.is_some()));
    }
}

/// Runs over one store must not repeat each other's ids: what the proxy has seen it does not deliver again.
#[tokio::test]
async fn the_command_has_new_ids_in_each_run_unless_it_has_a_seed() {
    let run = async |args: &[&str]| {
        let mut process = Process::start(args);
        let base_url = process.told("mock Cloud API on ").await;
        let stream = TcpStream::connect(base_url.strip_prefix("http://").unwrap()).await.unwrap();
        let mut client = Client(super::BufReader::new(stream));
        let headers = "Bearer x\r\nContent-Type: application/json";
        let message = br#"{"messaging_product":"whatsapp","to":"+15551234567","text":{"body":"x"}}"#;
        let sent = client.call("POST", "/v23.0/106540352242922/messages", headers, message).await.unwrap();
        let template =
            br#"{"name":"a","language":"en","category":"UTILITY","components":[{"type":"BODY","text":"x"}]}"#;
        let made = client.call("POST", "/v23.0/102290129340398/message_templates", headers, template).await;
        let ids = [sent.json()["messages"][0]["id"].take(), made.unwrap().json()["id"].take()];
        assert!(ids.iter().all(|id| id.is_string()), "{ids:?}");
        (ids, process.told("the same ids again: --seed ").await)
    };
    let [(one, seed), (two, _)] = [run(&[]).await, run(&[]).await];
    assert!(one[0] != two[0] && one[1] != two[1], "{one:?} {two:?}");
    assert_eq!(run(&["--seed", &seed]).await, (one, seed.clone()));
    assert_eq!(run(&["--seed", "7"]).await.1, "7");
}
