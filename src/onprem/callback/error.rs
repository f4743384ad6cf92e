//! The errors of callbacks, which have another form than those of answers.

use crate::onprem::ErrorCode;
use crate::wire::write_string;

/// `href`, as Meta's sample of a failed status has it.
pub const HREF: &str = "https://developers.facebook.com/docs/whatsapp/api/errors/";

/// One element of `errors`, in a status, in a message or at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackError {
    /// The on-prem code.
    pub code: ErrorCode,
    /// What went wrong, if anybody said more than the title.
    pub details: Option<String>,
}

impl CallbackError {
    /// The title in a callback.
    ///
    /// Both of Meta's lists call 1026 "Receiver incapable". The one callback that Meta prints has "Receiver
    /// Incapable", and callbacks are what it shows, so that is what clients were sent and may look for.
    pub const fn title(&self) -> &'static str {
        if matches!(self.code, ErrorCode::ReceiverIncapable) {
            return "Receiver Incapable";
        }
        self.code.title()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"code":"#);
        out.extend_from_slice(self.code.code().to_string().as_bytes());
        out.extend_from_slice(br#","title":"#);
        write_string(out, self.title());
        if let Some(details) = &self.details {
            out.extend_from_slice(br#","details":"#);
            write_string(out, details);
        }
        out.extend_from_slice(br#","href":"#);
        write_string(out, HREF);
        out.push(b'}');
    }

    /// A callback about the number as a whole.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(br#"{"errors":["#);
        self.write(&mut out);
        out.extend_from_slice(b"]}");
        out
    }
}

/// Appends `,"errors":[…]`, unless there are none.
pub(super) fn write_errors(out: &mut Vec<u8>, errors: &[CallbackError]) {
    let Some((first, others)) = errors.split_first() else {
        return;
    };
    out.extend_from_slice(br#","errors":["#);
    first.write(out);
    for error in others {
        out.push(b',');
        error.write(out);
    }
    out.push(b']');
}
