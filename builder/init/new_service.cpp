#include "builder/init/new_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/init/image_naming.hpp"
#include "builder/init/new_files.hpp"

namespace kiln::init {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kMaxCopiedFiles = 10'000;
constexpr std::uint64_t kMaxSearchedBytes = std::uint64_t{1} << 20;
constexpr std::array<std::string_view, 9> kLeftBehind = {
    ".git", "node_modules", "__pycache__", ".venv", "venv", ".pytest_cache", ".mypy_cache", ".tox", ".ruff_cache"};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Where `word` stands as a word of its own, "hub" in "hub-1" but not in "my-hub"; npos: nowhere.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || (!is_word_character(text[at - 1]) && text[at - 1] != '-');
    const bool ends = at + word.size() == text.size() || !is_word_character(text[at + word.size()]);
    if (begins && ends) return at;
  }
  return std::string_view::npos;
}

std::string with_name(std::string text, const std::string& other, const std::string& name) {
  for (std::size_t at = find_word(text, other, 0); at != std::string::npos;
       at = find_word(text, other, at + name.size()))
    text.replace(at, other.size(), name);
  return text;
}

void rename_in(ordered_json& value, const std::string& other, const std::string& name) {
  if (value.is_string()) value = with_name(value.get<std::string>(), other, name);
  if (value.is_structured()) {
    for (ordered_json& item : value) rename_in(item, other, name);
  }
}

void check_new_name(const Fleet& fleet, const std::string& name) {
  const std::string normalised = normalised_image_name(name);
  if (name.empty() || normalised != name) {
    throw Error(
        Category::usage,
        fmt::format("'{}' can be no image's name; expected lower-case letters and digits joined by '-' or '_'{}",
                    printable(name), normalised.empty() ? "" : ", such as '" + normalised + "'"));
  }
  for (const TargetSpec& target : fleet.targets) {
    if (target.image == name || target.name == name)
      throw Error(Category::usage,
                  fmt::format("'{}' is in the fleet already: {}", name, display_path(target.definition)));
  }
  if (fleet.groups.contains(name)) throw Error(Category::usage, fmt::format("'{}' is a group of the fleet", name));
}

const TargetSpec& image_of(const Fleet& fleet, const std::string& name) {
  std::set<std::string> known;
  for (const TargetSpec& target : fleet.targets) {
    if (target.image == name) return target;
    known.insert(target.image);
  }
  throw Error(Category::usage, fmt::format("there is no image '{}' in the fleet{}", printable(name),
                                           suggestion(name, {known.begin(), known.end()})));
}

class ServicePlanner {
 public:
  ServicePlanner(const TargetSpec& like, std::string name) : like_(like), name_(std::move(name)) {}

  ServiceCopy run(const fs::path& to) {
    copy_.from = like_.definition.parent_path();
    copy_.to = to;
    read_definition();
    list("");
    return std::move(copy_);
  }

 private:
  void note(std::string text) { copy_.notes.push_back(std::move(text)); }

  void read_definition() {
    const std::string text = read_file(like_.definition, std::uint64_t{4} << 20);
    parse_json(text, display_path(like_.definition), Category::usage);
    ordered_json json = parse_own_ordered_json(text);
    if (json.contains("name")) json["name"] = name_;
    for (const char* key : {"tags", "labels", "annotations", "output", "description"}) {
      if (json.contains(key)) rename_in(json[key], like_.image, name_);
    }
    if (json.contains("baseline")) {
      json.erase("baseline");
      note(fmt::format("\"baseline\" is left out: what '{}' weighed before says nothing about '{}'", like_.image,
                       name_));
    }
    copy_.definition = readable_json(json);
    if (like_.dockerfile && !is_inside(*like_.dockerfile, copy_.from)) {
      note(fmt::format("'{}' is built from the Dockerfile of '{}', {}: say another in \"dockerfile\" to part them",
                       name_, like_.image, display_path(*like_.dockerfile)));
    }
  }

