#include "builder/definitions/bake/set_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/select.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;
using Form = Attribute::Form;

// The attribute that a key of --set means, in the singular and in the plural where both are said.
const Attribute* attribute_of_key(std::string_view key) {
  for (const Attribute& attribute : attributes()) {
    if (!attribute.cannot_be_set && (key == attribute.name || key == attribute.set_name)) return &attribute;
  }
  return nullptr;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys = {"load", "push"};
  for (const Attribute& attribute : attributes()) {
    if (!attribute.cannot_be_set) keys.emplace_back(attribute.name);
  }
  return keys;
}

bool is_output_word(std::string_view key) { return key == "push" || key == "load"; }

bool parse_bool(const std::string& text, const std::string& value) {
  if (const auto flag = flag_of_text(value)) return *flag;
  throw Error(Category::usage,
              fmt::format("--set '{}': expected true or false, got '{}'", printable(text), printable(value)));
}

bool is_list(Form form) { return form == Form::texts || form == Form::entries; }

std::string type_of(const Value& entry) { return entry.members().at("type").text(); }

Value with_member(const Value& entry, const std::string& key, const std::string& text) {
  Value::Members members = entry.members();
  members[key] = Value::of(text);
  return Value::map(Type::string(), std::move(members));
}

bool has_destination(const Value& entry) { return entry.members().contains("dest"); }

// push=true makes the outputs push: an image that is one already, or a new one where there is none but docker's.
void set_push(Value::Items& outputs, bool is_wanted) {
  if (!is_wanted) std::erase_if(outputs, [](const Value& entry) { return type_of(entry) == "registry"; });
  bool needs_output = is_wanted;
  for (Value& entry : outputs) {
    if (type_of(entry) != "docker") needs_output = false;
    if (type_of(entry) == "image") entry = with_member(entry, "push", is_wanted ? "true" : "false");
  }
  if (needs_output) {
    outputs.push_back(Value::map(Type::string(), {{"type", Value::of("image")}, {"push", Value::of("true")}}));
  }
}

void set_load(Value::Items& outputs, bool is_wanted) {
  if (!is_wanted) return;
  for (const Value& entry : outputs) {
    const std::string type = type_of(entry);
    if (type == "docker" && !has_destination(entry)) return;
    if (type != "docker" && type != "image" && type != "registry" && type != "oci") return;
  }
  outputs.push_back(Value::map(Type::string(), {{"type", Value::of("docker")}}));
}

}  // namespace

bool SetWords::Word::is_of_list() const {
  const Attribute* attribute = find_attribute(key);
  return attribute != nullptr && is_list(attribute->form) && name.empty();
}

SetWords::Word SetWords::parse(const std::string& text, std::string& pattern) {
  const std::size_t equals = text.find('=');
  std::string_view path = std::string_view(text).substr(0, equals);
  Word word;
  word.text = text;
  if (path.ends_with('+')) {
    word.appends = true;
    path.remove_suffix(1);
  }
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == path.size()) {
    throw Error(Category::usage, fmt::format("--set '{}': expected TARGET.KEY=VALUE", printable(text)));
  }
  pattern = path.substr(0, dot);
  const std::string_view rest = path.substr(dot + 1);
  const std::size_t second = rest.find('.');
  word.key = rest.substr(0, second);
  if (second != std::string_view::npos) word.name = rest.substr(second + 1);
  if (equals != std::string::npos) word.value = text.substr(equals + 1);

  const Attribute* attribute = attribute_of_key(word.key);
  if (attribute == nullptr && !is_output_word(word.key)) {
    throw Error(Category::usage, fmt::format("--set '{}': unknown key '{}'{}", printable(text), printable(word.key),
                                             suggestion(word.key, known_keys())));
  }
  const bool takes_name =
      attribute != nullptr && (attribute->form == Form::pairs || attribute->form == Form::resources);
  const bool may_take_name = takes_name || (attribute != nullptr && attribute->name == "secret");
  if (takes_name && word.name.empty()) {
    throw Error(Category::usage,
                fmt::format("--set '{}': expected {}.{}.NAME=VALUE", printable(text), printable(pattern), word.key));
  }
  if (!may_take_name && !word.name.empty()) {
    throw Error(Category::usage, fmt::format("--set '{}': '{}' takes no name; expected {}.{}=VALUE", printable(text),
                                             word.key, printable(pattern), word.key));
  }
  const bool is_of_secret = !takes_name && !word.name.empty();
  if (word.appends && (is_of_secret || (attribute != nullptr && attribute->form == Form::resources))) {
    throw Error(Category::usage, fmt::format("--set '{}': {}.NAME takes no '+='; say {}.{}.{}=VALUE", printable(text),
                                             word.key, printable(pattern), word.key, printable(word.name)));
  }
  if (attribute != nullptr) word.key = attribute->name;
  if (equals == std::string::npos && word.key != "args") {
    throw Error(Category::usage,
                fmt::format("--set '{}' has no value; expected {}=VALUE", printable(text), printable(path)));
  }
  return word;
}

SetWords::SetWords(const std::vector<std::string>& words, const TargetNames& names, const ValueLookup& environment) {
  for (const std::string& text : words) {
    std::string pattern;
    Word word = parse(text, pattern);
    std::set<std::string> targets;
    for (auto [at, end] = names.equal_range(pattern); at != end; ++at) targets.insert(at->second);
    if (targets.empty()) {
      for (const auto& [name, target] : names) {
        if (matches_glob(pattern, name)) targets.insert(target);
      }
    }
    if (word.appends && !word.is_of_list()) {
      warnings_.push_back(fmt::format("--set '{}': '{}' is no list, so '+=' counts as '='", printable(text), word.key));
    }
    if (targets.empty()) {
      std::vector<std::string> known;
      for (const auto& [name, target] : names) known.push_back(name);
      throw Error(Category::usage, fmt::format("--set '{}': no target matches '{}'{}", printable(text),
                                               printable(pattern), suggestion(pattern, known)));
    }
    if (text.find('=') == std::string::npos) {
      const auto value = environment(word.name);
      if (!value) continue;
      word.value = *value;
    }
    for (const std::string& target : targets) words_of_target_[target].push_back(word);
  }
}

