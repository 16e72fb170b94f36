#include "builder/definitions/bake/entries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;
using hcl::ValueError;
using Members = Value::Members;

Value strings(Members members) { return Value::map(Type::string(), std::move(members)); }

bool parse_flag(const std::string& text) {
  const auto flag = flag_of_text(text);
  if (!flag) throw ValueError(fmt::format("expected true or false, got '{}'", printable(text)));
  return *flag;
}

std::string_view name_of(EntryKind kind) {
  switch (kind) {
    case EntryKind::attestation:
      return "attestation";
    case EntryKind::cache:
      return "cache";
    case EntryKind::output:
      return "output";
    case EntryKind::policy:
      return "policy";
    case EntryKind::secret:
      return "secret";
    case EntryKind::ssh:
      return "ssh";
  }
  return "";
}

std::vector<std::string> fields_of(EntryKind kind, const std::string& text) {
  try {
    return csv_fields(text, name_of(kind));
  } catch (const Error& error) {
    throw ValueError(error.message());
  }
}

// "key=value" fields, the keys in lower case.
Members parse_pairs(EntryKind kind, const std::string& text) {
  Members members;
  for (const std::string& field : fields_of(kind, text)) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos) {
      throw ValueError(
          fmt::format("{} '{}': expected KEY=VALUE, got '{}'", name_of(kind), printable(text), printable(field)));
    }
    members[to_lower(trim(field.substr(0, equals)))] = Value::of(field.substr(equals + 1));
  }
  return members;
}

constexpr char kFilename[] = "filename", kFilenames[] = "filenames";

// A policy's text may name several files; then they are kept beside the first.
Members policy_of_text(const std::string& text) {
  Members members = parse_pairs(EntryKind::policy, text);
  Value::Items names;
  for (const std::string& field : fields_of(EntryKind::policy, text)) {
    const std::size_t equals = field.find('=');
    if (to_lower(trim(field.substr(0, equals))) == kFilename) names.push_back(Value::of(field.substr(equals + 1)));
  }
  if (names.empty()) return members;
  members[kFilename] = names.front();
  if (names.size() > 1) members[kFilenames] = Value::list(Type::string(), std::move(names));
  return members;
}

void check_policy(Members& members) {
  for (auto& [key, value] : members) {
    if (key == kFilenames) continue;
    const std::string& text = value.text();
    if (key == kFilename) {
      if (text.empty()) throw ValueError("the file of a policy has no name");
    } else if (key == "disabled" || key == "reset" || key == "strict") {
      value = Value::of(parse_flag(text) ? "true" : "false");
    } else if (key == "log-level") {
      static const std::vector<std::string> kLevels = {"panic", "fatal", "error", "warning", "info", "debug", "trace"};
      const std::string level = to_lower(text) == "warn" ? "warning" : to_lower(text);
      if (std::find(kLevels.begin(), kLevels.end(), level) == kLevels.end()) {
        throw ValueError(
            fmt::format("unknown log-level '{}' of a policy{}", printable(text), suggestion(level, kLevels)));
      }
      value = Value::of(level);
    } else {
      throw ValueError(fmt::format("unknown key '{}' of a policy{}", printable(key),
                                   suggestion(key, {"disabled", "filename", "log-level", "reset", "strict"})));
    }
  }
  for (const char* flag : {"disabled", "reset"}) {
    if (members.contains(flag) && members.at(flag).text() == "false") members.erase(flag);
  }
}

std::string take(Members& members, const std::string& key) {
  const auto found = members.find(key);
  if (found == members.end()) return "";
  std::string text = found->second.text();
  members.erase(found);
  return text;
}

// What is the same for texts and objects: which keys there may be, which must be, and how they are kept.
Value checked(EntryKind kind, Members members) {
  const auto needs_type = [&] {
    if (!members.contains("type") || members.at("type").text().empty()) {
      throw ValueError(fmt::format("an entry of {} has no type", name_of(kind)));
    }
  };
  if (kind == EntryKind::cache) needs_type();
  if (kind == EntryKind::output) {
    needs_type();
    if (members.contains("dest") && members.at("dest").text().empty()) members.erase("dest");
  }
  if (kind == EntryKind::attestation) {
    needs_type();
    const std::string disabled = take(members, "disabled");
    if (!disabled.empty() && parse_flag(disabled)) members["disabled"] = Value::of("true");
  }
  if (kind == EntryKind::secret) {
    if (const std::string source = take(members, "source"); !source.empty()) members["src"] = Value::of(source);
    const std::string type = take(members, "type");
    if (!type.empty() && type != "file" && type != "env") {
      throw ValueError(fmt::format("unknown type '{}' of a secret; known: file, env", printable(type)));
    }
    if (type == "env" && !members.contains("env")) members["env"] = Value::of(take(members, "src"));
    for (const auto& [key, value] : members) {
      if (key == "id" || key == "src" || key == "env") continue;
      throw ValueError(
          fmt::format("unknown key '{}' of a secret{}", printable(key), suggestion(key, {"env", "id", "src", "type"})));
    }
    std::erase_if(members, [](const auto& member) { return member.second.text().empty(); });
  }
  if (kind == EntryKind::policy) {
    check_policy(members);
    if (members.contains(kFilenames)) return Value::object(std::move(members));
  }
  return strings(std::move(members));
}

