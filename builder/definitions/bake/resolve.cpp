#include "builder/definitions/bake/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/select.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;

constexpr std::string_view kLink = "target:";

std::string shown_context(const std::string& context) {
  constexpr std::string_view kWorkingDirectory = "cwd://";
  if (context.starts_with(kWorkingDirectory)) return clean_path(context.substr(kWorkingDirectory.size()));
  return is_remote_context(context) ? context : clean_path(context);
}

std::string text_or(const AttributeValues& values, std::string_view name, std::string_view otherwise) {
  const auto found = values.find(name);
  return found == values.end() ? std::string(otherwise) : found->second.text();
}

// A text that is read again as a template of itself: `${` and `%{` are doubled.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool opens = i + 1 < text.size() && text[i + 1] == '{' && (text[i] == '$' || text[i] == '%');
    if (opens) result += text[i];
    result += text[i];
  }
  return result;
}

// JSON with two spaces of indentation, in Go's spelling, that is read again as a bake file: texts and keys are escaped.
// buildx does so in some attributes alone, and what it prints of the others is read as an expression.
class Printer {
 public:
  void open(char bracket) {
    text += bracket;
    ++depth_;
    is_first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!is_first_) new_line();
    text += bracket;
    is_first_ = false;
  }
  void next() {
    if (!is_first_) text += ',';
    is_first_ = false;
    new_line();
  }
  void key(std::string_view name) {
    next();
    hcl::append_json_text(text, escaped(name));
    text += ": ";
  }
  void value(const Value& value) {
    if (value.is_mapping()) {
      open('{');
      for (const auto& [name, member] : value.members()) {
        key(name);
        this->value(member);
      }
      close('}');
    } else if (value.is_sequence()) {
      open('[');
      for (const Value& item : value.items()) {
        next();
        this->value(item);
      }
      close(']');
    } else {
      hcl::append_json(text, value.is(Type::Kind::string) ? Value::of(escaped(value.text())) : value);
      is_first_ = false;
    }
  }
  std::string text;

 private:
  void new_line() {
    text += '\n';
    text.append(2 * static_cast<std::size_t>(depth_), ' ');
  }

  int depth_ = 0;
  bool is_first_ = true;
};

// In the words of buildx's own type.
void print_policy(Printer& printer, const Value::Members& policy) {
  const auto show = [&](const char* key, const Value& value) {
    printer.key(key);
    printer.value(value);
  };
  const auto flag = [&](const char* key) { return Value::of(policy.contains(key) && policy.at(key).text() == "true"); };
  Value::Items names;
  if (const auto several = policy.find("filenames"); several != policy.end()) {
    names = several->second.items();
  } else if (policy.contains("filename")) {
    names.push_back(policy.at("filename"));
  }
  printer.open('{');
  if (names.empty()) {
    show("Files", Value());
  } else {
    printer.key("Files");
    printer.open('[');
    for (const Value& name : names) {
      printer.next();
      printer.open('{');
      show("Filename", name);
      show("Data", Value());
      printer.close('}');
    }
    printer.close(']');
  }
  show("Reset", flag("reset"));
  show("Disabled", flag("disabled"));
  show("Strict", policy.contains("strict") ? flag("strict") : Value());
  show("LogLevel", policy.contains("log-level") ? policy.at("log-level") : Value());
  printer.close('}');
}

// An entry's members in the order that buildx shows them.
void print_entry(Printer& printer, const Attribute& attribute, const Value& entry) {
  if (attribute.entry == EntryKind::policy) return print_policy(printer, entry.members());
  printer.open('{');
  const auto show = [&](const std::string& key, const Value& value) {
    const bool is_empty = value.is_sequence()
                              ? value.items().empty()
                              : value.is(Type::Kind::string) && value.text().empty() &&
                                    (attribute.entry == EntryKind::secret || attribute.entry == EntryKind::ssh);
    if (is_empty) return;
    printer.key(key);
    printer.value(attribute.entry == EntryKind::attestation && key == "disabled" ? Value::of(true) : value);
  };
  if (attribute.entry == EntryKind::secret) {
    for (const char* key : {"id", "src", "env"}) {
      if (const auto member = entry.members().find(key); member != entry.members().end()) show(key, member->second);
    }
  } else {
    for (const auto& [key, member] : entry.members()) show(key, member);
  }
  printer.close('}');
}

void print_resources(Printer& printer, const Value& resources) {
  printer.open('{');
  for (const char* key :
       {"memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"}) {
    const auto member = resources.members().find(key);
    if (member == resources.members().end()) continue;
    printer.key(key);
    printer.value(member->second);
  }
  printer.close('}');
}

