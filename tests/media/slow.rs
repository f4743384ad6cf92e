//! Files that come so slowly that they only hold a place.

use std::time::Duration;

use prembridge::media::is_too_slow;

/// 8 KiB a second on the average, after twenty seconds.
#[test]
fn a_file_has_to_keep_up_after_a_while() {
    for (seconds, bytes, expected) in [
        (0, 0, false),
        (20, 0, false),
        (21, 0, true),
        (21, 21 * 8192 - 1, true),
        (21, 21 * 8192, false),
        (3600, 3600 * 8192 - 1, true),
        (3600, 3600 * 8192, false),
        (3600, u64::MAX, false),
    ] {
        let is_slow = is_too_slow(Duration::from_secs(seconds), bytes);
        assert_eq!(is_slow, expected, "{bytes} bytes in {seconds} seconds");
    }
}
