#include "builder/definitions/compose/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::compose {

namespace {

// What a path below a service ends with: "build.args" of "services.web.build.args".
std::string below_service(const std::string& path) {
  const auto parts = split(path, '.');
  if (parts.size() < 3 || parts[0] != "services") return "";
  std::string result;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (i > 2) result += '.';
    result += parts[i];
  }
  return result;
}

// KEY=VALUE entries of a mapping or a list.
std::vector<Node> entries(const Node& node) {
  if (node.is_scalar()) return {node};
  if (!node.is_mapping()) return node.items;
  std::vector<Node> result;
  for (const auto& [key, value] : node.members) {
    if (value.is_sequence()) {
      for (const Node& item : value.items)
        result.push_back(Node::scalar(fmt::format("{}={}", key, text_of_scalar(item)), item.place));
    } else {
      result.push_back(
          Node::scalar(value.is_null() ? key : fmt::format("{}={}", key, text_of_scalar(value)), value.key_place));
    }
  }
  std::sort(result.begin(), result.end(), [](const Node& a, const Node& b) { return a.text < b.text; });
  return result;
}

std::string key_of(const Node& entry) { return entry.text.substr(0, entry.text.find('=')); }

// A list in the place of another node.
Node list(const Node& at, std::vector<Node> items) {
  Node node;
  node.kind = Node::Kind::sequence;
  node.place = at.place;
  node.key_place = at.key_place;
  node.items = std::move(items);
  return node;
}

Node by_key(const Node& below, const Node& over) {
  std::vector<Node> result;
  for (const Node* side : {&below, &over}) {
    for (const Node& entry : entries(*side)) {
      const auto same =
          std::find_if(result.begin(), result.end(), [&](const Node& known) { return key_of(known) == key_of(entry); });
      if (same == result.end()) {
        result.push_back(entry);
      } else {
        *same = entry;
      }
    }
  }
  return list(over, std::move(result));
}

Node appended(const Node& over, std::vector<Node> below, const std::vector<Node>& added) {
  for (const Node& item : added) {
    if (std::find(below.begin(), below.end(), item) == below.end()) below.push_back(item);
  }
  return list(over, std::move(below));
}

Node as_build(const Node& node) {
  if (!node.is_scalar()) return node;
  Node build;
  build.kind = Node::Kind::mapping;
  build.place = node.place;
  build.key_place = node.key_place;
  build.set("context", node);
  return build;
}

Node merged_mapping(Node below, const Node& over, const std::string& path) {
  below.tag.clear();
  for (const auto& [key, value] : over.members) {
    Node* known = below.find(key);
    if (known == nullptr) {
      below.members.push_back({key, value});
    } else {
      *known = merged(std::move(*known), value,
                      path == "services" ? service_path(key)
                      : path.empty()     ? key
                                         : path + "." + key);
    }
  }
  return below;
}

}  // namespace

std::string service_path(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return "services." + name;
}

Node merged(Node below, const Node& over, const std::string& path) {
  static const std::set<std::string> kByKey = {
      "annotations", "build.args", "build.additional_contexts", "build.labels", "environment", "labels", "sysctls"};
  static const std::set<std::string> kLists = {"build.extra_hosts", "dns",         "dns_opt", "dns_search",
                                               "env_file",          "extra_hosts", "tmpfs",   "label_file"};
  static const std::set<std::string> kReplaced = {"command", "entrypoint", "healthcheck.test"};
  if (over.tag == "!override" || over.tag == "!reset" || below.tag == "!reset") return over;
  const std::string place = below_service(path);
  if (kReplaced.contains(place)) return over;
  if (place.starts_with("build.ulimits.") && !(below.is_mapping() && over.is_mapping())) return over;
  if (kByKey.contains(place)) return by_key(below, over);
  if (kLists.contains(place)) return appended(over, entries(below), entries(over));
  if (place == "build") return merged_mapping(as_build(below), as_build(over), path);
  if (over.is_null()) return below;
  if (below.is_mapping() || below.is_sequence()) {
    if (below.kind != over.kind) {
      // A list of networks or dependencies and a mapping of them say the same; a build needs neither.
      if (over.is_mapping() || over.is_sequence()) return over;
      hcl::fail(over.place, fmt::format("'{}' is {} in what this goes over", printable(path),
                                        below.is_mapping() ? "a mapping" : "a list"));
    }
    return below.is_mapping() ? merged_mapping(std::move(below), over, path) : appended(over, below.items, over.items);
  }
  return over;
}

void apply_resets(Node& node) {
  node.members.erase_if([](const Member& member) { return member.value.tag == "!reset"; });
  std::erase_if(node.items, [](const Node& item) { return item.tag == "!reset"; });
  for (auto& [key, member] : node.members) apply_resets(member);
  for (Node& item : node.items) apply_resets(item);
}

}  // namespace kiln::compose
