#include "builder/dockerfile/instruction_flags.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::dockerfile {
namespace {

enum class FlagKind { boolean, text, list };

struct Flag {
  std::string_view keyword;
  std::string_view name;
  FlagKind kind;
};

constexpr Flag kFlags[] = {
    {"from", "platform", FlagKind::text},
    {"run", "mount", FlagKind::list},
    {"run", "network", FlagKind::text},
    {"run", "security", FlagKind::text},
    {"run", "device", FlagKind::list},
    {"copy", "from", FlagKind::text},
    {"copy", "chown", FlagKind::text},
    {"copy", "chmod", FlagKind::text},
    {"copy", "link", FlagKind::boolean},
    {"copy", "parents", FlagKind::boolean},
    {"copy", "exclude", FlagKind::list},
    {"add", "chown", FlagKind::text},
    {"add", "chmod", FlagKind::text},
    {"add", "link", FlagKind::boolean},
    {"add", "keep-git-dir", FlagKind::boolean},
    {"add", "checksum", FlagKind::text},
    {"add", "unpack", FlagKind::boolean},
    {"add", "exclude", FlagKind::list},
    {"healthcheck", "interval", FlagKind::text},
    {"healthcheck", "timeout", FlagKind::text},
    {"healthcheck", "start-period", FlagKind::text},
    {"healthcheck", "start-interval", FlagKind::text},
    {"healthcheck", "retries", FlagKind::text},
};

const Flag& find_flag(std::string_view keyword, std::string_view name) {
  std::vector<std::string> known;
  for (const Flag& flag : kFlags) {
    if (flag.keyword != keyword) continue;
    if (flag.name == name) return flag;
    known.push_back(fmt::format("--{}", flag.name));
  }
  const std::string written = fmt::format("--{}", printable(name));
  if (known.empty()) {
    throw Error(Category::usage, fmt::format("{} takes no flags, got '{}'", to_upper(keyword), written));
  }
  throw Error(Category::usage,
              fmt::format("unknown flag '{}' of {}{}", written, to_upper(keyword), suggestion(written, known)));
}

}  // namespace

InstructionFlags::InstructionFlags(std::string_view keyword, const std::vector<std::string>& written) {
  for (const std::string& word : written) {
    const auto equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Flag& flag = find_flag(keyword, name);
    if (flag.kind != FlagKind::list && values_.count(name) != 0) {
      throw Error(Category::usage, fmt::format("flag '--{}' of {} is given twice", name, to_upper(keyword)));
    }
    const bool has_value = equals != std::string::npos;
    std::string value = has_value ? word.substr(equals + 1) : "";
    if (flag.kind == FlagKind::boolean) {
      value = has_value ? to_lower(value) : "true";
      if (value != "true" && value != "false") {
        throw Error(Category::usage, fmt::format("flag '--{}' may be true or false, got '{}'", name,
                                                 printable(word.substr(equals + 1))));
      }
    } else if (!has_value) {
      throw Error(Category::usage, fmt::format("flag '--{}' needs a value: --{}=VALUE", name, name));
    }
    values_[name].push_back(std::move(value));
  }
}

std::string InstructionFlags::text(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second.front();
}

std::optional<bool> InstructionFlags::boolean(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front() == "true";
}

std::vector<std::string> InstructionFlags::list(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

}  // namespace kiln::dockerfile
