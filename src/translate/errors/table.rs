//! `CLOUD_TO_ONPREM`: the whole mapping, data only.
//!
//! What each row rests on: Meta publishes one pair outright (131049 and 1026) and prints a second in
//! a sample (131026 as 1026). Laid side by side, Meta's two lists show that Cloud codes were minted
//! from on-prem codes and kept their titles ([`Basis::Lists`]); the rest follows the meaning or is
//! our decision. The numbering breaks at 132015 and 132016, so nothing is ever computed from a code.

use std::ops::RangeInclusive;

use crate::onprem::ErrorCode;
use Basis::{Decision, Lists, Meaning, Published};
use Class::{Fix, Operator, Recipient, Retry};
use ErrorCode::*;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The request has to change.
    Fix,
    /// The same request may succeed later.
    Retry,
    /// The operator of the proxy has to act.
    Operator,
    /// This recipient cannot be reached.
    Recipient,
}

impl Class {
    /// What to do, as a sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Fix => "The request has to change before it is sent again.",
            Retry => "Send it again later, with growing pauses.",
            Operator => "The operator has to act: the account, the number or its token.",
            Recipient => "This recipient cannot be reached; do not send it again.",
        }
    }
}

/// What a row rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Meta prints the pair.
    Published,
    /// The same number or title in Meta's two lists.
    Lists,
    /// The nearest meaning.
    Meaning,
    /// Our decision.
    Decision,
}

impl Basis {
    /// What it is, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Published => "Meta prints this pair.",
            Lists => "Meta's two lists have the same title or numbering.",
            Meaning => "Inferred from the meaning; Meta publishes no pair.",
            Decision => "A decision of this project.",
        }
    }
}

/// One row.
#[derive(Debug)]
pub struct Row {
    /// The Cloud codes.
    pub cloud: RangeInclusive<i64>,
    /// Cloud's title.
    pub title: &'static str,
    /// The on-prem code.
    pub onprem: ErrorCode,
    /// The HTTP status of the answer.
    pub http: u16,
    /// Who can do something about it.
    pub class: Class,
    /// What the row rests on.
    pub basis: Basis,
    /// Whether on-prem told it by a failed status instead of the answer.
    pub was_async: bool,
    /// Seconds for `Retry-After`, where Cloud documents them.
    pub wait: Option<u32>,
    /// What else there is to know.
    pub note: &'static str,
}

impl Row {
    /// The Cloud codes, as `10` or `200 to 299`.
    pub fn codes(&self) -> String {
        let (first, last) = (self.cloud.start(), self.cloud.end());
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    }

    /// What else a reader has to know, each in its own sentence.
    pub fn remarks(&self) -> Vec<String> {
        let told = self
            .was_async
            .then(|| "on-prem told it by a failed status; here it answers the request".to_owned());
        let wait = self.wait.map(|seconds| format!("Retry-After: {seconds} s, unless Cloud says otherwise"));
        let note = (!self.note.is_empty()).then(|| format!("note: {}", self.note));
        [told, wait, note].into_iter().flatten().collect()
    }
}

/// What becomes of a Cloud code without a row.
pub const UNLISTED: &str = "an unlisted Cloud code becomes 1000 (HTTP 400) or 1014 (HTTP 500)";

/// On rows of [`words::WORDED`](super::words::WORDED).
const WORDS: &str = "by its text also 2006, 2015, 2016, 2027 or 2036";

#[expect(clippy::too_many_arguments, reason = "a table row: its columns have fixed places")]
const fn row(
    cloud: RangeInclusive<i64>,
    title: &'static str,
    onprem: ErrorCode,
    http: u16,
    class: Class,
    basis: Basis,
    was_async: bool,
    wait: Option<u32>,
    note: &'static str,
) -> Row {
    Row { cloud, title, onprem, http, class, basis, was_async, wait, note }
}

/// The row of Cloud's `code`.
pub fn row_of(code: i64) -> Option<&'static Row> {
    CLOUD_TO_ONPREM.iter().find(|row| row.cloud.contains(&code))
}

