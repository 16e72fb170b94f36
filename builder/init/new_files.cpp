#include "builder/init/new_files.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace kiln::init {

using nlohmann::ordered_json;

namespace {

constexpr std::uint64_t kMaxComparedFile = std::uint64_t{4} << 20;
constexpr std::size_t kLineLength = 100;

std::string on_one_line(const ordered_json& value) {
  std::vector<std::string> parts;
  if (value.is_object()) {
    for (const auto& [key, member] : value.items())
      parts.push_back(fmt::format("{}: {}", json_text(ordered_json(key)), on_one_line(member)));
    return parts.empty() ? "{}" : "{ " + join(parts, ", ") + " }";
  }
  if (!value.is_array()) return json_text(value);
  for (const ordered_json& item : value) parts.push_back(on_one_line(item));
  return "[" + join(parts, ", ") + "]";
}

void write_json(const ordered_json& value, std::size_t indent, std::string& out) {
  std::string line = on_one_line(value);
  if (!value.is_structured() || (indent > 0 && indent + line.size() <= kLineLength)) {
    out += line;
    return;
  }
  const std::string inner(indent + 2, ' ');
  out += value.is_object() ? "{\n" : "[\n";
  bool is_first = true;
  for (const auto& [key, member] : value.items()) {
    out += is_first ? inner : ",\n" + inner;
    is_first = false;
    if (value.is_object()) out += json_text(ordered_json(key)) + ": ";
    write_json(member, indent + 2, out);
  }
  out += "\n" + std::string(indent, ' ') + (value.is_object() ? "}" : "]");
}

}  // namespace

FileOutcome look_at_file(const fs::path& root, const NewFile& file) {
  fs::path folder = root;
  const fs::path relative = fs::path(file.path).parent_path();
  std::error_code failure;
  for (const fs::path& part : relative) {
    folder /= part;
    const fs::file_status status = fs::symlink_status(folder, failure);
    if (fs::is_symlink(status) || (fs::exists(status) && !fs::is_directory(status))) {
      throw Error(Category::usage, fmt::format("'{}' is {}, so '{}' cannot be written below it; move it away",
                                               printable(folder.lexically_relative(root).string()),
                                               fs::is_symlink(status) ? "a link" : "no folder", printable(file.path)));
    }
  }
  const fs::path path = root / file.path;
  const fs::file_status status = fs::symlink_status(path, failure);
  if (!fs::exists(status)) return FileOutcome::absent;
  if (!fs::is_regular_file(status) || fs::file_size(path, failure) > kMaxComparedFile) return FileOutcome::kept;
  return read_file(path, kMaxComparedFile) == file.text ? FileOutcome::unchanged : FileOutcome::kept;
}

FileOutcome write_new_file(const fs::path& root, const NewFile& file) {
  const FileOutcome outcome = look_at_file(root, file);
  if (outcome != FileOutcome::absent) return outcome;
  const fs::path path = root / file.path;
  make_directories(path.parent_path());
  write_file_atomically(path, file.text);
  return FileOutcome::written;
}

std::string readable_json(const ordered_json& value) {
  std::string text;
  write_json(value, 0, text);
  return text + "\n";
}

}  // namespace kiln::init
