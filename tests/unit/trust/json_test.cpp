#include "trust/json.hpp"

#include <ctime>

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picket::trust {
namespace {

using testing::HasSubstr;

std::string canonical_of(std::string_view text) {
  auto value = parse_strict(text);
  return value ? canonical(*value) : "error: " + value.error().message;
}

std::string refusal(std::string_view text) {
  auto value = parse_strict(text);
  if (value) return "accepted as " + canonical(*value);
  EXPECT_EQ(value.error().code, Code::invalid) << text;
  return value.error().message;
}

TEST(StrictJson, takes_every_kind_of_value) {
  auto value = parse_strict(" \t\r\n{\"a\":[1,-2,true,false,null,\"x\",{},[]]} \n");
  ASSERT_TRUE(value) << value.error().message;
  const auto& array = value->as_object().at("a").as_array();
  EXPECT_EQ(array.at(0).as_int64(), 1);
  EXPECT_EQ(array.at(1).as_int64(), -2);
  EXPECT_TRUE(array.at(2).as_bool());
  EXPECT_TRUE(array.at(4).is_null());
  EXPECT_EQ(array.at(5).as_string(), "x");
  EXPECT_TRUE(array.at(6).as_object().empty());
  EXPECT_TRUE(array.at(7).as_array().empty());
}

TEST(StrictJson, takes_scalars_alone) {
  EXPECT_EQ(canonical_of("7"), "7");
  EXPECT_EQ(canonical_of("\"\""), "\"\"");
  EXPECT_EQ(canonical_of("null"), "null");
}

TEST(StrictJson, refuses_duplicate_members_at_any_depth_and_however_they_are_spelt) {
  EXPECT_THAT(refusal(R"({"a":1,"a":1})"), HasSubstr("twice"));
  EXPECT_THAT(refusal(R"({"x":[{"b":1,"c":2,"b":3}]})"), HasSubstr("twice"));
  EXPECT_THAT(refusal(R"({"a":1,"\u0061":2})"), HasSubstr("twice"));
}

// Processor time of this thread, so that a busy machine changes nothing.
double seconds_to_refuse_a_duplicate_among(int members) {
  std::string text = "{";
  for (int i = 0; i < members; ++i) text += "\"member" + std::to_string(i) + "\":1,";
  timespec start{}, end{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  EXPECT_THAT(refusal(text + "\"member7\":1}"), HasSubstr("twice"));
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  return static_cast<double>(end.tv_sec - start.tv_sec) + 1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec);
}

TEST(StrictJson, finds_duplicates_in_time_that_grows_with_the_members_not_with_their_square) {
  EXPECT_TRUE(parse_strict(R"({"a":1,"b":2})"));
  const auto few = seconds_to_refuse_a_duplicate_among(4'000), many = seconds_to_refuse_a_duplicate_among(40'000);
  EXPECT_LT(many, 40 * few) << "ten times the members: ten times the work, a hundred times if it were quadratic";
}

TEST(StrictJson, refuses_numbers_that_are_not_64_bit_integers) {
  for (const char* text : {"1.0", "1e2", "1E2", "0.5", "-0.0", "1e-1"}) EXPECT_THAT(refusal(text), HasSubstr("not an integer")) << text;
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"})
    EXPECT_THAT(refusal(text), HasSubstr("64 bits")) << text;
  for (const char* text : {"01", "-01", "00"}) EXPECT_THAT(refusal(text), HasSubstr("leading zero")) << text;
  for (const char* text : {"+1", "-", ".5", "NaN", "Infinity", "-Infinity", "0x10", "--1", "1_0"}) EXPECT_THAT(refusal(text), HasSubstr("not acceptable JSON")) << text;
}

TEST(StrictJson, takes_the_whole_range_of_64_bits) {
  EXPECT_EQ(canonical_of("[9223372036854775807,-9223372036854775808,0,-0]"), "[9223372036854775807,-9223372036854775808,0,0]");
}

TEST(StrictJson, refuses_invalid_utf8_in_names_and_strings) {
  for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_THAT(refusal(std::string("\"") + bad + "\""), HasSubstr("UTF-8"));
    EXPECT_THAT(refusal(std::string("{\"") + bad + "\":1}"), HasSubstr("UTF-8"));
  }
}

TEST(StrictJson, refuses_lone_surrogates) {
  for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\u0041")", R"("\udc00\ud800")", R"({"\udfff":1})"})
    EXPECT_THAT(refusal(text), HasSubstr("surrogate")) << text;
}

TEST(StrictJson, refuses_deep_nesting_but_takes_32) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_strict(nested(32)));
  EXPECT_THAT(refusal(nested(33)), HasSubstr("deeper than 32"));
  EXPECT_THAT(refusal(std::string(1'000'000, '[')), HasSubstr("deeper than 32"));
  std::string objects;
  for (int i = 0; i < 33; ++i) objects += "{\"a\":";
  EXPECT_THAT(refusal(objects), HasSubstr("deeper than 32"));
}

TEST(StrictJson, refuses_trailing_data_and_what_ends_too_early) {
  for (const char* text : {"{} {}", "1 2", "{}x", "[],"}) EXPECT_THAT(refusal(text), HasSubstr("trailing data")) << text;
  EXPECT_THAT(refusal(std::string_view("{}\0", 3)), HasSubstr("trailing data"));
  for (const char* text : {"", "  ", "[", "[1", "[1,", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "\"abc", "\"a\\", "\"\\u12", "tru", "nul"})
    EXPECT_THAT(refusal(text), HasSubstr("not acceptable JSON")) << text;
}