void SetWords::apply(const std::string& target, AttributeValues& values) const {
  const auto found = words_of_target_.find(target);
  if (found == words_of_target_.end()) return;
  std::map<std::string, std::vector<const Word*>> lists;
  for (const Word& word : found->second) {
    if (word.is_of_list()) lists[word.key].push_back(&word);
  }
  for (const auto& [key, words] : lists) apply_list(*find_attribute(key), words, values);
  for (const Word& word : found->second) {
    if (!lists.contains(word.key) || !word.name.empty()) apply_word(word, values);
  }
}

void SetWords::apply_list(const Attribute& attribute, const std::vector<const Word*>& words, AttributeValues& values) {
  Value::Items items;
  bool clears = false;
  for (const Word* word : words) {
    try {
      if (!word->appends && word->value.empty()) {
        clears = true;
        items.clear();
      } else if (attribute.form == Form::texts) {
        items.push_back(Value::of(word->value));
      } else {
        for (Value& entry : entries_of_text(attribute.entry, word->value)) items.push_back(std::move(entry));
      }
    } catch (const hcl::ValueError& error) {
      throw Error(Category::usage, fmt::format("--set '{}': {}", printable(word->text), error.what()));
    }
  }
  const bool appends = !clears && (attribute.is_only_added_to || words.back()->appends);
  const auto below = values.find(attribute.name);
  if (appends && below != values.end()) {
    items.insert(items.begin(), below->second.items().begin(), below->second.items().end());
  }
  if (attribute.form == Form::entries) remove_repeats(attribute.entry, items);
  values.insert_or_assign(std::string(attribute.name), attribute.form == Form::texts
                                                           ? Value::list(Type::string(), std::move(items))
                                                           : Value::tuple(std::move(items)));
}

void SetWords::apply_word(const Word& word, AttributeValues& values) {
  if (is_output_word(word.key)) {
    Value::Items outputs;
    if (const auto known = values.find("output"); known != values.end()) outputs = known->second.items();
    const bool is_wanted = parse_bool(word.text, word.value);
    word.key == "push" ? set_push(outputs, is_wanted) : set_load(outputs, is_wanted);
    values.insert_or_assign("output", Value::tuple(std::move(outputs)));
    return;
  }
  const Attribute& attribute = *find_attribute(word.key);
  try {
    if (attribute.form == Form::text) {
      values.insert_or_assign(word.key, Value::of(word.value));
    } else if (attribute.form == Form::flag) {
      values.insert_or_assign(word.key, Value::of(parse_bool(word.text, word.value)));
    } else if (attribute.form == Form::pairs || attribute.form == Form::resources) {
      AttributeValues one;
      const Value pair = Value::object({{word.name, Value::of(word.value)}});
      one.emplace(word.key, *read_attribute(attribute, pair));
      merge_over(values, one);
    } else {
      // secret.ID=...: another source for a secret that the target has.
      const auto known = values.find(word.key);
      Value::Items secrets = known == values.end() ? Value::Items() : known->second.items();
      const auto secret = std::find_if(secrets.begin(), secrets.end(), [&](const Value& entry) {
        const auto id = entry.members().find("id");
        return id != entry.members().end() && id->second.text() == word.name;
      });
      if (secret == secrets.end()) {
        throw Error(Category::usage, fmt::format("--set '{}': the target has no secret '{}'", printable(word.text),
                                                 printable(word.name)));
      }
      *secret = with_member(entries_of_text(EntryKind::secret, word.value).front(), "id", word.name);
      values.insert_or_assign(word.key, Value::tuple(std::move(secrets)));
    }
  } catch (const hcl::ValueError& error) {
    throw Error(Category::usage, fmt::format("--set '{}': {}", printable(word.text), error.what()));
  }
}

std::set<std::string> SetWords::attributes_of(const std::string& target) const {
  std::set<std::string> result;
  const auto found = words_of_target_.find(target);
  if (found == words_of_target_.end()) return result;
  for (const Word& word : found->second) result.insert(is_output_word(word.key) ? "output" : word.key);
  return result;
}

bool SetWords::replaces(const std::string& target, const std::string& list) const {
  const auto found = words_of_target_.find(target);
  if (found == words_of_target_.end()) return false;
  const auto last =
      std::find_if(found->second.rbegin(), found->second.rend(), [&](const Word& word) { return word.key == list; });
  return last != found->second.rend() && !last->appends;
}

void set_in_targets(const SetWords& words, std::vector<TargetSpec>& targets, const fs::path& working_directory) {
  for (TargetSpec& target : targets) {
    const std::set<std::string> said = words.attributes_of(target.name);
    if (said.empty()) continue;
    // A list may be added to; of maps the keys that are not said stay what they are.
    AttributeValues values = values_of(target, working_directory);
    std::erase_if(values, [&](const auto& value) {
      return !said.contains(value.first) || !is_list(find_attribute(value.first)->form);
    });
    words.apply(target.name, values);
    normalise(values);
    for (const std::string& name : said) {
      if (find_attribute(name)->form == Form::entries) values.try_emplace(name, Value::tuple({}));
    }
    if (words.replaces(target.name, "tags")) target.tag_templates.clear();
    apply_values(values, target, {working_directory, working_directory});
  }
}

}  // namespace kiln::bake
