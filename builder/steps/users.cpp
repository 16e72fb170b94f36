#include "builder/steps/users.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

struct PasswdLine {
  std::string name;
  std::uint32_t uid;
  std::uint32_t gid;
  std::string home;
};
struct GroupLine {
  std::string name;
  std::uint32_t gid;
  std::vector<std::string> members;
};

// The largest number is none: to chown(2) it says that nothing is to change.
constexpr std::uint32_t kLargestOwner = 0xFFFFFFFE;
constexpr std::uint32_t kLargestUser = 0x7FFFFFFF;

// As Go reads a number.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  return parse_unsigned(text);
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto number = parse_number(text);
  return number && *number <= kLargestOwner ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::vector<PasswdLine> read_passwd(const MergedView& view) {
  std::vector<PasswdLine> lines;
  const std::string text = view.passwd().value_or("");
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4) continue;
    const auto uid = parse_id(fields[2]);
    const auto gid = parse_id(fields[3]);
    if (uid && gid)
      lines.push_back({std::string(fields[0]), *uid, *gid, fields.size() > 5 ? std::string(fields[5]) : "/"});
  }
  return lines;
}

std::vector<GroupLine> read_group(const MergedView& view) {
  std::vector<GroupLine> lines;
  const std::string text = view.group().value_or("");
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 3) continue;
    const auto gid = parse_id(fields[2]);
    if (!gid) continue;
    GroupLine group{std::string(fields[0]), *gid, {}};
    if (fields.size() > 3) {
      for (const std::string_view member : split(trim(fields[3]), ',')) group.members.emplace_back(member);
    }
    lines.push_back(std::move(group));
  }
  return lines;
}

// A number is an id, even where an entry has it for a name.
template <class Line, class Id>
const Line* find_line(const std::vector<Line>& lines, std::string_view name, Id Line::*id) {
  const auto number = parse_id(name);
  for (const Line& line : lines) {
    if (number ? line.*id == *number : line.name == name) return &line;
  }
  return nullptr;
}

void refuse_large_id(std::string_view word, const std::string& id) {
  if (const auto number = parse_number(id); !number || *number <= kLargestUser) return;
  throw Error(Category::build, fmt::format("{} '{}': expected a number up to {}", word, printable(id), kLargestUser));
}

}  // namespace

std::optional<std::uint32_t> find_uid(const std::string& user, const MergedView& view) {
  const std::string name = user.substr(0, user.find(':'));
  const auto passwd = read_passwd(view);
  if (const PasswdLine* entry = find_line(passwd, name, &PasswdLine::uid)) return entry->uid;
  return parse_id(name);
}

ResolvedUser resolve_user(const std::string& user, const MergedView& view) {
  ResolvedUser result;
  // What stands behind a second colon no runtime looks at.
  const auto parts = split(user, ':');
  const std::string name(parts[0]);
  const std::string group(parts.size() < 2 ? "" : parts[1]);
  refuse_large_id("user", name);
  refuse_large_id("group", group);
  const auto passwd = read_passwd(view);
  const auto groups = read_group(view);
  const PasswdLine* entry = find_line(passwd, name.empty() ? "0" : name, &PasswdLine::uid);
  if (entry) {
    result.uid = entry->uid;
    result.gid = entry->gid;
    result.home = entry->home;
  } else if (const auto uid = parse_id(name.empty() ? "0" : name)) {
    result.uid = *uid;
  } else {
    std::vector<std::string> names;
    for (const PasswdLine& line : passwd) names.push_back(line.name);
    throw Error(Category::build,
                fmt::format("user '{}' is not in the image's /etc/passwd{}", printable(name), suggestion(name, names)));
  }
  if (!group.empty()) {
    if (const GroupLine* line = find_line(groups, group, &GroupLine::gid)) {
      result.gid = line->gid;
    } else if (const auto gid = parse_id(group)) {
      result.gid = *gid;
    } else {
      throw Error(Category::build, fmt::format("group '{}' is not in the image's /etc/group", printable(group)));
    }
    result.groups = {result.gid};
    return result;
  }
  result.groups = {result.gid};  // the process has its own group among the further ones, as under BuildKit
  if (entry) {
    for (const GroupLine& line : groups) {
      if (std::find(line.members.begin(), line.members.end(), entry->name) != line.members.end())
        result.groups.push_back(line.gid);
    }
    std::sort(result.groups.begin(), result.groups.end());
    result.groups.erase(std::unique(result.groups.begin(), result.groups.end()), result.groups.end());
  }
  return result;
}

ResolvedOwner resolve_owner(const std::string& owner, const MergedView& view, std::string_view said_by) {
  const std::size_t colon = owner.find(':');
  const std::string user = owner.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : owner.substr(colon + 1);
  const bool is_empty_image = view.layers().empty();
  ResolvedOwner result;
  const auto note_unknown = [&](const char* what, const std::string& name, const char* file, std::uint32_t instead) {
    if (is_empty_image) {
      throw Error(Category::build, fmt::format("{}: {} '{}' cannot be looked up: the image has no {}", said_by, what,
                                               printable(name), file));
    }
    result.notes.push_back(fmt::format("{}: {} '{}' is not in the image's {}, so it is {}", said_by, what,
                                       printable(name), file, instead));
  };
  // A number needs no file, whatever stands in its place.
  if (const auto uid = parse_id(user)) {
    result.uid = *uid;
    result.gid = *uid;
  } else if (!user.empty()) {
    const auto passwd = read_passwd(view);
    if (const PasswdLine* line = find_line(passwd, user, &PasswdLine::uid)) {
      result.uid = line->uid;
      result.gid = line->gid;
    } else {
      note_unknown("user", user, "/etc/passwd", result.uid);
    }
  }
  if (const auto gid = parse_id(group)) {
    result.gid = *gid;
  } else if (!group.empty()) {
    const auto groups = read_group(view);
    if (const GroupLine* line = find_line(groups, group, &GroupLine::gid)) {
      result.gid = line->gid;
    } else {
      note_unknown("group", group, "/etc/group", result.gid);
    }
  }
  return result;
}

}  // namespace kiln
