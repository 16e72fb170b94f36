#include "builder/release/compose_pin.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/compose/yaml.hpp"

namespace kiln {

namespace {

// What an event says, without where it stands.
struct Event {
  yaml_event_type_t type = YAML_NO_EVENT;
  std::string value;  // of a scalar
  std::string anchor;
  std::string tag;
  int style = 0;
  std::size_t begin = 0;  // bytes
  std::size_t end = 0;
  int line = 0;  // from 1
  bool is_one_line = true;

  bool says_the_same_as(const Event& other) const {
    return type == other.type && value == other.value && anchor == other.anchor && tag == other.tag &&
           style == other.style;
  }
};

std::string text_of(const yaml_char_t* text) { return text ? reinterpret_cast<const char*>(text) : ""; }

// The byte at which each character of a text begins, the end included. libyaml does not count a byte order mark.
std::vector<std::size_t> character_offsets(const std::string& text) {
  std::vector<std::size_t> offsets;
  for (std::size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; i < text.size(); ++i) {
    if (!is_continuation(text[i])) offsets.push_back(i);
  }
  offsets.push_back(text.size());
  return offsets;
}

void take(Event& event, const yaml_event_t& from) {
  switch (from.type) {
    case YAML_SCALAR_EVENT:
      event.value.assign(reinterpret_cast<const char*>(from.data.scalar.value), from.data.scalar.length);
      event.anchor = text_of(from.data.scalar.anchor);
      event.tag = text_of(from.data.scalar.tag);
      event.style = from.data.scalar.style;
      break;
    case YAML_ALIAS_EVENT:
      event.anchor = text_of(from.data.alias.anchor);
      break;
    case YAML_MAPPING_START_EVENT:
      event.anchor = text_of(from.data.mapping_start.anchor);
      event.tag = text_of(from.data.mapping_start.tag);
      event.style = from.data.mapping_start.style;
      break;
    case YAML_SEQUENCE_START_EVENT:
      event.anchor = text_of(from.data.sequence_start.anchor);
      event.tag = text_of(from.data.sequence_start.tag);
      event.style = from.data.sequence_start.style;
      break;
    default:
      break;
  }
}

std::vector<Event> read_events(const std::string& text, const std::string& file_name) {
  const std::vector<std::size_t> offsets = character_offsets(text);
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser)) throw Error(Category::machine, "cannot start the YAML parser: out of memory");
  const std::unique_ptr<yaml_parser_t, decltype(&yaml_parser_delete)> owned(&parser, &yaml_parser_delete);
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  const std::size_t skipped = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()) + skipped,
                               text.size() - skipped);
  std::vector<Event> events;
  while (events.empty() || events.back().type != YAML_STREAM_END_EVENT) {
    yaml_event_t raw;
    if (!yaml_parser_parse(&parser, &raw)) {
      const hcl::Source source(file_name, text);
      compose::parse_yaml_documents(source);  // says where, with the line
      throw Error(Category::usage, fmt::format("'{}' is no YAML in UTF-8", printable(file_name)));
    }
    const std::unique_ptr<yaml_event_t, decltype(&yaml_event_delete)> owned_event(&raw, &yaml_event_delete);
    Event event;
    event.type = raw.type;
    event.begin = offsets[std::min<std::size_t>(raw.start_mark.index, offsets.size() - 1)];
    event.end = offsets[std::min<std::size_t>(raw.end_mark.index, offsets.size() - 1)];
    event.line = static_cast<int>(raw.start_mark.line) + 1;
    event.is_one_line = raw.start_mark.line == raw.end_mark.line;
    take(event, raw);
    events.push_back(std::move(event));
  }
  return events;
}

// What stands at `at` is one value: the position behind it.
std::size_t behind(const std::vector<Event>& events, std::size_t at) {
  int depth = 0;
  do {
    const yaml_event_type_t type = events[at].type;
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) ++depth;
    if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) --depth;
    ++at;
  } while (depth > 0);
  return at;
}

// The members of the mapping that begins at `at`: positions of keys and values.
std::vector<std::pair<std::size_t, std::size_t>> members(const std::vector<Event>& events, std::size_t at) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  for (++at; events[at].type != YAML_MAPPING_END_EVENT;) {
    const std::size_t value = behind(events, at);
    found.emplace_back(at, value);
    at = behind(events, value);
  }
  return found;
}

struct FoundImage {
  PinnedService service;
  std::optional<std::size_t> scalar;  // where the value stands, if it is one that can be looked at
};

std::string why_not(const Event& value) {
  if (value.type == YAML_ALIAS_EVENT)
    return fmt::format("it is the alias '*{}'; pin the value where it is written", value.anchor);
  if (value.type != YAML_SCALAR_EVENT) return "it is no text";
  if (!value.anchor.empty()) return fmt::format("it carries the anchor '&{}', and may be used elsewhere", value.anchor);
  if (!value.tag.empty()) return "it carries a tag";
  if (value.style == YAML_LITERAL_SCALAR_STYLE || value.style == YAML_FOLDED_SCALAR_STYLE)
    return "it is a block scalar";
  if (!value.is_one_line) return "it runs over several lines";
  if (value.value.find('$') != std::string::npos) return "it holds a variable";
  return {};
}

