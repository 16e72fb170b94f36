#include "builder/definitions/compose/build_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.hpp"

namespace kiln::compose {

namespace {

enum class Form { text, pairs, full_pairs, list, hosts, limits, flag, extension, anything };

struct Key {
  std::string_view name;
  Form form;
};

constexpr Key kKeys[] = {{"additional_contexts", Form::full_pairs},
                         {"args", Form::pairs},
                         {"cache_from", Form::list},
                         {"cache_to", Form::list},
                         {"context", Form::text},
                         {"dockerfile", Form::text},
                         {"dockerfile_inline", Form::text},
                         {"entitlements", Form::list},
                         {"extra_hosts", Form::hosts},
                         {"isolation", Form::text},
                         {"labels", Form::pairs},
                         {"network", Form::text},
                         {"no_cache", Form::flag},
                         {"no_cache_filter", Form::anything},
                         {"platforms", Form::list},
                         {"privileged", Form::flag},
                         {"provenance", Form::text},
                         {"pull", Form::flag},
                         {"sbom", Form::text},
                         {"secrets", Form::anything},
                         {"shm_size", Form::text},
                         {"ssh", Form::pairs},
                         {"tags", Form::list},
                         {"target", Form::text},
                         {"ulimits", Form::limits},
                         {"x-bake", Form::extension}};

bool is_text(const Node& node) { return node.is_scalar() || node.is_null(); }

bool is_list_of_texts(const Node& node) {
  return node.is_sequence() && std::all_of(node.items.begin(), node.items.end(), is_text);
}

bool is_pairs(const Node& node, bool needs_values) {
  if (node.is_mapping()) {
    return std::all_of(node.members.begin(), node.members.end(),
                       [&](const Member& member) { return is_text(member.value); });
  }
  return is_list_of_texts(node) &&
         (!needs_values || std::all_of(node.items.begin(), node.items.end(),
                                       [](const Node& i) { return i.text.find('=') != std::string::npos; }));
}

bool is_hosts(const Node& node) {
  if (node.is_mapping()) {
    return std::all_of(node.members.begin(), node.members.end(),
                       [](const Member& member) { return member.value.is_scalar() || is_list_of_texts(member.value); });
  }
  return is_list_of_texts(node) && std::all_of(node.items.begin(), node.items.end(), [](const Node& item) {
           return item.text.find_first_of("=:") != std::string::npos;
         });
}

bool is_limits(const Node& node) {
  return node.is_mapping() && std::all_of(node.members.begin(), node.members.end(), [](const Member& member) {
           const Node* soft = member.value.find("soft");
           const Node* hard = member.value.find("hard");
           return member.value.is_scalar() ||
                  (soft != nullptr && soft->is_scalar() && hard != nullptr && hard->is_scalar());
         });
}

bool is_flag(const Node& node) {
  static constexpr std::string_view kNo[] = {"false", "no", "off", "n", "0", "f", ""};
  return node.is_scalar() &&
         (is_true(node) || std::find(std::begin(kNo), std::end(kNo), to_lower(node.text)) != std::end(kNo));
}

// Each member a text or a list of texts, and `contexts` a mapping.
bool is_extension(const Node& node) {
  return node.is_mapping() && std::all_of(node.members.begin(), node.members.end(), [](const Member& member) {
           return member.key == "contexts" ? is_pairs(member.value, /*needs_values=*/false)
                                           : is_text(member.value) || is_list_of_texts(member.value);
         });
}

bool has_form(const Node& node, Form form) {
  switch (form) {
    case Form::text:
      return node.is_scalar();
    case Form::pairs:
      return is_pairs(node, /*needs_values=*/false);
    case Form::full_pairs:
      return is_pairs(node, /*needs_values=*/true);
    case Form::list:
      return is_list_of_texts(node);
    case Form::hosts:
      return is_hosts(node);
    case Form::limits:
      return is_limits(node);
    case Form::flag:
      return is_flag(node);
    case Form::extension:
      return is_extension(node);
    case Form::anything:
      return true;
  }
  return true;
}

std::string_view name_of(Form form) {
  switch (form) {
    case Form::pairs:
    case Form::full_pairs:
      return "a mapping of texts, or a list of KEY=VALUE";
    case Form::list:
      return "a list of texts";
    case Form::hosts:
      return "a mapping of addresses, or a list of HOST=ADDRESS";
    case Form::limits:
      return "a mapping of NAME to a number, or to 'soft' and 'hard'";
    case Form::flag:
      return "true or false";
    case Form::extension:
      return "a mapping of texts and lists of texts";
    case Form::text:
    case Form::anything:
      return "a text";
  }
  return "";
}

}  // namespace

void fail_service(const std::string& service, const hcl::Place& place, std::string_view message) {
  hcl::fail(place, fmt::format("service '{}': {}", printable(service), message));
}

void check_build(const std::string& service, const Node& build) {
  if (!build.is_mapping()) fail_service(service, build.place, "'build' is a folder, or a mapping that says how");
  for (const auto& [name, value] : build.members) {
    const std::string& key = name;  // a lambda of clang 14 captures no part of a pair
    const auto known =
        std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& row) { return row.name == key; });
    if (known == std::end(kKeys)) {
      if (key.starts_with("x-")) continue;
      std::vector<std::string> names;
      for (const Key& row : kKeys) names.emplace_back(row.name);
      fail_service(service, value.key_place,
                   fmt::format("unknown key '{}' of 'build'{}", printable(key), suggestion(key, names)));
    }
    if (!value.is_null() && !has_form(value, known->form))
      fail_service(service, value.place, fmt::format("'build.{}' is {}", known->name, name_of(known->form)));
  }
}

}  // namespace kiln::compose