Value ssh_entry(const std::string& id, const Value::Items& paths) {
  return Value::object({{"id", Value::of(id)}, {"paths", Value::list(Type::string(), paths)}});
}

Value ssh_of_text(const std::string& text) {
  const std::size_t equals = text.find('=');
  Value::Items paths;
  if (equals != std::string::npos) {
    for (const std::string_view path : split(std::string_view(text).substr(equals + 1), ',')) {
      paths.push_back(Value::of(path));
    }
  }
  return ssh_entry(text.substr(0, equals), paths);
}

Value ssh_of_value(const Value& value) {
  static const Type type =
      Type::object({{"id", Type::string()}, {"paths", Type::list(Type::string())}}, {"id", "paths"});
  const Value object = hcl::convert(value, type);
  const Value& id = object.members().at("id");
  const Value& paths = object.members().at("paths");
  return ssh_entry(id.is_null() ? "" : id.text(), paths.is_null() ? Value::Items() : paths.items());
}

std::string key_of(EntryKind kind, const Value& entry) {
  const auto member = entry.members().find(kind == EntryKind::attestation ? "type" : "id");
  return member == entry.members().end() ? "" : member->second.text();
}

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"") == std::string::npos) return field;
  std::string result = "\"";
  for (const char c : field) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

}  // namespace

std::optional<bool> flag_of_text(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::vector<Value> entries_of_text(EntryKind kind, const std::string& text) {
  if (kind == EntryKind::ssh) return {ssh_of_text(text)};
  if (kind == EntryKind::cache && text.find('=') == std::string::npos) {
    std::vector<Value> result;
    for (const std::string& reference : fields_of(kind, text)) {
      result.push_back(strings({{"type", Value::of("registry")}, {"ref", Value::of(reference)}}));
    }
    return result;
  }
  if (kind == EntryKind::output && !text.starts_with("type=") && fields_of(kind, text) == std::vector{text}) {
    return {strings({{"type", Value::of(text == "-" ? "tar" : "local")}, {"dest", Value::of(text)}})};
  }
  return {checked(kind, kind == EntryKind::policy ? policy_of_text(text) : parse_pairs(kind, text))};
}

Value entry_of_value(EntryKind kind, const Value& value) {
  if (kind == EntryKind::ssh) return ssh_of_value(value);
  Members members = hcl::convert(value, Type::map(Type::string())).members();
  std::erase_if(members, [](const auto& member) { return member.second.is_null(); });
  return checked(kind, std::move(members));
}

std::vector<Value> entries_of_list(EntryKind kind, const Value& list) {
  if (!list.is_sequence() || list.kind() == Type::Kind::set) {
    throw ValueError(fmt::format("expected a list, got {}", list.type().name()));
  }
  std::vector<Value> result;
  for (const Value& item : list.items()) {
    if (item.is_null()) throw ValueError("an entry is null");
    if (!item.is(Type::Kind::string)) {
      result.push_back(entry_of_value(kind, item));
    } else if (!item.text().empty()) {
      for (Value& entry : entries_of_text(kind, item.text())) result.push_back(std::move(entry));
    }
  }
  return result;
}

void remove_repeats(EntryKind kind, std::vector<Value>& entries) {
  if (kind == EntryKind::policy) return;
  if (kind == EntryKind::cache || kind == EntryKind::output) {
    for (std::size_t i = entries.size(); i-- > 0;) {
      const auto same = std::find(entries.begin() + static_cast<std::ptrdiff_t>(i) + 1, entries.end(), entries[i]);
      if (same == entries.end()) continue;
      std::iter_swap(same, entries.end() - 1);
      entries.pop_back();
    }
    return;
  }
  std::vector<Value> result;
  for (Value& entry : entries) {
    const auto same = std::find_if(result.begin(), result.end(),
                                   [&](const Value& known) { return key_of(kind, known) == key_of(kind, entry); });
    if (same == result.end()) {
      result.push_back(std::move(entry));
    } else {
      *same = std::move(entry);
    }
  }
  entries = std::move(result);
}

std::string text_of_entry(EntryKind kind, const Value& entry) {
  if (kind == EntryKind::ssh) {
    std::vector<std::string> paths;
    for (const Value& path : entry.members().at("paths").items()) paths.push_back(path.text());
    const std::string& id = entry.members().at("id").text();
    return paths.empty() ? id : fmt::format("{}={}", id, join(paths, ","));
  }
  std::vector<std::string> fields;
  for (const auto& [key, value] : entry.members()) {
    std::string field = quoted(fmt::format("{}={}", key, value.text()));
    const bool is_first = key == "type" || (kind == EntryKind::secret && key == "id");
    fields.insert(is_first ? fields.begin() : fields.end(), std::move(field));
  }
  return join(fields, ",");
}

}  // namespace kiln::bake
