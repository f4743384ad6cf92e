//! The on-prem error codes in one table, and the body that carries them.
//!
//! Codes and titles: "WhatsApp Business on-premises Client Error Codes". Meta's page gives no HTTP
//! status; the ones below are sourced from clients for 1005/401, 1006/404, 1015/429 and 1016/503
//! and follow the class of the fault elsewhere (access 401/403, missing 404, request rate 429,
//! overload 503, other faults of a request 400, the rest 500).

use serde::Serialize;

macro_rules! error_codes {
    ($($name:ident = $code:literal, $title:literal, $http:literal;)+) => {
        /// An on-prem error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = concat!($code, " ", $title)] $name,)+
        }

        impl ErrorCode {
            /// Every code, in ascending order.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)+];

            /// The number that clients match on.
            pub const fn code(self) -> u16 {
                match self { $(ErrorCode::$name => $code,)+ }
            }

            /// The documented title.
            pub const fn title(self) -> &'static str {
                match self { $(ErrorCode::$name => $title,)+ }
            }

            /// The HTTP status when the code answers a request and no rule says otherwise.
            pub const fn http(self) -> u16 {
                match self { $(ErrorCode::$name => $http,)+ }
            }
        }
    };
}

error_codes! {
    MediaDownload = 400, "Media download error", 400;
    GroupDoesNotExist = 401, "Group does not exist", 400;
    PaymentIssue = 402, "Business eligibility \u{2014} Payment issue", 400;
    MessageNotValid = 408, "Message is not valid", 400;
    MessageExpired = 410, "Message expired", 400;
    RateLimitHit = 429, "Rate limit hit", 429;
    UnsignedCertificate = 430, "Unsigned certificate", 400;
    CertificateIdMismatch = 432, "Certificate ID mismatch", 400;
    CertificateSignatureInvalid = 433, "Certificate signature invalid", 400;
    ReEngagement = 470, "Re-engagement message", 400;
    SpamRateLimit = 471, "Spam rate limit hit", 400;
    Experiment = 472, "User's number is part of an experiment", 400;
    UserPotentiallyChanged = 480, "User potentially changed", 400;
    AsyncGenericError = 500, "Generic error", 500;
    UnknownMessageType = 501, "Unknown message type", 400;
    GenericError = 1000, "Generic error", 500;
    MessageTooLong = 1001, "Message too long", 400;
    InvalidRecipientType = 1002, "Invalid recipient type", 400;
    NotAGroupParticipant = 1003, "Not a group participant", 400;
    ResourceAlreadyExists = 1004, "Resource already exists", 400;
    AccessDenied = 1005, "Access denied", 403;
    ResourceNotFound = 1006, "Resource not found", 404;
    RecipientBlocked = 1007, "Recipient blocked to receive message", 400;
    ParameterMissing = 1008, "Required parameter is missing", 400;
    ParameterInvalid = 1009, "Parameter value is not valid", 400;
    ParameterNotRequired = 1010, "Parameter is not required", 400;
    ServiceNotReady = 1011, "Service not ready", 503;
    GroupUnknown = 1012, "Group is unknown", 400;
    UserNotValid = 1013, "User is not valid", 400;
    InternalError = 1014, "Internal error", 500;
    TooManyRequests = 1015, "Too many requests", 429;
    SystemOverloaded = 1016, "System overloaded", 503;
    NotPrimaryMaster = 1017, "Not Primary Master", 500;
    NotPrimaryCoreapp = 1018, "Not Primary Coreapp", 500;
    NotAGroupAdmin = 1019, "Not a group admin", 400;
    BadGroup = 1020, "Bad group", 400;
    BadUser = 1021, "Bad user", 400;
    WebhooksUrlNotConfigured = 1022, "Webhooks URL is not configured", 400;
    DatabaseError = 1023, "Database error occurred", 500;
    PasswordChangeRequired = 1024, "Password change required", 401;
    InvalidRequest = 1025, "Invalid request", 400;
    ReceiverIncapable = 1026, "Receiver incapable", 400;
    IdentityAcknowledgement = 1028, "user_identity_changed notification requires acknowledgement", 400;
    SenderLocked = 1031, "Sender account has been locked", 403;
    TemplateParamCount = 2000, "Template Param Count Mismatch", 400;
    TemplateMissing = 2001, "Template Missing", 404;
    TemplateFetchFailed = 2002, "Template Fetch Failed", 400;
    TemplatePackMissing = 2003, "Template Pack Missing", 400;
    TemplateParamTooLong = 2004, "Template Param Length Too Long", 400;
    TemplateTextTooLong = 2005, "Template Hydrated Text Too Long", 400;
    TemplateWhiteSpace = 2006, "Template White Space Policy Violated", 400;
    TemplateCharacterPolicy = 2007, "Template Format Character Policy Violated", 400;
    TemplateMediaFormat = 2008, "Template Media Format Unsupported", 400;
    TemplateComponentMissing = 2009, "Template Required Component Missing", 400;
    TemplateInvalidUrl = 2010, "Template Invalid Hydrated URL", 400;
    TemplateInvalidPhone = 2011, "Template Invalid Phone Number", 400;
    TemplateParamFormat = 2012, "Template Parameter Format Mismatch", 400;
    TemplateButtonsUnsupported = 2013, "Template Buttons Unsupported", 400;
    NamespaceEmpty = 2014, "Expected Namespace is Empty", 400;
    SectionCount = 2015, "Invalid number of sections", 400;
    RowCount = 2016, "Invalid number of rows", 400;
    CharacterPolicy = 2017, "Character Policy Violated", 400;
    ProductCount = 2023, "Invalid number of products", 400;
    CatalogNotFound = 2024, "Catalog ID not found", 400;
    CatalogNotLinked = 2025, "Catalog ID not linked to API number", 400;
    MissingProducts = 2026, "Missing products", 400;
    NoProductsFound = 2027, "No products found", 400;
    ProductsFailedCompliance = 2028, "All products failed compliance", 400;
    SomeProductsFailedCompliance = 2029, "Some products failed compliance", 400;
    ProductsMixedFailures = 2030, "Some products are not valid", 400;
    HeaderStructure = 2036, "Invalid Header Structure", 400;
    MissingComplianceInfo = 2050, "Missing Compliance Info", 400;
    TemplateRejected = 2060, "Template Rejected", 400;
    TemplatePaused = 2061, "Template Paused", 400;
    TemplateDisabled = 2062, "Template Disabled", 400;
    FlowId = 2064, "Invalid Flow ID", 400;
    FlowMessageVersion = 2065, "Invalid Flow Message Version", 400;
    FlowMode = 2066, "Invalid Flow Mode", 400;
    FlowDraftMode = 2067, "Flow DRAFT mode not allowed", 400;
    FlowBlocked = 2068, "Flow is blocked", 400;
    FlowThrottled = 2069, "Flow is throttled", 400;
    FlowVersion = 2070, "Invalid Flow Version", 400;
}

