#include "trust/metadata.hpp"

namespace picket::trust {
namespace {

// Days since 1970-01-01 of a proleptic Gregorian date. No time zone, no locale, no tzdata: timegm without its state.
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = year / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
  return era * 146097 + static_cast<std::int64_t>(year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year) - 719468;
}

unsigned days_in(unsigned year, unsigned month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Exactly `count` digits, then `end`.
bool take(std::string_view& text, std::size_t count, char end, unsigned& out) {
  if (text.size() <= count || text[count] != end) return false;
  out = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + static_cast<unsigned>(c - '0');
  }
  text.remove_prefix(count + 1);
  return true;
}

}  // namespace

Result<UnixTime> parse_time(std::string_view text) {
  const auto bad = [&] { return fail(Code::invalid, cat("not a time of the form YYYY-MM-DDTHH:MM:SSZ: '", text.substr(0, 64), "'")); };
  std::string_view rest = text;
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take(rest, 4, '-', year) || !take(rest, 2, '-', month) || !take(rest, 2, 'T', day) || !take(rest, 2, ':', hour) || !take(rest, 2, ':', minute))
    return bad();
  // The fraction that some publishers write is dropped: the time then ends up to a second earlier, never later.
  if (const auto dot = rest.find('.'); dot == 2 && rest.size() > 4 && rest.size() <= 13 && rest.back() == 'Z' &&
                                       rest.substr(3, rest.size() - 4).find_first_not_of("0123456789") == std::string_view::npos) {
    if (!take(rest, 2, '.', second)) return bad();
  } else if (!take(rest, 2, 'Z', second) || !rest.empty()) {
    return bad();
  }
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59) return bad();
  return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

std::string format_time(UnixTime time) {
  std::int64_t days = time / 86400, seconds = time % 86400;
  if (seconds < 0) seconds += 86400, --days;
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_from_march = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0);
  const auto padded = [](std::int64_t number, std::size_t width) {
    auto text = std::to_string(number);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
  };
  return cat(padded(year, 4), "-", padded(month, 2), "-", padded(day, 2), "T", padded(seconds / 3600, 2), ":", padded(seconds / 60 % 60, 2), ":",
             padded(seconds % 60, 2), "Z");
}

}  // namespace picket::trust
