//! The task that posts webhooks, and the challenge before them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::state::State;
use super::Subscriber;
use super::queue::Job;
use super::signature::signature;

/// Posts what is queued until told to stop.
pub(in super::super) async fn run(state: Arc<State>, mut stop: watch::Receiver<()>) {
    let mut posts = JoinSet::new();
    loop {
        while let Some((subscriber, job)) = state.hooks.start() {
            posts.spawn(post(Arc::clone(&state), subscriber, job));
        }
        let due = state.hooks.board().queue.due();
        tokio::select! {
            _ = stop.changed() => break,
            () = state.hooks.wake.notified() => {}
            Some(_) = posts.join_next(), if !posts.is_empty() => {}
            () = at(due) => {}
        }
    }
    posts.shutdown().await;
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn post(state: Arc<State>, subscriber: Arc<Subscriber>, job: Job) {
    let Subscriber { subscription, target } = &*subscriber;
    let secret = job.secret.as_deref().unwrap_or(&subscription.app_secret);
    let signature = signature(secret, &job.body);
    let outcome = match target {
        Ok(target) => {
            let post = target.post(&subscription.url, &signature, job.body.clone());
            let answer = timeout(subscription.retry.answer_within, post).await;
            answer.map_err(|_| "no answer in time".to_owned()).flatten().map(|answer| answer.status)
        }
        Err(error) => Err(error.clone()),
    };
    state.hooks.settle(&state, job, subscription.retry, outcome);
}

/// Asks the endpoint to repeat a challenge, as Graph does before it subscribes one (Webhooks, "Verification").
pub(super) async fn verify(state: &State) -> Result<(), String> {
    let subscriber = state.hooks.subscriber().ok_or("nobody is subscribed")?;
    let Subscriber { subscription, target } = &*subscriber;
    let token = subscription.verify_token.as_deref().ok_or("the subscription has no verify token")?;
    let challenge = state.ids.challenge(state.hooks.challenges.fetch_add(1, Ordering::Relaxed));
    let mut url = url::Url::parse(&subscription.url).map_err(|error| error.to_string())?;
    url.query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", &challenge)
        .append_pair("hub.verify_token", token);
    let target = target.as_ref().map_err(Clone::clone)?;
    let answer = timeout(subscription.retry.answer_within, target.get(url.as_str())).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned())??;
    if answer.status != 200 {
        return Err(format!("the answer was HTTP {}, not 200", answer.status));
    }
    if answer.body.is_none_or(|body| body != challenge) {
        return Err("the answer was not the challenge".to_owned());
    }
    Ok(())
}
