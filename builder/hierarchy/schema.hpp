#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace kiln {

// What a JSON value does that its schema does not allow.
struct SchemaIssue {
  std::string pointer;  // RFC 6901: the value, or for a missing key its object
  std::string message;  // "unknown key 'contxt'; did you mean 'context'?"
};

// A JSON Schema (draft 2020-12) of the subset that kiln's own schemas use: type, properties, required,
// additionalProperties, patternProperties, propertyNames, enum, const, pattern, minLength, maxLength, minimum, maximum,
// items, minItems, maxItems, uniqueItems, oneOf, anyOf, allOf, not, $ref to #/$defs/..., and annotations ($schema, $id,
// $comment, title, description, default, examples, deprecated, format, x-...).
// Any other keyword is refused when the schema is read, so that none is ever ignored. Patterns are ECMA 262, unanchored,
// and are tried on at most 4,096 bytes. Immutable; may be used from many threads.
class JsonSchema {
 public:
  // Error{usage} naming `name` for text that is no JSON, an unknown keyword, a reference that leads nowhere or back to
  // itself, or a pattern that does not compile.
  static JsonSchema parse(std::string_view text, const std::string& name);

  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;
  ~JsonSchema();

  // In the order of the document's keys; empty: valid.
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

// Reads a JSON file and checks it: Error{usage} "FILE:LINE: ..." for the first thing that is wrong with it. `text` is
// given back, so that later messages can find lines.
struct CheckedJson {
  fs::path file;
  std::string text;
  // "FILE:LINE" of the value at a pointer; "FILE" where it has none.
  std::string at(std::string_view pointer) const;
};
nlohmann::json read_checked_json(const fs::path& file, const JsonSchema& schema, CheckedJson& source);

// A path as people should read it: below the working directory relative to it, else as it is.
std::string display_path(const fs::path& path);

}  // namespace kiln
