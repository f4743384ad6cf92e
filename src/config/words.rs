//! What the system says, in words that say what to do.

use std::io;

/// An error of the system as the end of a sentence, without the system's number for it.
#[expect(clippy::wildcard_enum_match_arm, reason = "an open set, of which most kinds speak for themselves")]
pub fn in_words(error: &io::Error) -> String {
    let words = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path",
        io::ErrorKind::PermissionDenied => {
            "permission denied; check its owner and mode, or for a port below 1024 the rights of the process"
        }
        io::ErrorKind::IsADirectory => "it is a folder; name a file in it",
        io::ErrorKind::InvalidData => "it is not UTF-8 text",
        io::ErrorKind::AddrInUse => "the address is in use; end what listens there, or choose another port",
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        io::ErrorKind::ConnectionRefused => "connection refused; is it running, and on this port?",
        io::ErrorKind::StorageFull => "no space left on the disk",
        _ => {
            let text = error.to_string();
            let number = text.find(" (os error").unwrap_or(text.len());
            return text.get(..number).unwrap_or_default().to_owned();
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_the_system_is_told() {
        // ENOENT, EACCES, EADDRINUSE and one without words of ours, ENOTTY.
        for (number, word) in [(2, "no such file"), (13, "permission"), (98, "in use"), (25, "ioctl")] {
            let told = in_words(&io::Error::from_raw_os_error(number));
            assert!(told.contains(word) && !told.contains("os error"), "{told}");
        }
    }
}
