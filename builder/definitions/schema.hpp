#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// What a JSON value does that its schema does not allow.
struct SchemaIssue {
  std::string pointer;  // RFC 6901: the value, or for a missing key its object
  std::string message;  // "unknown key 'contxt'; did you mean 'context'?"
  bool is_unknown_key = false;
};

// A JSON Schema (draft 2020-12) of the subset that kiln's own schemas use: type, properties, required,
// additionalProperties, patternProperties, propertyNames, enum, const, pattern, minLength, maxLength, minimum, maximum,
// items, minItems, maxItems, uniqueItems, minProperties, oneOf, anyOf, allOf, not, $ref to #/$defs/..., and annotations
// ($schema, $id, $comment, title, description, default, examples, deprecated, format, x-...). "x-kiln-expects" says in
// words what a pattern allows, for messages. Any other keyword is refused when the schema is read, so that none is ever
// ignored. Patterns are ECMA 262, unanchored, and are tried on at most 4,096 bytes. Immutable; may be used from many
// threads.
class JsonSchema {
 public:
  // Error{usage} naming `name` for text that is no JSON, an unknown keyword, a reference that leads nowhere or back to
  // itself, or a pattern that does not compile.
  static JsonSchema parse(std::string_view text, const std::string& name);

  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;
  ~JsonSchema();

  // Empty: valid.
  std::vector<SchemaIssue> validate(const nlohmann::json& value) const;

  // For each property that has the annotation "x-kiln-sets" (a list of names), that list.
  std::map<std::string, std::vector<std::string>> sets() const;

 private:
  struct Impl;
  explicit JsonSchema(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The schemas of the repository, as they were when kiln was built.
const JsonSchema& fleet_schema();
const JsonSchema& image_schema();
const JsonSchema& profile_schema();

}  // namespace kiln