void print_target(Printer& printer, const AttributeValues& values) {
  printer.open('{');
  for (const Attribute& attribute : attributes()) {
    const auto found = values.find(attribute.name);
    if (found == values.end()) continue;
    const Value& value = found->second;
    const bool is_empty = (value.is_sequence() || value.is_mapping()) && value.size() == 0;
    if (is_empty || (attribute.name == "description" && value.text().empty())) continue;
    printer.key(attribute.name);
    if (attribute.form == Attribute::Form::entries) {
      printer.open('[');
      for (const Value& entry : value.items()) {
        printer.next();
        print_entry(printer, attribute, entry);
      }
      printer.close(']');
    } else if (attribute.form == Attribute::Form::resources) {
      print_resources(printer, value);
    } else {
      printer.value(value);
    }
  }
  printer.close('}');
}

}  // namespace

bool Resolver::Walk::begin(const std::string& name) {
  if (!begun.insert(name).second) return false;
  path.push_back(name);
  on_path.insert(name);
  return true;
}

void Resolver::Walk::end() {
  on_path.erase(path.back());
  path.pop_back();
}

Resolver::Resolver(const BakeConfig& config, const SetWords& set) : config_(config), set_(set) {
  for (const BakeTarget& target : config.targets) targets_.emplace(target.name, &target);
  for (const BakeGroup& group : config.groups) groups_.emplace(group.name, &group);
}

const BakeGroup* Resolver::find_group(const std::string& name) const {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : found->second;
}

const BakeTarget* Resolver::find_target(const std::string& name) const {
  const auto found = targets_.find(name);
  return found == targets_.end() ? nullptr : found->second;
}

std::vector<std::string> Resolver::known_names() const {
  std::vector<std::string> names;
  for (const BakeGroup& group : config_.groups) names.push_back(group.name);
  for (const BakeTarget& target : config_.targets) names.push_back(target.name);
  return names;
}

void Resolver::fail_unknown(const std::string& name, const hcl::Place& place, const std::string& what) const {
  hcl::fail(place, fmt::format("{}unknown target '{}'{}", what, printable(name), suggestion(name, known_names())));
}

std::vector<std::string> Resolver::matching(const std::string& given) const {
  std::string pattern = given;
  std::replace(pattern.begin(), pattern.end(), '.', '_');  // as names of compose services are written
  if (pattern.find_first_of("*?[]") == std::string::npos) return {pattern};
  std::vector<std::string> names;
  for (const std::string& name : known_names()) {
    if (matches_glob(pattern, name)) names.push_back(name);
  }
  if (!names.empty()) return names;
  throw Error(Category::usage,
              fmt::format("no target matches '{}'{}", printable(given), suggestion(given, known_names())));
}

const AttributeValues& Resolver::resolve(const std::string& name) {
  if (const auto known = resolved_.find(name); known != resolved_.end()) return known->second;
  const BakeTarget* target = find_target(name);
  if (std::find(path_.begin(), path_.end(), name) != path_.end()) {
    hcl::fail(target->place,
              fmt::format("target '{}' inherits from itself: {} -> {}", name, join(path_, " -> "), name));
  }
  path_.push_back(name);
  AttributeValues values;
  for (const std::string& parent : target->inherits) {
    if (find_target(parent) == nullptr) {
      fail_unknown(parent, target->place, fmt::format("target '{}' inherits from an ", name));
    }
    merge_over(values, resolve(parent));
  }
  path_.pop_back();
  merge_over(values, target->values);
  set_.apply(name, values);
  normalise(values);
  return resolved_.emplace(name, std::move(values)).first->second;
}

// Targets whose `inherits` leads back are refused before. `without` has those that were looked at for nothing: a target
// may be inherited from by many ways.
std::optional<hcl::Place> Resolver::value_place(const BakeTarget& target, std::string_view attribute,
                                                std::set<std::string>& without) const {
  if (set_.attributes_of(target.name).contains(std::string(attribute))) return hcl::Place();
  if (const auto own = target.value_places.find(attribute); own != target.value_places.end()) return own->second;
  for (auto parent = target.inherits.rbegin(); parent != target.inherits.rend(); ++parent) {
    if (without.contains(*parent)) continue;
    if (const auto inherited = value_place(*find_target(*parent), attribute, without)) return inherited;
  }
  without.insert(target.name);
  return std::nullopt;
}

hcl::Place Resolver::place_of(const std::string& name, std::string_view attribute) const {
  const BakeTarget& target = *find_target(name);
  std::set<std::string> without;
  return value_place(target, attribute, without).value_or(target.place);
}

AttributeValues Resolver::complete(const std::string& name, ContextOf context_of) {
  AttributeValues values = resolve(name);
  const std::string& folder = find_target(name)->folder;
  const std::string context = text_or(values, "context", folder.empty() ? "." : folder);
  values.insert_or_assign("context", Value::of(context_of == ContextOf::print ? shown_context(context) : context));
  if (text_or(values, "dockerfile", "").empty()) values.insert_or_assign("dockerfile", Value::of("Dockerfile"));
  return values;
}

void Resolver::add_target(const std::string& name, Selection& into) {
  if (!into.targets.contains(name)) into.targets.emplace(name, complete(name));
}

