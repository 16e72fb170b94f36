#include "builder/cli/words/machine_settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/near_hint.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/words/words.hpp"

namespace kiln::cli {

namespace {

constexpr std::size_t kMaxSettingsBytes = std::size_t{1} << 20;

class SettingsReader {
 public:
  explicit SettingsReader(const fs::path& file) : file_(file.native()) {}

  MachineSettings read(const std::string& text) const {
    const nlohmann::json document = parse_json(text, fmt::format("'{}'", file_), Category::usage);
    MachineSettings settings;
    check_keys(document, "", {"store"});
    const auto store = document.find("store");
    if (store == document.end()) return settings;
    check_keys(*store, "store.", {"max_used_space", "min_free_space"});
    settings.store.max_used_bytes = size_of(*store, "max_used_space");
    settings.store.min_free_bytes = size_of(*store, "min_free_space");
    return settings;
  }

 private:
  Error refuse(const std::string& key, const std::string& problem) const {
    return Error(Category::usage, fmt::format("'{}': '{}' {}", file_, printable(key), problem));
  }

  void check_keys(const nlohmann::json& object, const std::string& prefix,
                  const std::vector<std::string>& known) const {
    if (!object.is_object()) throw refuse(prefix.empty() ? "" : prefix.substr(0, prefix.size() - 1), "is no object");
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        throw refuse(prefix + key,
                     fmt::format("is no setting; there are {}{}", join(known, ", "), near_hint(key, known)));
    }
  }

  std::optional<std::uint64_t> size_of(const nlohmann::json& store, const char* key) const {
    const auto value = store.find(key);
    if (value == store.end()) return std::nullopt;
    if (!value->is_string()) throw refuse(fmt::format("store.{}", key), "is no size such as \"50GB\"");
    return parse_size(value->get<std::string>(), fmt::format("'{}': 'store.{}'", file_, key));
  }

  std::string file_;
};

}  // namespace

fs::path machine_settings_file() {
  if (const auto named = environment_variable("KILN_CONFIG"); named && !named->empty()) return *named;
  if (::geteuid() == 0) return "/etc/kiln/config.json";
  if (const auto folder = environment_variable("XDG_CONFIG_HOME"); folder && !folder->empty())
    return fs::path(*folder) / "kiln/config.json";
  return fs::path(environment_variable("HOME").value_or("/")) / ".config/kiln/config.json";
}

MachineSettings read_machine_settings() {
  const fs::path file = machine_settings_file();
  if (environment_variable("KILN_CONFIG").value_or("").empty()) {
    const auto text = read_file_if_exists(file, kMaxSettingsBytes);
    return text ? SettingsReader(file).read(*text) : MachineSettings();
  }
  if (!fs::exists(file))
    throw Error(Category::usage, fmt::format("KILN_CONFIG '{}': there is no such file", printable(file.native())));
  return SettingsReader(file).read(read_named_file(file, kMaxSettingsBytes));
}

}  // namespace kiln::cli