FoundImage look_at_service(const std::vector<Event>& events, const std::string& name, std::size_t at) {
  FoundImage found;
  found.service.service = name;
  found.service.line = events[at].line;
  found.service.outcome = PinnedService::Outcome::unpinned;
  if (events[at].type == YAML_ALIAS_EVENT) {
    found.service.reason = fmt::format("the service is the alias '*{}'", events[at].anchor);
    return found;
  }
  if (events[at].type != YAML_MAPPING_START_EVENT) return found;
  bool is_built = false;
  for (const auto& [key, value] : members(events, at)) {
    const std::string& word = events[key].value;
    is_built = is_built || word == "build";
    if (word == "<<" && !found.scalar) found.service.reason = "an image may come by the merge key '<<'";
    if (word == "extends" && !found.scalar) found.service.reason = "an image may come by 'extends'";
    if (word != "image") continue;
    found.scalar = value;
    found.service.line = events[value].line;
    found.service.before = events[value].value;
    found.service.reason = why_not(events[value]);
  }
  if (!found.scalar && is_built) found.service.reason.clear();
  return found;
}

std::vector<FoundImage> find_images(const std::vector<Event>& events) {
  std::vector<FoundImage> images;
  for (std::size_t i = 1; i < events.size(); ++i) {
    if (events[i - 1].type != YAML_DOCUMENT_START_EVENT || events[i].type != YAML_MAPPING_START_EVENT) continue;
    for (const auto& [key, value] : members(events, i)) {
      if (events[key].value != "services" || events[value].type != YAML_MAPPING_START_EVENT) continue;
      for (const auto& [name, service] : members(events, value)) {
        FoundImage found = look_at_service(events, events[name].value, service);
        if (found.scalar || !found.service.reason.empty()) images.push_back(std::move(found));
      }
    }
  }
  return images;
}

std::string quoted_as(const std::string& value, int style) {
  if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE) return "'" + value + "'";
  if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) return "\"" + value + "\"";
  return value;
}

bool same_but_for(const std::vector<Event>& a, const std::vector<Event>& b, const std::set<std::size_t>& exempt) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!exempt.contains(i) && !a[i].says_the_same_as(b[i])) return false;
  }
  return true;
}

std::set<std::size_t> scalars_of(const std::vector<FoundImage>& images) {
  std::set<std::size_t> scalars;
  for (const FoundImage& image : images) {
    if (image.scalar) scalars.insert(*image.scalar);
  }
  return scalars;
}

}  // namespace

void decide_pin(PinnedService& service, const DigestOf& digest_of) {
  service.outcome = PinnedService::Outcome::unpinned;
  const std::string name = service.before.substr(0, service.before.find('@'));
  try {
    const auto digest = digest_of(oci::Reference::parse(name));
    service.outcome = digest ? PinnedService::Outcome::pinned : PinnedService::Outcome::unknown;
    if (digest) service.after = name + "@" + digest->str();
  } catch (const Error& error) {
    if (error.category() != Category::usage) throw;
    service.reason = error.message();
  }
}

ComposePin pin_compose(const std::string& text, const std::string& file_name, const DigestOf& digest_of) {
  const std::vector<Event> events = read_events(text, file_name);
  std::vector<FoundImage> images = find_images(events);
  if (images.empty()) throw Error(Category::usage, fmt::format("'{}' has no service with an image", file_name));
  for (FoundImage& image : images) {
    if (image.service.reason.empty()) decide_pin(image.service, digest_of);
  }
  ComposePin pin{text, {}};
  std::set<std::size_t> replaced;
  for (auto image = images.rbegin(); image != images.rend(); ++image) {
    if (image->service.outcome != PinnedService::Outcome::pinned) continue;
    const Event& scalar = events[*image->scalar];
    pin.text.replace(scalar.begin, scalar.end - scalar.begin, quoted_as(image->service.after, scalar.style));
    replaced.insert(*image->scalar);
  }
  const std::vector<Event> after = read_events(pin.text, file_name);
  bool is_right = same_but_for(events, after, replaced);
  for (const FoundImage& image : images) {
    if (!is_right || !replaced.contains(image.scalar.value_or(0))) continue;
    const Event& scalar = after[*image.scalar];
    is_right = scalar.type == YAML_SCALAR_EVENT && scalar.value == image.service.after &&
               scalar.style == events[*image.scalar].style;
  }
  if (!is_right)
    throw Error(Category::build,
                fmt::format("'{}' would not be the same file but for its images; it was left as it is", file_name));
  for (FoundImage& image : images) pin.services.push_back(std::move(image.service));
  return pin;
}

bool differ_in_pins_alone(const std::string& a, const std::string& b, const std::string& file_name) {
  // Comments and layout are in no event: the bytes around the images are compared too.
  struct Parts {
    std::vector<std::string> names;
    std::string around;
  };
  const auto parts_of = [&](const std::string& text) {
    const std::vector<Event> events = read_events(text, file_name);
    Parts parts;
    std::size_t at = 0;
    for (const std::size_t scalar : scalars_of(find_images(events))) {
      const Event& image = events[scalar];
      parts.names.push_back(image.value.substr(0, image.value.find('@')));
      parts.around.append(text, at, image.begin - at).push_back('\0');
      at = image.end;
    }
    parts.around.append(text, at);
    return parts;
  };
  const Parts left = parts_of(a);
  const Parts right = parts_of(b);
  return left.names == right.names && left.around == right.around;
}

}  // namespace kiln
