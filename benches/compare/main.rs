//! The upstream of the comparison with other proxies: `benches/compare/run` starts it, nobody else needs to.
//!
//! It is the mock Cloud API reduced to what a text message needs, so that one core carries it and the load
//! together. It looks at every message: what a rewriting proxy passes on has to be Cloud's, to the letter.
//!
//! | arguments | |
//! |---|---|
//! | `certificates FOLDER` | writes a certificate authority and a server's certificate |
//! | `upstream [FOLDER]` | serves, with TLS if there is a folder, until its standard input ends |
//! | `--test` | checks the upstream itself, in a second |

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot run should stop, and its script reads what it prints"
)]

mod certificates;
mod judge;
mod self_check;
mod upstream;

use std::io::Read as _;
use std::path::Path;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use upstream::Upstream;

fn main() {
    // What cargo adds to tell benches from tests.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["certificates", folder] => certificates::write(Path::new(folder)),
        ["upstream"] => local(serve(None)),
        ["upstream", folder] => local(serve(Some(Path::new(folder)))),
        arguments if arguments.contains(&"--test") => local(self_check::run()),
        _ => println!("The comparison is made by benches/compare/run; this is its upstream."),
    }
}

/// One thread: it shares its core with the load.
fn local(work: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work);
}

/// Until whoever started it closes its standard input, which a process that was killed does too.
async fn serve(folder: Option<&Path>) {
    let upstream = Upstream::start(folder).await;
    println!("messages {} control {}", upstream.messages, upstream.control);
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    let _ = end.await;
}