impl ErrorCode {
    /// The code with this number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }

    /// What real clients do on it beyond showing or storing it, read off their sources.
    pub const fn client_behaviour(self) -> Option<&'static str> {
        match self.code() {
            471 => Some("courier (RapidPro) stops bulk sending for 24 hours"),
            1005 => Some("with HTTP 401 they log in once more and repeat; with 403 they give up"),
            1006 => Some(
                "courier checks the contact and resends only when the details are exactly \"unknown contact\"",
            ),
            1013 => Some("authgear stores that the user is not on WhatsApp"),
            1015 => {
                Some("courier pauses the channel for two seconds and queues the message again (HTTP 429)")
            }
            1011 | 1016 => {
                Some("courier pauses the channel for two seconds and queues the message again (HTTP 503)")
            }
            1024 => Some("log in once with new_password"),
            _ => None,
        }
    }
}

impl ErrorCode {
    /// What to do about it, as a sentence.
    pub const fn advice(self) -> &'static str {
        match (self.code(), self.http()) {
            (470, _) => "Send a template: the user has not written for 24 hours.",
            (471, _) => "Send less for a day, and look at the quality of the number at Meta.",
            (1005, _) => {
                "With HTTP 401 log in again; with 403 use an account with the role that the endpoint asks for."
            }
            (1006, _) => "Check the path, and the id or the name in it.",
            (1014, _) => {
                "Read details: where the message may have been sent, wait for its status before sending it again; \
                 else the operator has to act."
            }
            (1015, _) => "Send it again after as many seconds as Retry-After says; it was not sent.",
            (1016, _) => {
                "Send it again later; it was not sent. When it stays, look at Cloud, the callbacks and the disk."
            }
            (1011, _) => "The operator has to act: the number, its registration or its configuration.",
            (1024, _) => "Log in once with new_password in the body.",
            (1026 | 1013 | 1007 | 472, _) => "This recipient cannot be reached so; do not send it again.",
            (402 | 430 | 432 | 433 | 1031, _) => {
                "The operator has to act: the account at Meta, not the request."
            }
            (2001 | 2060..=2062, _) => {
                "Look at the template in the account: its name, its language and its status."
            }
            (2000 | 2004..=2012, _) => "Compare the parameters with the template as it was approved.",
            (_, 400..=499) => "Change what details names, then send it again.",
            _ => "Send it again once; when it stays, the operator has to look at the log.",
        }
    }
}