/// Every row: Cloud codes, title, on-prem code, HTTP status, class, basis, whether it was
/// asynchronous on-prem, seconds to wait, note.
#[rustfmt::skip]
pub const CLOUD_TO_ONPREM: &[Row] = &[
    row(131_049..=131_049, "This message was not delivered to maintain healthy ecosystem engagement", ReceiverIncapable, 400, Retry, Published, true, None, "a published pair; on-prem showed 1026 for per-user marketing limits, wait a day at least"),
    row(131_026..=131_026, "Message undeliverable", ReceiverIncapable, 400, Recipient, Published, true, None, "from Meta's sample of a failed on-prem status; see compat.undeliverable_as"),
    row(131_050..=131_050, "User stopped marketing messages", ReceiverIncapable, 400, Recipient, Meaning, true, None, "never retry; kept with 1026 so that clients skip this user"),
    row(130_403..=130_403, "The business has blocked this user", RecipientBlocked, 400, Recipient, Meaning, true, None, "exact meaning, though on-prem marks 1007 as deprecated"),
    row(131_030..=131_030, "Recipient phone number not in allowed list", UserNotValid, 400, Recipient, Meaning, false, None, "test numbers only: add the recipient to the allowed list"),
    row(131_021..=131_021, "Recipient cannot be sender", BadUser, 400, Fix, Lists, false, None, ""),
    row(130_472..=130_472, "User's number is part of an experiment", Experiment, 400, Recipient, Lists, true, None, "identical title"),
    row(130_497..=130_497, "Business account is restricted from messaging users in this country", ReceiverIncapable, 403, Recipient, Meaning, true, None, "per recipient; 1031 would stop the whole client"),
    row(131_047..=131_047, "Re-engagement message", ReEngagement, 400, Fix, Lists, true, None, "more than 24 hours since the user's last message: send a template"),
    row(131_048..=131_048, "Spam rate limit hit", SpamRateLimit, 400, Retry, Lists, true, None, "some clients stop bulk sending for a day on 471"),
    row(131_064..=131_064, "Template classification violations", SpamRateLimit, 400, Retry, Meaning, true, None, "nearest account-quality limit"),
    row(130_429..=130_429, "Rate limit hit", TooManyRequests, 429, Retry, Lists, false, Some(1), "the number's throughput"),
    row(131_056..=131_056, "(Business Account, Consumer Account) pair rate limit hit", TooManyRequests, 429, Retry, Meaning, false, Some(6), "one message per six seconds to the same user"),
    row(4..=4, "API too many calls", TooManyRequests, 429, Retry, Meaning, false, None, "the app's call limit"),
    row(80_007..=80_007, "Rate limit issues", TooManyRequests, 429, Retry, Meaning, false, None, "the account's call limit"),
    row(80_008..=80_008, "Rate limit issues", TooManyRequests, 429, Retry, Meaning, false, None, "the account's call limit"),
    row(613..=613, "Rate limit issues", TooManyRequests, 429, Retry, Meaning, false, None, ""),
    row(133_016..=133_016, "Register and deregister limit", TooManyRequests, 429, Retry, Meaning, false, Some(259_200), "ten calls in 72 hours"),
    row(131_016..=131_016, "Service unavailable", SystemOverloaded, 503, Retry, Lists, false, None, ""),
    row(2..=2, "API service", SystemOverloaded, 503, Retry, Meaning, false, None, ""),
    row(133_004..=133_004, "Server temporarily unavailable", SystemOverloaded, 503, Retry, Meaning, false, None, ""),
    row(131_057..=131_057, "Account in maintenance mode", ServiceNotReady, 503, Retry, Meaning, false, Some(60), "a throughput upgrade takes up to a minute"),
    row(2_494_100..=2_494_100, "Account in maintenance mode", ServiceNotReady, 503, Retry, Meaning, false, Some(60), ""),
    row(133_010..=133_010, "Phone number not registered", ServiceNotReady, 503, Operator, Meaning, false, None, "register the number with Cloud"),
    row(2_500..=2_500, "Unknown path components", ServiceNotReady, 503, Operator, Decision, false, None, "cloud.version or cloud.base_url in the configuration"),
    row(33..=33, "Number deleted", ServiceNotReady, 503, Operator, Meaning, false, None, "phone_number_id in the configuration; 1006 outside of messages"),
    row(133_000..=133_000, "Incomplete deregistration", ServiceNotReady, 503, Retry, Meaning, false, None, ""),
    row(133_015..=133_015, "Wait before registering", ServiceNotReady, 503, Retry, Meaning, false, Some(300), ""),
    row(0..=0, "AuthException", InternalError, 500, Operator, Decision, false, None, "the upstream token; never a 401, which means the client's own login"),
    row(190..=190, "Access token expired or invalid", InternalError, 500, Operator, Decision, false, None, "the upstream token; never a 401, which means the client's own login"),
    row(104..=104, "Access token missing", InternalError, 500, Operator, Decision, false, None, "the upstream token; never a 401, which means the client's own login"),
    row(3..=3, "API method", AccessDenied, 403, Operator, Meaning, false, None, "capability or permission of the app"),
    row(10..=10, "Permission denied", AccessDenied, 403, Operator, Meaning, false, None, ""),
    row(200..=299, "API permission", AccessDenied, 403, Operator, Meaning, false, None, ""),
    row(131_005..=131_005, "Access denied", AccessDenied, 403, Operator, Lists, false, None, "identical title"),
    row(368..=368, "Temporarily blocked for policies violations", SenderLocked, 403, Operator, Meaning, false, None, "same meaning as 131031"),
    row(131_031..=131_031, "Account has been locked", SenderLocked, 403, Operator, Lists, false, None, "on account endpoints a wrong PIN: 1005"),
    row(131_037..=131_037, "Display name approval needed", UnsignedCertificate, 400, Operator, Meaning, true, None, "the on-prem certificate carried the approved name"),
    row(131_045..=131_045, "Incorrect certificate", UnsignedCertificate, 500, Operator, Lists, true, None, ""),
    row(131_042..=131_042, "Business eligibility payment issue", PaymentIssue, 400, Operator, Lists, true, None, ""),
    row(131_044..=131_044, "Business eligibility payment issue", PaymentIssue, 400, Operator, Lists, true, None, ""),
    row(134_011..=134_011, "Payments terms not accepted", AccessDenied, 403, Operator, Meaning, false, None, ""),
    row(131_008..=131_008, "Required parameter is missing", ParameterMissing, 400, Fix, Lists, false, None, ""),
    row(131_009..=131_009, "Parameter value is not valid", ParameterInvalid, 400, Fix, Lists, false, None, WORDS),
    row(100..=100, "Invalid parameter", ParameterInvalid, 400, Fix, Meaning, false, None, "by its text: 1001, 1006, 1008, 1010, 1011, 1013, 1014, 2006, 2015, 2016, 2027 or 2036"),
    row(131_001..=131_001, "Message too long", MessageTooLong, 400, Fix, Lists, false, None, ""),
    row(131_002..=131_002, "Invalid recipient type", InvalidRecipientType, 400, Fix, Lists, false, None, ""),
    row(131_006..=131_006, "Resource not found", ResourceNotFound, 404, Fix, Lists, false, None, ""),
    row(131_020..=131_020, "Bad group", BadGroup, 400, Fix, Lists, false, None, ""),
    row(131_041..=131_041, "Group unknown", GroupDoesNotExist, 400, Fix, Lists, true, None, "the error code 401, not the HTTP status"),
    row(131_059..=131_059, "Group error", InvalidRecipientType, 400, Fix, Meaning, false, None, ""),
    row(131_201..=131_215, "Group error", InvalidRecipientType, 400, Fix, Meaning, false, None, ""),
    row(131_043..=131_043, "Message expired", MessageExpired, 400, Fix, Lists, true, None, ""),
    row(131_051..=131_051, "Unsupported message type", ParameterInvalid, 400, Fix, Lists, false, None, "on inbound messages: 501"),
    row(131_052..=131_052, "Media download error", MediaDownload, 400, Fix, Lists, true, None, "inbound media"),
    row(131_053..=131_053, "Media upload error", InternalError, 500, Fix, Meaning, true, None, "on-prem's 1014 covered a bad image or media that was not found"),
    row(131_055..=131_055, "Method not allowed", ParameterInvalid, 400, Fix, Meaning, false, None, "marketing API only"),
    row(134_100..=134_100, "Marketing API only", ParameterInvalid, 400, Fix, Meaning, false, None, ""),
    row(134_101..=134_101, "Template syncing", TemplateFetchFailed, 400, Retry, Meaning, false, None, ""),
    row(134_102..=134_102, "Template unavailable", TemplateFetchFailed, 400, Retry, Meaning, false, None, ""),
    row(131_062..=131_062, "Business-scoped ids are not supported for this message", ReceiverIncapable, 400, Recipient, Meaning, true, None, "not 1013, which some clients store as \"not on WhatsApp\""),
    row(131_063..=131_063, "Marketing templates disabled for Cloud API", TemplateDisabled, 400, Operator, Meaning, false, None, "a switch of the WhatsApp Business Account"),
    row(132_000..=132_000, "Template param count mismatch", TemplateParamCount, 400, Fix, Lists, false, None, WORDS),
    row(132_001..=132_001, "Template does not exist", TemplateMissing, 404, Fix, Lists, false, None, "in this language; Cloud's status; 1006 for a template that is to be deleted"),
    row(132_005..=132_005, "Template hydrated text too long", TemplateTextTooLong, 400, Fix, Lists, false, None, ""),
    row(132_007..=132_007, "Template format character policy violated", TemplateCharacterPolicy, 400, Fix, Lists, false, None, ""),
    row(132_008..=132_008, "Template parameter value invalid", TemplateParamFormat, 400, Fix, Meaning, false, None, WORDS),
    row(132_012..=132_012, "Template parameter format mismatch", TemplateParamFormat, 400, Fix, Lists, false, None, WORDS),
    row(132_018..=132_018, "Template validation error", TemplateParamFormat, 400, Fix, Meaning, false, None, WORDS),
    row(132_015..=132_015, "Template is paused", TemplatePaused, 400, Retry, Lists, false, None, "not 2015: the numbering breaks here"),
    row(132_016..=132_016, "Template is disabled", TemplateDisabled, 400, Fix, Lists, false, None, "not 2016: the numbering breaks here"),
    row(132_068..=132_068, "Flow is blocked", FlowBlocked, 400, Fix, Lists, false, None, ""),
    row(132_069..=132_069, "Flow is throttled", FlowThrottled, 400, Retry, Lists, false, None, ""),
    row(133_005..=133_005, "Two-step PIN mismatch", AccessDenied, 403, Fix, Meaning, false, None, "account endpoints"),
    row(133_006..=133_006, "Phone number re-verification needed", ServiceNotReady, 503, Operator, Meaning, false, None, ""),
    row(133_008..=133_008, "Too many PIN guesses", TooManyRequests, 429, Retry, Meaning, false, None, ""),
    row(133_009..=133_009, "PIN guessed too fast", TooManyRequests, 429, Retry, Meaning, false, None, ""),
    row(133_001..=133_003, "Registration error", InternalError, 500, Operator, Meaning, false, None, "old registration codes"),
    row(133_007..=133_007, "Account blocked", SenderLocked, 403, Operator, Meaning, false, None, "old registration code"),
    row(135_000..=135_000, "Generic user error", InvalidRequest, 400, Fix, Meaning, false, None, ""),
    row(136_024..=136_024, "Already verified", ParameterInvalid, 400, Fix, Meaning, false, None, ""),
    row(136_025..=136_025, "Verify code error", ParameterInvalid, 400, Fix, Meaning, false, None, ""),
    row(137_000..=137_000, "Recipient identity key mismatch", UserPotentiallyChanged, 400, Fix, Meaning, true, None, ""),
    row(1..=1, "API unknown", GenericError, 500, Retry, Meaning, false, None, "a bad request or a server fault: retry once"),
    row(131_000..=131_000, "Something went wrong", GenericError, 500, Retry, Lists, false, None, ""),
    row(138_000..=138_999, "Calling", GenericError, 500, Fix, Decision, false, None, "a feature that on-prem lacked"),
    row(139_000..=139_999, "Flows and blocking", GenericError, 500, Fix, Decision, false, None, "a feature that on-prem lacked"),
    row(147_000..=147_999, "User names", GenericError, 500, Fix, Decision, false, None, "a feature that on-prem lacked"),
    row(2_388_000..=2_388_999, "Template management", GenericError, 500, Fix, Decision, false, None, "a feature that on-prem lacked"),
    row(2_593_000..=2_593_999, "Synchronisation", GenericError, 500, Fix, Decision, false, None, "a feature that on-prem lacked"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_has_two_rows() {
        for (at, row) in CLOUD_TO_ONPREM.iter().enumerate() {
            for other in CLOUD_TO_ONPREM.iter().take(at) {
                let overlap =
                    row.cloud.start() <= other.cloud.end() && other.cloud.start() <= row.cloud.end();
                assert!(!overlap, "{:?} and {:?}", row.cloud, other.cloud);
            }
        }
    }

    #[test]
    fn no_row_is_a_401() {
        assert!(CLOUD_TO_ONPREM.iter().all(|row| row.http != 401));
    }

    #[test]
    fn the_numbering_breaks_where_it_breaks() {
        assert_eq!(row_of(132_015).map(|row| row.onprem.code()), Some(2061));
        assert_eq!(row_of(132_016).map(|row| row.onprem.code()), Some(2062));
    }
}
