#include "builder/definitions/hcl/functions.hpp"

#include <fmt/format.h>

#include "builder/definitions/hcl/convert.hpp"

namespace kiln::hcl {

namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20;

const FunctionTable& table() {
  static const FunctionTable functions = [] {
    FunctionTable all;
    for (auto* part : {collection_functions, set_functions, number_functions, text_functions, pattern_functions,
                       time_functions, encoding_functions, network_functions, version_functions}) {
      all.merge(part());
    }
    return all;
  }();
  return functions;
}

}  // namespace

const Function* find_function(std::string_view name) {
  const auto found = table().find(name);
  return found == table().end() ? nullptr : &found->second;
}

std::vector<std::string> function_names() {
  std::vector<std::string> names = {"can", "convert", "try"};
  for (const auto& [name, function] : table()) names.push_back(name);
  return names;
}

void check_text_size(std::size_t bytes) {
  if (bytes > kMaxTextBytes) throw ValueError("the text would be larger than 16 MiB");
}

std::int64_t whole_number(const Value& value, std::string_view what, std::int64_t least, std::int64_t most) {
  const auto number = value.number().to_int64();
  if (!number || *number < least || *number > most) {
    throw ValueError(
        fmt::format("{}: expected a whole number from {} to {}, got {}", what, least, most, value.number().text()));
  }
  return *number;
}

}  // namespace kiln::hcl
