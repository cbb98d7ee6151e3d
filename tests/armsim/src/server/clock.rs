//! Times as Azure writes them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `11/24/2025 11:31:00 PM`, the form of the message of ExpiredAuthenticationToken.
pub(super) fn american(time: SystemTime) -> String {
    let total = seconds(time);
    let (days, of_day) = (total / 86_400, total % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!("{month}/{day}/{year} {hour}:{minute:02}:{second:02} {half}")
}

/// Days since 1970 as year, month and day (Howard Hinnant's `civil_from_days`, for days not before 1970).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_as_azure_writes_them() {
        assert_eq!(american(UNIX_EPOCH + Duration::from_secs(1_764_027_060)), "11/24/2025 11:31:00 PM");
        assert_eq!(american(UNIX_EPOCH), "1/1/1970 12:00:00 AM");
    }
}
