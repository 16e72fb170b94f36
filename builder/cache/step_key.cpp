#include "builder/cache/step_key.hpp"

#include <fmt/format.h>

namespace kiln {

StepKeyBuilder::StepKeyBuilder(std::string_view kind) {
  hash_.update(fmt::format("kiln step key {}\n{}\n", kStepKeyVersion, kind));
}

void StepKeyBuilder::field(std::string_view name, char type, std::string_view bytes) {
  hash_.update(fmt::format("{} {} {}:", name, type, bytes.size()));
  hash_.update(bytes);
  hash_.update("\n");
}

StepKeyBuilder& StepKeyBuilder::text(std::string_view name, std::string_view value) {
  field(name, 's', value);
  return *this;
}

StepKeyBuilder& StepKeyBuilder::number(std::string_view name, std::int64_t value) {
  field(name, 'n', std::to_string(value));
  return *this;
}

StepKeyBuilder& StepKeyBuilder::list(std::string_view name, const std::vector<std::string>& items) {
  std::string bytes;
  for (const std::string& item : items) {
    bytes += std::to_string(item.size());
    bytes += ':';
    bytes += item;
  }
  field(name, 'l', bytes);
  return *this;
}

std::string StepKeyBuilder::finish() { return std::string(hash_.finish().hex()); }

bool is_step_key(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace kiln