TEST(StrictJson, refuses_what_lenient_parsers_take) {
  for (const char* text : {"[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "[1 2]", "{\"a\" 1}", "// c\n1", "/**/1", "\xef\xbb\xbf{}", "\"a\nb\"", "\"a\tb\"", R"("\x41")",
                           R"("\u+041")", R"("\u00g0")", "True", "{1:2}", "[,]", "\"\x7f\x01\""})
    EXPECT_THAT(refusal(text), HasSubstr("not acceptable JSON")) << text;
}

// Strings are walked eight bytes at a time: every offset has its own way through.
TEST(StrictJson, sees_quotes_backslashes_and_control_characters_at_every_offset_of_a_string) {
  for (std::size_t length = 1; length < 40; ++length)
    for (std::size_t at = 0; at < length; ++at) {
      const std::string plain(length, '\x7e');
      auto text = plain;
      text.replace(at, 1, "\\\\");
      auto expected = plain;
      expected[at] = '\\';
      auto value = parse_strict("\"" + text + "\"");
      ASSERT_TRUE(value) << value.error().message;
      EXPECT_EQ(std::string_view(value->as_string()), expected);
      for (const char control : {'\0', '\x01', '\n', '\x1f'}) {
        text = plain;
        text[at] = control;
        EXPECT_FALSE(parse_strict("\"" + text + "\"")) << length << " " << at;
      }
      text = plain;
      text[at] = '"';
      EXPECT_FALSE(parse_strict("\"" + text + "\"")) << length << " " << at;
      text = plain;
      text.replace(at, 1, "\xc3\xa9 \x21\x7f");
      EXPECT_EQ(canonical_of("\"" + text + "\""), "\"" + text + "\"");
    }
}

TEST(StrictJson, says_where_it_stopped) { EXPECT_THAT(refusal("{\n  \"a\": 1,\n  \"b\": 1.5\n}"), HasSubstr("line 3, column 8")); }

TEST(StrictJson, uses_the_storage_that_it_is_given) {
  json::monotonic_resource storage;
  auto value = parse_strict(R"({"a":["long enough to need memory of its own, surely it is"]})", &storage);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->as_object().at("a").as_array().storage().get(), &storage);
}

TEST(CanonicalJson, sorts_members_by_the_bytes_of_utf8_not_by_utf16) {
  // U+FF5E is EF BD 9E, U+10000 is F0 90 80 80: UTF-16 order (D800 < FF5E) would be the other way round.
  EXPECT_EQ(canonical_of("{\"\\ud800\\udc00\":1,\"\\uff5e\":2,\"b\":3,\"a\":4,\"B\":5,\"\":6,\"\\u00e9\":7}"),
            "{\"\":6,\"B\":5,\"a\":4,\"b\":3,\"\xc3\xa9\":7,\"\xef\xbd\x9e\":2,\"\xf0\x90\x80\x80\":1}");
}

TEST(CanonicalJson, puts_a_name_before_the_longer_one_that_it_begins) { EXPECT_EQ(canonical_of(R"({"ab":1,"a":2,"a\u0000":3})"), std::string("{\"a\":2,\"a\0\":3,\"ab\":1}", 21)); }

TEST(CanonicalJson, escapes_only_quote_and_backslash) {
  EXPECT_EQ(canonical_of(R"("\"\\\/\n\t\r\b\f\u0001\u007f\u00e9")"), "\"\\\"\\\\/\n\t\r\b\f\x01\x7f\xc3\xa9\"");
}

TEST(CanonicalJson, keeps_the_line_ends_of_a_pem_key_as_bytes) { EXPECT_EQ(canonical_of(R"({"public":"-----BEGIN\nabc\n"})"), "{\"public\":\"-----BEGIN\nabc\n\"}"); }

TEST(CanonicalJson, does_not_normalise_unicode) {
  EXPECT_EQ(canonical_of("\"e\\u0301\""), "\"e\xcc\x81\"");
  EXPECT_NE(canonical_of("\"e\\u0301\""), canonical_of("\"\\u00e9\""));
}

TEST(CanonicalJson, has_no_blanks_and_keeps_unknown_members_and_array_order) {
  EXPECT_EQ(canonical_of(" { \"z\" : [ 3 , 1 , 2 ] , \"x-unknown\" : { \"b\" : null , \"a\" : true } } "), R"({"x-unknown":{"a":true,"b":null},"z":[3,1,2]})");
  EXPECT_EQ(canonical_of("{}"), "{}");
  EXPECT_EQ(canonical_of("[]"), "[]");
}

// The key and key id of the example in the TUF specification (4.3): another implementation's digest, not only our reading of the rules.
TEST(CanonicalJson, of_the_key_in_the_specification_has_the_key_id_that_stands_there) {
  const auto bytes = canonical_of(R"({"scheme":"ed25519","keytype":"ed25519","keyid_hash_algorithms":["sha256","sha512"],
    "keyval":{"public":"edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd"}})");
  EXPECT_EQ(sha256_hex(bytes), "59a4df8af818e9ed7abe0764c0b47b4240952aa0d179b5b78346c470ac30278d");
}

}  // namespace
}  // namespace picket::trust