  void list(const std::string& folder) {
    for (const std::string& name : list_directory(copy_.from / folder)) {
      const std::string path = folder.empty() ? name : folder + "/" + name;
      if (std::find(kLeftBehind.begin(), kLeftBehind.end(), name) != kLeftBehind.end() || path == "image.json")
        continue;
      std::error_code failure;
      const fs::file_status status = fs::symlink_status(copy_.from / path, failure);
      const bool is_baseline = like_.baseline && like_.baseline->dockerfile == copy_.from / path &&
                               like_.dockerfile != like_.baseline->dockerfile;
      if (is_baseline) continue;
      if (fs::is_directory(status)) {
        list(path);
      } else if (fs::is_regular_file(status) || fs::is_symlink(status)) {
        add(path, fs::is_symlink(status));
      } else {
        note(fmt::format("'{}' is neither a file nor a link: not copied", printable(path)));
      }
    }
  }

  void add(const std::string& path, bool is_link) {
    if (copy_.files.size() == kMaxCopiedFiles) {
      throw Error(Category::usage, fmt::format("'{}' holds more than {} files; copy it by hand",
                                               display_path(copy_.from), kMaxCopiedFiles));
    }
    copy_.files.push_back({path, is_link});
    if (is_link) {
      const fs::path target = fs::read_symlink(copy_.from / path);
      if (target.is_relative() && !is_inside((copy_.from / path).parent_path() / target, copy_.from))
        note(fmt::format("'{}' is a link that leads out of the folder: look whether it still does", printable(path)));
      return;
    }
    std::error_code failure;
    if (fs::file_size(copy_.from / path, failure) > kMaxSearchedBytes || failure) return;
    const std::string text = read_file(copy_.from / path, kMaxSearchedBytes);
    std::string underscored = like_.image;
    std::replace(underscored.begin(), underscored.end(), '-', '_');
    if (find_word(text, like_.image, 0) != std::string::npos || find_word(text, underscored, 0) != std::string::npos)
      note(fmt::format("'{}' says '{}': look whether it should", printable(path), like_.image));
  }

  const TargetSpec& like_;
  std::string name_;
  ServiceCopy copy_;
};

}  // namespace

ServiceCopy plan_service(const Fleet& fleet, const std::string& name, const std::string& other) {
  check_new_name(fleet, name);
  const TargetSpec& like = image_of(fleet, other);
  const fs::path to = fleet.folder / name;
  std::error_code failure;
  if (fs::exists(fs::symlink_status(to, failure))) {
    throw Error(Category::usage, fmt::format("'{}' is there already, and nothing is written over it; move it away, or "
                                             "take another name",
                                             display_path(to)));
  }
  ServiceCopy copy = ServicePlanner(like, name).run(to);
  for (const auto& [group, members] : fleet.groups) {
    const bool is_member =
        group != "default" && group != other && std::find(members.begin(), members.end(), other) != members.end();
    if (is_member) {
      copy.notes.push_back(fmt::format("the group '{}' of fleet.json names '{}': add '{}' there where it belongs to it",
                                       group, other, name));
    }
  }
  return copy;
}

void write_service(const ServiceCopy& copy) {
  // Under a name that is no image's until all of it is there.
  const fs::path unfinished = copy.to.parent_path() / ("." + copy.to.filename().string() + ".unfinished");
  std::error_code failure;
  if (!fs::create_directory(unfinished, failure)) {
    throw Error(Category::usage,
                fmt::format("'{}' is left from a copy that did not end, or is one that runs; remove it",
                            display_path(unfinished)));
  }
  try {
    for (const ServiceCopy::File& file : copy.files) {
      make_directories((unfinished / file.path).parent_path());
      if (file.is_link) {
        fs::copy_symlink(copy.from / file.path, unfinished / file.path);
      } else {
        fs::copy_file(copy.from / file.path, unfinished / file.path);
      }
    }
    const fs::path definition = unfinished / "image.json";
    write_all(create_file(definition), copy.definition, definition.string());
    // An empty folder of the name would be replaced, a full one is refused.
    if (fs::exists(fs::symlink_status(copy.to)) || std::rename(unfinished.c_str(), copy.to.c_str()) != 0)
      throw_errno("make the folder", display_path(copy.to));
  } catch (const fs::filesystem_error& error) {
    remove_tree(unfinished);
    throw Error(Category::machine,
                fmt::format("cannot copy '{}': {}", display_path(error.path1()), error.code().message()));
  } catch (...) {
    remove_tree(unfinished);
    throw;
  }
}

}  // namespace kiln::init
