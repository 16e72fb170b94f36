#include "builder/definitions/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/definitions/byte_size.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/schema.hpp"

namespace kiln {

using nlohmann::json;

namespace {

constexpr std::string_view kUnknownKeyHelp =
    "; keys of your own are added in schema.json beside the profiles ('kiln schema profile' prints kiln's)";

struct ProfileFile {
  JsonSource source;
  json content;
};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

bool is_value_key(std::string_view key) {
  return !key.empty() && key.front() >= 'A' && key.front() <= 'Z' && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::optional<std::uint64_t> size_of(const JsonSource& source, const json& machine, const char* key) {
  if (!machine.contains(key)) return std::nullopt;
  const auto bytes = parse_byte_size(machine.at(key).get<std::string>());
  if (!bytes) source.fail(child_pointer("/machine", key), "the size is too large");
  return bytes;
}

void set_aside(BrokenProfiles* broken, const std::string& name, const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    if (broken == nullptr || error.category() != Category::usage) throw;
    broken->emplace(name, problems_of(error));
  }
}

class Loader {
 public:
  Loader(std::map<std::string, ProfileFile> files, std::map<std::string, std::vector<std::string>> sets,
         BrokenProfiles* broken)
      : files_(std::move(files)), sets_(std::move(sets)), broken_(broken) {}

  std::map<std::string, Profile> load() {
    std::map<std::string, Profile> result;
    for (const auto& entry : files_) {
      const std::string& name = entry.first;
      Profile profile;
      profile.name = name;
      profile.file = entry.second.source.file();
      std::vector<std::string> path;
      set_aside(broken_, name, [&] {
        merge(profile, name, path);
        set_env(profile);
        result.emplace(name, std::move(profile));
      });
    }
    return result;
  }

 private:
  // Writes the values of what `name` extends first, then its own over them.
  void merge(Profile& profile, const std::string& name, std::vector<std::string>& path) {
    const auto& [source, content] = files_.at(name);
    path.push_back(name);
    if (content.contains("extends")) {
      const auto parent = content.at("extends").get<std::string>();
      if (std::find(path.begin(), path.end(), parent) != path.end()) {
        source.fail("/extends",
                    fmt::format("profile '{}' extends itself: {} -> {}", parent, join(path, " -> "), parent));
      }
      if (broken_ != nullptr && broken_->contains(parent)) throw error_of(broken_->at(parent));
      if (!files_.contains(parent)) {
        std::vector<std::string> known;
        for (const auto& [other, file] : files_) known.push_back(other);
        source.fail("/extends", fmt::format("unknown profile '{}'{}", printable(parent), suggestion(parent, known)));
      }
      merge(profile, parent, path);
    }
    for (const auto& [key, value] : content.items()) {
      if (!is_value_key(key)) continue;
      if (key == "MACHINE" || key == "MACHINE_PROFILE") {
        source.fail(child_pointer("", key), fmt::format("'{}' is set by kiln itself and can be no profile value", key));
      }
      if (!value.is_primitive() || value.is_null()) {
        source.fail(child_pointer("", key), fmt::format("'{}' can be no profile value: expected a text", key));
      }
      profile.values[key] = value.is_string() ? value.get<std::string>() : json_text(value);
    }
    if (content.contains("machine")) merge_machine(profile.machine, source, content.at("machine"));
  }

  static void merge_machine(Machine& machine, const JsonSource& source, const json& content) {
    if (content.contains("cores")) machine.cores = content.at("cores").get<int>();
    if (content.contains("gpu")) machine.gpu = content.at("gpu").get<std::string>();
    if (const auto bytes = size_of(source, content, "memory")) machine.memory_bytes = bytes;
    if (const auto bytes = size_of(source, content, "vram")) machine.vram_bytes = bytes;
  }

  void set_env(Profile& profile) const {
    std::map<std::string, std::string> env = profile.values;
    for (const auto& [key, value] : profile.values) {
      const auto names = sets_.find(key);
      if (names == sets_.end()) continue;
      for (const std::string& name : names->second) env.emplace(name, value);
    }
    profile.env.assign(env.begin(), env.end());
  }

  std::map<std::string, ProfileFile> files_;
  std::map<std::string, std::vector<std::string>> sets_;
  BrokenProfiles* broken_;
};

}  // namespace

std::map<std::string, Profile> load_profiles(const fs::path& folder, const JsonSchema& schema, BrokenProfiles* broken) {
  std::map<std::string, ProfileFile> files;
  if (!fs::is_directory(folder)) return {};
  for (const std::string& entry : list_directory(folder)) {
    if (!entry.ends_with(".json") || entry == "schema.json") continue;
    const std::string name = entry.substr(0, entry.size() - 5);
    const fs::path path = folder / entry;
    if (!is_name(name)) {
      throw Error(Category::usage,
                  fmt::format("{}: a profile's name holds letters, digits, '-' and '_' only", display_path(path)));
    }
    set_aside(broken, name, [&] {
      JsonSource source = JsonSource::read(path);
      json content = source.parse(schema, kUnknownKeyHelp);
      if (!content.is_object()) source.fail("", "expected an object");
      files.emplace(name, ProfileFile{std::move(source), std::move(content)});
    });
  }
  return Loader(std::move(files), schema.sets(), broken).load();
}

std::string profile_json(const Profile& profile) {
  json object = json::object();
  for (const auto& [key, value] : profile.values) object[key] = value;
  return json_text(object);
}

std::map<std::string, std::string> profile_build_args(const Profile& profile) {
  std::map<std::string, std::string> args = profile.values;
  args["MACHINE"] = profile.name;
  args["MACHINE_PROFILE"] = profile_json(profile);
  return args;
}

std::map<std::string, std::string> profile_labels(const Profile& profile) {
  std::map<std::string, std::string> labels = {{kProfileLabel, profile.name}};
  for (const auto& [key, value] : profile.values) labels[fmt::format("{}.{}", kProfileLabel, key)] = value;
  return labels;
}

std::map<std::string, std::string> baked_args(const TargetSpec& target) {
  std::map<std::string, std::string> args = target.args;
  if (target.profile) args.merge(profile_build_args(*target.profile));
  return args;
}

}  // namespace kiln
