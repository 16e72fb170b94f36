#include "builder/dockerfile/mount.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::dockerfile {
namespace {

template <class... Args>
[[noreturn]] void refuse_mount(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Category::usage, "--mount: " + fmt::format(format, std::forward<Args>(args)...));
}

using Option = WrittenMount::Option;

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"src", "source"}, {"dst", "target"}, {"destination", "target"}, {"ro", "readonly"}, {"rw", "readwrite"},
};
const std::vector<std::string> kKeys = {"type",    "from", "source", "target",   "readonly", "readwrite", "id",
                                        "sharing", "mode", "uid",    "required", "gid",      "size",      "env"};

Option option_of(const std::string& field) {
  const auto equals = field.find('=');
  Option out{to_lower(field.substr(0, equals)), std::nullopt};
  if (equals != std::string::npos) out.value = field.substr(equals + 1);
  for (const auto& [alias, canonical] : kAliases) {
    if (out.key == alias) out.key = canonical;
  }
  return out;
}

bool truth(const Option& option) {
  if (!option.value) return true;
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (*option.value == yes) return true;
  }
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (*option.value == no) return false;
  }
  refuse_mount("'{}' may be true or false, got '{}'", option.key, printable(*option.value));
}

std::uint32_t number(const Option& option, int base) {
  const auto value = parse_unsigned(*option.value, base);
  if (!value || *value > 0xffffffff) {
    refuse_mount("'{}' needs {} number, got '{}'", option.key, base == 8 ? "an octal" : "a", printable(*option.value));
  }
  return static_cast<std::uint32_t>(*value);
}

// "512m", "1.5GiB": binary units, as docker reads them here.
std::uint64_t bytes(const Option& option) {
  const std::string text = to_lower(*option.value);
  std::size_t digits = 0;
  while (digits < text.size() && ((text[digits] >= '0' && text[digits] <= '9') || text[digits] == '.')) ++digits;
  const std::string unit(trim(std::string_view(text).substr(digits)));
  static const std::map<std::string, int, std::less<>> powers = {
      {"", 0},   {"b", 0},   {"k", 1}, {"kb", 1}, {"kib", 1}, {"m", 2}, {"mb", 2}, {"mib", 2}, {"g", 3},
      {"gb", 3}, {"gib", 3}, {"t", 4}, {"tb", 4}, {"tib", 4}, {"p", 5}, {"pb", 5}, {"pib", 5}};
  const auto power = powers.find(unit);
  const std::string whole = text.substr(0, digits);
  const auto dot = whole.find('.');
  const auto integral = parse_unsigned(std::string_view(whole).substr(0, dot));
  const std::string fraction = dot == std::string::npos ? "" : whole.substr(dot + 1);
  if (power == powers.end() || !integral || fraction.size() > 9 || fraction.find('.') != std::string::npos) {
    refuse_mount("'{}' needs a size such as 512m or 1g, got '{}'", option.key, printable(*option.value));
  }
  double factor = 1;
  for (int i = 0; i < power->second; ++i) factor *= 1024;
  double value = static_cast<double>(*integral);
  double scale = 1;
  for (char digit : fraction) value += (digit - '0') * (scale /= 10);
  if (value * factor >= 9.2e18) refuse_mount("'{}' is too large: '{}'", option.key, printable(*option.value));
  return static_cast<std::uint64_t>(value * factor);
}

MountType type_of(const std::string& value) {
  static const std::vector<std::string> names = {"bind", "cache", "tmpfs", "secret", "ssh"};
  const std::string lower = to_lower(value);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == lower) return static_cast<MountType>(i);
  }
  refuse_mount("unsupported type '{}'{}", printable(value), suggestion(lower, names));
}

CacheSharing sharing_of(const std::string& value) {
  static const std::vector<std::string> names = {"shared", "private", "locked"};
  const std::string lower = to_lower(value);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == lower) return static_cast<CacheSharing>(i);
  }
  refuse_mount("unsupported sharing '{}'{}", printable(value), suggestion(lower, names));
}

class Builder {
 public:
  void add(const Option& option) {
    const std::string& key = option.key;
    const bool may_be_bare = key == "readonly" || key == "readwrite" || key == "required";
    if (!option.value && !may_be_bare) {
      for (const std::string& known : kKeys) {
        if (key == known) refuse_mount("'{}' needs a value: {}=VALUE", key, key);
      }
      refuse_mount("unknown option '{}'{}", printable(key), suggestion(key, kKeys));
    }
    if (key == "type") {
      mount_.type = type_of(*option.value);
    } else if (key == "from") {
      mount_.from = *option.value;
    } else if (key == "source") {
      mount_.source = *option.value;
    } else if (key == "target") {
      mount_.target = *option.value;
    } else if (key == "readonly") {
      read_only_ = truth(option);
    } else if (key == "readwrite") {
      read_only_ = !truth(option);
    } else if (key == "id") {
      mount_.id = *option.value;
    } else if (key == "sharing") {
      sharing_given_ = true;
      mount_.sharing = sharing_of(*option.value);
    } else if (key == "mode") {
      mount_.mode = number(option, 8);
    } else if (key == "uid") {
      mount_.uid = number(option, 10);
      owner_given_ = true;
    } else if (key == "gid") {
      mount_.gid = number(option, 10);
      owner_given_ = true;
    } else if (key == "required") {
      only_for(key, mount_.type == MountType::secret || mount_.type == MountType::ssh);
      mount_.required = truth(option);
    } else if (key == "size") {
      only_for(key, mount_.type == MountType::tmpfs);
      mount_.size_bytes = bytes(option);
    } else if (key == "env") {
      only_for(key, mount_.type == MountType::secret);
      mount_.environment = *option.value;
    } else {
      refuse_mount("unknown option '{}'{}", printable(key), suggestion(key, kKeys));
    }
  }