/// What clients do on every other code.
pub const NO_BEHAVIOUR: &str = "show or store it; none is known to act on it";

/// A request that the on-prem API would refuse: the code, and a sentence that names the field and
/// says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The on-prem code.
    pub code: ErrorCode,
    /// What clients see in `details`.
    pub details: String,
}

impl Invalid {
    /// Refuses with `code`.
    pub fn new(code: ErrorCode, details: impl Into<String>) -> Self {
        Self { code, details: details.into() }
    }
}

/// The on-prem client version that we claim to be unless the configuration says another: the last one
/// of which Meta published samples.
pub const DEFAULT_VERSION: &str = "v2.45.1";

/// `meta`, present in every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Meta<'a> {
    /// Always `stable` here.
    pub api_status: &'static str,
    /// The on-prem client version that we claim to be; some clients switch features on it.
    pub version: &'a str,
}

impl<'a> Meta<'a> {
    /// `meta` of a stable endpoint.
    pub fn stable(version: &'a str) -> Self {
        Self { api_status: "stable", version }
    }
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// `meta`
    pub meta: Meta<'a>,
    /// Never empty: clients destructure the first element.
    pub errors: [ErrorItem<'a>; 1],
}

/// One element of `errors`.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorItem<'a> {
    /// The number that clients match on.
    pub code: u16,
    /// The documented title.
    pub title: &'a str,
    /// Always present: at least one client needs it.
    pub details: &'a str,
}

impl<'a> ErrorBody<'a> {
    /// The body for one error.
    pub fn new(code: ErrorCode, details: &'a str, version: &'a str) -> Self {
        Self {
            meta: Meta::stable(version),
            errors: [ErrorItem { code: code.code(), title: code.title(), details }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascending_and_without_duplicates() {
        assert!(ErrorCode::ALL.is_sorted_by(|a, b| a.code() < b.code()));
    }

    #[test]
    fn texts_that_clients_match_word_for_word() {
        assert_eq!(ErrorCode::ResourceNotFound.title(), "Resource not found");
        assert_eq!(ErrorCode::PaymentIssue.title(), "Business eligibility — Payment issue");
        assert_eq!(ErrorCode::from_code(1013), Some(ErrorCode::UserNotValid));
    }
}
