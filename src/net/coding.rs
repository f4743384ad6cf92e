//! Which words of a `Content-Encoding` are codings.

/// The codings that bytes really come in (RFC 9110 section 8.4.1, and the registered ones in use).
const CODINGS: &[&str] = &["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"];

/// Whether the values of `Content-Encoding` name a coding. Others say nothing of the bytes: stores give back the
/// `aws-chunked` of an upload long undone, and programs write `utf-8` or `identity` there.
pub fn is_coded<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> bool {
    let mut words = values.into_iter().flat_map(|value| value.split(|byte| *byte == b','));
    words.any(|word| CODINGS.iter().any(|coding| word.trim_ascii().eq_ignore_ascii_case(coding.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::is_coded;

    #[test]
    fn only_codings_are_codings() {
        for (values, expected) in [
            (&[""][..], false),
            (&["identity"], false),
            (&["aws-chunked"], false),
            (&["UTF-8"], false),
            (&["aws-chunked,"], false),
            (&["none", "binary"], false),
            (&["gzip"], true),
            (&[" X-GZip "], true),
            (&["aws-chunked, gzip"], true),
            (&["identity", "zstd"], true),
            (&["br"], true),
            (&["deflate"], true),
            (&["compress"], true),
        ] {
            assert_eq!(is_coded(values.iter().map(|value| value.as_bytes())), expected, "{values:?}");
        }
    }
}
