#include "policy/schema.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace picket::policy {
namespace {

CompiledSchema compile(std::string_view text) {
  auto schema = CompiledSchema::compile(text);
  EXPECT_TRUE(schema) << schema.error().message;
  return std::move(*schema);
}

std::string violation(std::string_view schema, std::string_view value) {
  const auto found = compile(schema).check(json::parse(value));
  return found ? format_name(found->path) + ": " + found->what : "";
}

std::string filled(std::string_view schema, std::string_view value) {
  json::value tree = json::parse(value);
  EXPECT_TRUE(compile(schema).fill_defaults(tree));
  return json::serialize(tree);
}

TEST(SettingsSchema, names_value_and_rule) {
  const auto property = [](std::string_view rules) { return cat(R"({"properties":{"a":{"properties":{"b":)", rules, "}}}}"); };
  EXPECT_EQ(violation(property(R"({"type":"integer"})"), R"({"a":{"b":"x"}})"), R"(a.b: "x" breaks the rule "type": "integer")");
  EXPECT_EQ(violation(property(R"({"maximum":65535})"), R"({"a":{"b":70000}})"), R"(a.b: 70000 breaks the rule "maximum": 65535)");
  EXPECT_EQ(violation(property(R"({"minimum":1})"), R"({"a":{"b":0}})"), R"(a.b: 0 breaks the rule "minimum": 1)");
  EXPECT_EQ(violation(property(R"({"exclusiveMinimum":0})"), R"({"a":{"b":0}})"), R"(a.b: 0 breaks the rule "exclusiveMinimum": 0)");
  EXPECT_EQ(violation(property(R"({"enum":["full","light"]})"), R"({"a":{"b":"half"}})"), R"(a.b: "half" breaks the rule "enum": ["full","light"])");
  EXPECT_EQ(violation(property(R"({"const":1})"), R"({"a":{"b":2}})"), R"(a.b: 2 breaks the rule "const": 1)");
  EXPECT_EQ(violation(property(R"({"pattern":"^[a-z]+$"})"), R"({"a":{"b":"A"}})"), R"(a.b: "A" breaks the rule "pattern": "^[a-z]+$")");
  EXPECT_EQ(violation(property(R"({"maxLength":1})"), R"({"a":{"b":"ab"}})"), R"(a.b: "ab" breaks the rule "maxLength": 1)");
  EXPECT_EQ(violation(property(R"({"minLength":1})"), R"({"a":{"b":""}})"), R"(a.b: "" breaks the rule "minLength": 1)");
  EXPECT_EQ(violation(property(R"({"minItems":1})"), R"({"a":{"b":[]}})"), R"(a.b: [] breaks the rule "minItems": 1)");
  EXPECT_EQ(violation(property(R"({"maxItems":1})"), R"({"a":{"b":[1,2]}})"), R"(a.b: [1,2] breaks the rule "maxItems": 1)");
  EXPECT_EQ(violation(property(R"({"uniqueItems":true})"), R"({"a":{"b":[1,1]}})"), R"(a.b: [1,1] breaks the rule "uniqueItems": true)");
  EXPECT_EQ(violation(property(R"({"multipleOf":5})"), R"({"a":{"b":7}})"), R"(a.b: 7 breaks the rule "multipleOf": 5)");
  EXPECT_EQ(violation(property(R"({"maximum":0.5})"), R"({"a":{"b":0.75}})"), R"(a.b: 7.5E-1 breaks the rule "maximum": 5E-1)");
}

TEST(SettingsSchema, names_settings_that_do_not_exist_or_are_missing) {
  EXPECT_EQ(violation(R"({"additionalProperties":false,"properties":{"a":{}}})", R"({"a":1,"typo":2})"), "typo: is unknown");
  EXPECT_EQ(violation(R"({"properties":{"s":{"required":["url"]}}})", R"({"s":{}})"), "s.url: is required and not given");
}

TEST(SettingsSchema, knows_which_settings_could_be_there) {
  const auto schema = compile(R"({"additionalProperties":false,"properties":{
      "a":{"$ref":"#/definitions/a"},"any":{"type":["object","null"]},"list":{"type":"array"},"map":{"additionalProperties":{"$ref":"#/definitions/a"}},"never":false,
      "both":{"allOf":[{"properties":{"b":true}},{"$ref":"#/definitions/a"}]}},
    "definitions":{"a":{"type":"object","additionalProperties":false,"properties":{"b":{"type":"integer"}}}}})");
  for (const auto* name : {"", "a", "a.b", "any.x.y", "list", "map.x", "map.x.b", "both.b"}) EXPECT_TRUE(schema.knows(*parse_name(name))) << name;
  for (const auto* name : {"b", "a.c", "a.b.c", "list.[0]", "map.x.c", "never", "never.x", "both.c"}) EXPECT_FALSE(schema.knows(*parse_name(name))) << name;
}