  Mount finish() {
    const MountType type = mount_.type;
    const bool has_owner = type == MountType::secret || type == MountType::ssh || type == MountType::cache;
    only_for("mode", has_owner || !mount_.mode);
    only_for("uid and gid", has_owner || !owner_given_);
    only_for("sharing", type == MountType::cache || !sharing_given_);
    only_for("source", (type != MountType::tmpfs && type != MountType::ssh) || mount_.source.empty());
    if (type == MountType::cache && mount_.from.empty() && !mount_.source.empty() && mount_.source != "/")
      refuse_mount("'source' of a cache is a path in what 'from' names: give a stage or an image by from=NAME");
    mount_.read_only = read_only_.value_or(type != MountType::cache && type != MountType::tmpfs);
    if (type == MountType::secret) {
      only_for("from", mount_.from.empty());
      if (mount_.source.empty() && mount_.target.empty() && mount_.id.empty()) {
        refuse_mount("a secret needs an id or a target");
      }
      if (!mount_.source.empty() && !mount_.id.empty()) refuse_mount("a secret takes 'id' or 'source', not both");
    }
    return std::move(mount_);
  }

 private:
  void only_for(std::string_view key, bool allowed) const {
    if (!allowed) refuse_mount("'{}' is no option of the type '{}'", key, to_string(mount_.type));
  }

  Mount mount_;
  std::optional<bool> read_only_;
  bool sharing_given_ = false;
  bool owner_given_ = false;
};

// Whether an option changes anything about a mount of its type. What cannot be true at all is refused by Builder.
bool has_effect(std::string_view key, const WrittenMount& written, MountType type) {
  const bool is_folder = type == MountType::bind || type == MountType::cache;
  if (key == "from") return is_folder;
  if (key == "id") return type != MountType::bind && type != MountType::tmpfs;
  if (key == "readonly" || key == "readwrite") return is_folder || type == MountType::tmpfs;
  if (key != "mode" && key != "uid" && key != "gid") return true;
  // A secret that is a variable alone has no file.
  return type != MountType::secret || written.written("env").empty() || !written.written("target").empty();
}

}  // namespace

std::vector<std::string> unused_options(const WrittenMount& mount) {
  std::vector<std::string> unused;
  if (!mount.plain) return unused;
  std::set<std::string> given;
  for (const Option& option : mount.options) {
    // One of them says whether it may be written to.
    const std::string key = option.key == "readwrite" ? "readonly" : option.key;
    if (!given.insert(key).second) unused.push_back(fmt::format("of several '{}' the last counts", key));
    if (!has_effect(option.key, mount, mount.plain->type))
      unused.push_back(fmt::format("'{}' changes nothing of the type '{}'", option.key, to_string(mount.plain->type)));
  }
  return unused;
}

const char* to_string(MountType type) {
  switch (type) {
    case MountType::bind:
      return "bind";
    case MountType::cache:
      return "cache";
    case MountType::tmpfs:
      return "tmpfs";
    case MountType::secret:
      return "secret";
    case MountType::ssh:
      return "ssh";
  }
  return "";
}

std::string WrittenMount::written(std::string_view key) const {
  for (auto option = options.rbegin(); option != options.rend(); ++option) {
    if (option->key == key) return option->value.value_or("");
  }
  return "";
}

Mount expand_mount(const WrittenMount& mount, const std::function<std::string(std::string_view)>& expand) {
  if (mount.plain) return *mount.plain;
  Builder builder;
  for (Option option : mount.options) {
    if (option.value) option.value = expand(*option.value);
    builder.add(option);
  }
  return builder.finish();
}

WrittenMount read_mount(std::string_view options) {
  WrittenMount mount;
  mount.text = options;
  bool is_plain = true;
  for (const std::string& field : csv_fields(options, "--mount")) {
    Option option = option_of(field);
    const std::string value = option.value.value_or("");
    const auto dollar = value.find('$');
    if (option.key == "from" && dollar != std::string::npos && dollar + 1 < value.size()) {
      refuse_mount("'from' cannot hold a variable, got '{}'; name a stage 'FROM {} AS NAME' and mount from=NAME",
                   printable(value), printable(value));
    }
    // Quotes and escapes are the expansion's, too.
    is_plain = is_plain && value.find_first_of("$\\`'\"") == std::string::npos;
    mount.options.push_back(std::move(option));
  }
  if (!is_plain) return mount;
  Builder builder;
  for (const Option& option : mount.options) builder.add(option);
  mount.plain = builder.finish();
  return mount;
}

bool takes_files(const Mount& mount) {
  return mount.type == MountType::bind || (mount.type == MountType::cache && !mount.from.empty());
}

}  // namespace kiln::dockerfile