void Resolver::add_group(const std::string& name, Selection& into, Walk& walk) {
  std::vector<std::string>& path = walk.path;
  const BakeGroup* group = find_group(name);
  // A group may have the name of a target: as a member of itself it means the target.
  const bool is_member_of_itself = walk.is_on_path(name);
  if (group == nullptr || is_member_of_itself) {
    if (find_target(name) == nullptr) {
      if (is_member_of_itself) {
        hcl::fail(group->place, fmt::format("group '{}' contains itself: {} -> {}", name, join(path, " -> "), name));
      }
      const BakeGroup* outer = path.empty() ? nullptr : find_group(path.back());
      fail_unknown(name, outer == nullptr ? hcl::Place() : outer->place,
                   outer == nullptr ? "" : fmt::format("group '{}': ", outer->name));
    }
    return add_target(name, into);
  }
  if (!walk.begin(name)) return;
  into.groups.emplace(name, *group);
  for (const std::string& member : group->targets) add_group(member, into, walk);
  walk.end();
}

void Resolver::add_links(const std::string& name, Selection& into, Walk& walk) {
  if (!walk.begin(name)) return;
  const auto contexts = into.targets.at(name).find("contexts");
  const Value::Members links = contexts == into.targets.at(name).end() ? Value::Members() : contexts->second.members();
  for (const auto& [context, value] : links) {
    if (!value.text().starts_with(kLink)) continue;
    const std::string linked = value.text().substr(kLink.size());
    const hcl::Place place = find_target(name)->place;
    if (walk.is_on_path(linked)) {
      hcl::fail(place,
                fmt::format("target '{}' is built from itself: {} -> {}", linked, join(walk.path, " -> "), linked));
    }
    if (find_target(linked) == nullptr) {
      fail_unknown(linked, place, fmt::format("target '{}': the context '{}' names an ", name, printable(context)));
    }
    if (!into.targets.contains(linked)) {
      AttributeValues values = complete(linked);
      values.insert_or_assign("output", Value::tuple({Value::map(Type::string(), {{"type", Value::of("cacheonly")}})}));
      into.targets.emplace(linked, std::move(values));
    }
    add_links(linked, into, walk);
    // What a target needs to be allowed, those that are built from it need too.
    AttributeValues entitlements;
    const auto needed = into.targets.at(linked).find("entitlements");
    if (needed != into.targets.at(linked).end()) entitlements.emplace(*needed);
    merge_over(into.targets.at(name), entitlements);
    normalise(into.targets.at(name));
  }
  walk.end();
}

bool Resolver::knows(const std::string& pattern) const {
  const std::vector<std::string> names = known_names();
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return matches_glob(pattern, name); });
}

void Resolver::check_links(const std::string& name) {
  Selection alone;
  Walk walk;
  walk.begun.swap(sound_);
  const auto keep = [&] {
    for (const std::string& open : walk.path) walk.begun.erase(open);
    walk.begun.swap(sound_);
  };
  try {
    add_target(name, alone);
    add_links(name, alone, walk);
  } catch (const Error&) {
    keep();
    throw;
  }
  keep();
}

Selection Resolver::select(const std::vector<std::string>& requested) {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const std::string& pattern : requested.empty() ? std::vector<std::string>{"default"} : requested) {
    for (std::string& name : matching(pattern)) {
      if (known.insert(name).second) names.push_back(std::move(name));
    }
  }
  Selection result;
  Walk groups;
  for (const std::string& name : names) add_group(name, result, groups);
  bool has_default = result.groups.contains("default");
  auto& members = result.groups.try_emplace("default", BakeGroup{"default", "", {}, {}}).first->second.targets;
  std::set<std::string> in_default(members.begin(), members.end());
  for (const std::string& name : names) {
    // By then it means the group.
    if (has_default && name == "default") continue;
    has_default = true;
    if (in_default.insert(name).second) members.push_back(name);
  }
  std::sort(members.begin(), members.end());
  std::vector<std::string> direct;
  for (const auto& [name, values] : result.targets) direct.push_back(name);
  Walk links;
  for (const std::string& name : direct) add_links(name, result, links);
  return result;
}

std::string print_selection(const Selection& selection) {
  Printer printer;
  printer.open('{');
  printer.key("group");
  printer.open('{');
  for (const auto& [name, group] : selection.groups) {
    printer.key(name);
    printer.open('{');
    if (!group.description.empty()) {
      printer.key("description");
      printer.value(Value::of(group.description));
    }
    printer.key("targets");
    Value::Items members;
    for (const std::string& target : group.targets) members.push_back(Value::of(target));
    printer.value(group.has_no_list && members.empty() ? Value() : Value::tuple(std::move(members)));
    printer.close('}');
  }
  printer.close('}');
  printer.key("target");
  printer.open('{');
  for (const auto& [name, values] : selection.targets) {
    printer.key(name);
    print_target(printer, values);
  }
  printer.close('}');
  printer.close('}');
  return std::move(printer.text) + "\n";
}

}  // namespace kiln::bake