TEST(SettingsSchema, quotes_no_secrets) {
  constexpr auto schema = R"({"properties":{"password":{"type":"string"},"Proxy_Token":{"maxLength":3},"signing_key":{"type":"integer"},
    "options":{"properties":{"depth":{"maximum":1},"any":{"type":"object"}}},"sources":{"items":{"type":"object","minProperties":9}},
    "location":{"maxLength":3}}})";
  EXPECT_EQ(violation(schema, R"({"password":4711})"), R"(password: the value breaks the rule "type": "string")");
  EXPECT_EQ(violation(schema, R"({"Proxy_Token":"4711"})"), R"(Proxy_Token: the value breaks the rule "maxLength": 3)");
  EXPECT_EQ(violation(schema, R"({"signing_key":"4711"})"), R"(signing_key: the value breaks the rule "type": "integer")");
  EXPECT_EQ(violation(schema, R"({"options":{"depth":4711}})"), R"(options.depth: the value breaks the rule "maximum": 1)");
  EXPECT_EQ(violation(schema, R"({"options":{"any":[4711]}})"), R"(options.any: the value breaks the rule "type": "object")");
  EXPECT_EQ(violation(schema, R"({"sources":[{"name":"a","options":{"user":4711},"more":{"secret":4711}}]})"),
            R"(sources.[0]: {"name":"a","options":"***","more":{"secret":"***"}} breaks the rule "minProperties": 9)");
  EXPECT_EQ(violation(schema, R"({"location":"ftp://me:4711@host/"})"), R"(location: "ftp://***@host/" breaks the rule "maxLength": 3)");
}

TEST(SettingsSchema, finds_elements_and_follows_references) {
  constexpr auto schema = R"({"properties":{"sources":{"items":{"$ref":"#/definitions/source"}}},
    "definitions":{"source":{"type":"object","properties":{"port":{"maximum":10}}}}})";
  EXPECT_EQ(violation(schema, R"({"sources":[{"port":1},{"port":11}]})"), R"(sources.[1].port: 11 breaks the rule "maximum": 10)");
}

TEST(SettingsSchema, accepts_what_fits) {
  EXPECT_EQ(violation(R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["a"]})", R"({"a":1,"b":null})"), "");
  EXPECT_EQ(violation(R"({"properties":{"a":{"type":"number"}}})", R"({"a":1})"), "");
  EXPECT_EQ(violation(R"({"properties":{"a":{"type":"string","format":"date-time"}}})", R"({"a":"whenever"})"), "") << "format is an annotation";
  EXPECT_EQ(violation(R"({"properties":{"pattern":{"type":"integer"},"default":{"type":"string"}}})", R"({"pattern":1,"default":"x"})"), "") << "keywords are also names";
}

