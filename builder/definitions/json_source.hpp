#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json_members.hpp"

namespace kiln {

class JsonSchema;

// The text of a definition file, kept so that messages can name the line of what they are about.
class JsonSource {
 public:
  // Error{usage} where the file is not there or cannot be read.
  static JsonSource read(const fs::path& file);
  JsonSource(fs::path file, std::string text) : file_(std::move(file)), text_(std::move(text)) {}

  // Error{usage} "FILE:LINE: ..." for what is no JSON.
  nlohmann::json parse() const;
  // The same, and "FILE:LINE: ..." for the first thing in the file that the schema does not allow, with the others as
  // its detail; `unknown_key_help` ends the message about a key at the top level that the schema does not have.
  nlohmann::json parse(const JsonSchema& schema, std::string_view unknown_key_help = {}) const;

  const fs::path& file() const noexcept { return file_; }
  // "FILE:LINE" of the value at an RFC 6901 pointer, the file as people should read it.
  std::string at(std::string_view pointer) const;
  // Error{usage} "FILE:LINE: MESSAGE".
  [[noreturn]] void fail(std::string_view pointer, std::string_view message) const;

 private:
  fs::path file_;
  std::string text_;
};

// Problems, each "FILE:LINE: ...", as one error: the first is its message, the others its detail. There is at least
// one.
Error error_of(const std::vector<std::string>& problems);
// The problems of which error_of() made an error; of another error its message alone.
std::vector<std::string> problems_of(const Error& error);

// A path as people should read it: relative where it is below the working directory, else as it is.
std::string display_path(const fs::path& path);

}  // namespace kiln
