#include "builder/cache/step_key.hpp"

#include <fmt/format.h>

#include "base/append_number.hpp"

namespace kiln {

namespace {

constexpr std::size_t kHashedAtOnce = 64 << 10;

}  // namespace

StepKeyBuilder::StepKeyBuilder(std::string_view kind) {
  unhashed_ = fmt::format("kiln step key {}\n{}\n", kStepKeyVersion, kind);
}

void StepKeyBuilder::field(std::string_view name, char type, std::string_view bytes) {
  unhashed_ += name;
  unhashed_ += ' ';
  unhashed_ += type;
  unhashed_ += ' ';
  append_number(unhashed_, bytes.size());
  unhashed_ += ':';
  unhashed_ += bytes;
  unhashed_ += '\n';
  if (unhashed_.size() < kHashedAtOnce) return;
  hash_.update(unhashed_);
  unhashed_.clear();
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
  items_.clear();
  for (const std::string& bytes : items) item(bytes);
  field(name, 'l', items_);
  return *this;
}

StepKeyBuilder& StepKeyBuilder::entry(std::string_view path, const FileEntry& entry) {
  const char type = to_letter(entry.type);
  items_.clear();
  item(path);
  item({&type, 1});
  std::string text;
  const auto number = [&](std::uint32_t value) {
    const fmt::format_int digits(value);
    item({digits.data(), digits.size()});
  };
  append_number(text, entry.mode, 8);
  item(text);
  number(entry.uid);
  number(entry.gid);
  item(entry.content.str());
  item(entry.link);
  text.clear();
  append_number(text, entry.device_major);
  text += ':';
  append_number(text, entry.device_minor);
  item(text);
  for (const auto& [name, value] : entry.xattrs) {
    item(name);
    item(value);
  }
  field("entry", 'l', items_);
  return *this;
}

void StepKeyBuilder::item(std::string_view bytes) {
  const fmt::format_int size(bytes.size());
  items_.append(size.data(), size.size());
  items_ += ':';
  items_ += bytes;
}

std::string StepKeyBuilder::finish() {
  hash_.update(unhashed_);
  return std::string(hash_.finish().hex());
}

bool is_step_key(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace kiln