TEST(SettingsSchema, refuses_schemas_that_could_harm) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {R"([])", "not an object"},
      {R"({"properties":{"a":5}})", "neither an object nor true or false"},
      {R"({"patternProperties":{"(a+)+":{}}})", "patternProperties"},
      {R"J({"properties":{"a":{"pattern":"(?=x)"}}})J", "lookaround"},
      {R"({"properties":{"a":{"pattern":5}}})", "pattern"},
      {R"({"properties":{"a":{"x-picket-pattern":"(((("}}})", "reserved"},
      {R"({"properties":{"a":{"$ref":"http://example.org/x"}}})", "#/definitions/NAME"},
      {R"({"properties":{"a":{"$ref":"#/properties/a"}}})", "#/definitions/NAME"},
      {R"({"properties":{"a":{"$ref":"#"}}})", "#/definitions/NAME"},
      {R"({"properties":{"a":{"$ref":"#/definitions/none"}}})", "not there"},
      {R"({"definitions":{"a":{"properties":{"b":{"$ref":"#/definitions/a"}}}}})", "recursive"},
      {R"({"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}})", "recursive"},
      {R"({"properties":{"a":{"multipleOf":0}}})", "multipleOf"},
      {R"({"properties":{"a":{"maxLength":-1}}})", "maxLength"},
      {R"({"properties":{"a":{"minimum":"1"}}})", "minimum"},
      {R"({"properties":{"a":{"enum":[]}}})", "enum"},
      {R"({"properties":{"a":{"type":"no such type"}}})", "settings schema"},
      {R"({"anyOf":{}})", "anyOf"},
      {R"({"a":1,"a":2})", "twice"},
      {std::string(300000, ' ') + "{}", "256 KiB"},
  };
  for (const auto& [text, part] : bad) {
    const auto schema = CompiledSchema::compile(text);
    ASSERT_FALSE(schema) << text.substr(0, 100);
    EXPECT_NE(schema.error().message.find(part), std::string::npos) << schema.error().message;
  }
  std::string deep = "{}";
  for (int i = 0; i < 40; ++i) deep = R"({"not":)" + deep + "}";
  EXPECT_FALSE(CompiledSchema::compile(deep));
}

TEST(SettingsSchema, refuses_references_that_multiply) {
  std::string definitions = R"("d0":{"type":"object"})";
  for (int i = 1; i <= 30; ++i) {
    const auto ref = R"({"$ref":"#/definitions/d)" + std::to_string(i - 1) + "\"}";
    definitions += ",\"d" + std::to_string(i) + R"(":{"allOf":[)" + ref + "," + ref + "]}";
  }
  const auto schema = CompiledSchema::compile(R"({"$ref":"#/definitions/d30","definitions":{)" + definitions + "}}");
  ASSERT_FALSE(schema);
  EXPECT_EQ(schema.error().code, Code::too_large);
}

TEST(SettingsSchema, bounds_values_and_defaults) {
  std::string many = "[0";
  for (int i = 0; i < 20000; ++i) many += ",0";
  EXPECT_NE(violation("{}", R"({"a":)" + many + "]}").find("more than 16384 values"), std::string::npos);

  // A large default that one reference each multiplies.
  std::string properties, text(60000, 'x');
  for (int i = 0; i < 2000; ++i) properties += (i == 0 ? "\"" : ",\"") + std::string("p") + std::to_string(i) + R"(":{"$ref":"#/definitions/d"})";
  auto schema = compile(R"({"properties":{)" + properties + R"(},"definitions":{"d":{"default":")" + text + "\"}}}");
  json::value value = json::object();
  EXPECT_FALSE(schema.fill_defaults(value));
}

TEST(SettingsDefaults, fill_recursively) {
  EXPECT_EQ(filled(R"({"properties":{"a":{"default":1},"b":{}}})", "{}"), R"({"a":1})");
  EXPECT_EQ(filled(R"({"properties":{"a":{"default":1}}})", R"({"a":2})"), R"({"a":2})");
  EXPECT_EQ(filled(R"({"properties":{"o":{"properties":{"x":{"default":1}}}}})", "{}"), R"({"o":{"x":1}})") << "an object of defaults appears";
  EXPECT_EQ(filled(R"({"properties":{"o":{"required":["y"],"properties":{"x":{"default":1},"y":{}}}}})", "{}"), "{}") << "but not one that would lack something";
  EXPECT_EQ(filled(R"({"properties":{"o":{"required":["y"],"properties":{"x":{"default":1},"y":{}}}}})", R"({"o":{"y":2}})"), R"({"o":{"y":2,"x":1}})");
  EXPECT_EQ(filled(R"({"properties":{"o":{"default":{"x":1,"y":2}}}})", R"({"o":{"y":3}})"), R"({"o":{"x":1,"y":3}})") << "a default object is a layer";
  EXPECT_EQ(filled(R"({"properties":{"l":{"items":{"properties":{"on":{"default":true}}}}}})", R"({"l":[{},{"on":false}]})"), R"({"l":[{"on":true},{"on":false}]})");
  EXPECT_EQ(filled(R"({"properties":{"a":{"$ref":"#/definitions/d"}},"definitions":{"d":{"default":7}}})", "{}"), R"({"a":7})");
  EXPECT_EQ(filled(R"({"allOf":[{"properties":{"a":{"default":1}}}]})", "{}"), R"({"a":1})");
}

}  // namespace
}  // namespace picket::policy
