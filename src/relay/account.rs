//! Registration of a number, and its PIN.
//!
//! A number that is connected is never registered again: Cloud would take it down for the while, and counts.

use super::call::{READ_ACCOUNT, REGISTER, SET_ACCOUNT, unusable};
use super::{Failure, Relay};
use crate::cloud::GraphError;
use crate::cloud::number::{self as cloud, CodeCheck, CodeRequest, NumberState, PinChange, Stage};
use crate::number::Number;
use crate::onprem::account::{CodeMethod, Pin, Registration, Verification, pin_needed};
use crate::upstream::Answer;

/// The language of the code's text: on-prem did not ask for one, and Cloud wants it.
const LANGUAGE: &str = "en_US";
/// Cloud's "Phone number already verified".
const ALREADY_VERIFIED: i64 = 136_024;

/// What became of a registration.
#[derive(Debug)]
pub struct Registered {
    /// Whether the number can be used; otherwise a code is on its way.
    pub is_connected: bool,
    /// The verified name.
    pub name: String,
}

/// What became of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The code was good.
    Now,
    /// It was so already, or the number is registered, too.
    Already,
}

impl Relay {
    /// Registers a number, or asks for the code that verifies it first.
    pub async fn register(&self, number: &Number, registration: Registration) -> Result<Registered, Failure> {
        let Registration { method, pin } = registration;
        let _one_at_a_time = number.registering.lock().await;
        let NumberState { stage, verified_name: name } = self.state_of(number).await?;
        if stage == Stage::Unverified {
            let code_method = match method {
                CodeMethod::Sms => "SMS",
                CodeMethod::Voice => "VOICE",
            };
            let request = CodeRequest { code_method, language: LANGUAGE };
            let answer = self.call_raw(number, &REGISTER, "/request_code", &request).await?;
            if !self.was_verified(&answer) {
                self.succeeded(number, &REGISTER, answer)?;
                return Ok(Registered { is_connected: false, name });
            }
        }
        if stage != Stage::Connected {
            self.connect(number, &pin.ok_or_else(pin_needed)?).await?;
        }
        Ok(Registered { is_connected: true, name })
    }

    /// Verifies a number with the code that it was sent, and registers it if a PIN comes along.
    pub async fn verify(&self, number: &Number, verification: Verification) -> Result<Verified, Failure> {
        let Verification { code, pin } = verification;
        let _one_at_a_time = number.registering.lock().await;
        let answer = self.call_raw(number, &REGISTER, "/verify_code", &CodeCheck { code: &code }).await?;
        let was_verified = self.was_verified(&answer);
        if !was_verified {
            self.succeeded(number, &REGISTER, answer)?;
        }
        if let Some(pin) = pin {
            // Even a connected number can have a verification that has lapsed.
            if self.state_of(number).await?.stage != Stage::Connected {
                self.connect(number, &pin).await?;
            }
            return Ok(Verified::Already);
        }
        Ok(if was_verified { Verified::Already } else { Verified::Now })
    }

    /// Sets the PIN of a number's two-step verification.
    pub async fn set_pin(&self, number: &Number, pin: &Pin) -> Result<(), Failure> {
        self.set(number, &SET_ACCOUNT, "", &PinChange { pin: pin.digits() }).await
    }

    /// Whether Graph refused because the number is verified already, which is as good as a success.
    fn was_verified(&self, answer: &Answer) -> bool {
        let is_so = GraphError::parse(&answer.body).is_some_and(|error| error.code == Some(ALREADY_VERIFIED));
        if is_so {
            self.count(&REGISTER, "refused");
        }
        is_so
    }

    async fn state_of(&self, number: &Number) -> Result<NumberState, Failure> {
        let edge = format!("?fields={}", NumberState::FIELDS);
        let body = self.call(number, &READ_ACCOUNT, &edge, &()).await?;
        NumberState::parse(&body).ok_or_else(|| unusable("cloud did not say how far the number is"))
    }

    /// Registers a number that is verified and not connected.
    async fn connect(&self, number: &Number, pin: &Pin) -> Result<(), Failure> {
        self.set(number, &REGISTER, "/register", &cloud::Registration::new(pin.digits())).await
    }
}
