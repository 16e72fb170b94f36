#include "builder/definitions/compose/yaml.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/hcl/number.hpp"

namespace kiln::compose {

namespace {

constexpr int kMaxYamlDepth = 100;
constexpr std::size_t kMaxNodes = 1'000'000;

// The bytes at which the characters of a text begin, by their numbers, which libyaml counts without a byte order mark.
// What is asked for is mostly near what was asked for before.
class CharacterOffsets {
 public:
  explicit CharacterOffsets(std::string_view text) : text_(text) {
    static constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.starts_with(kByteOrderMark)) begin_ = at_ = kByteOrderMark.size();
  }

  std::size_t of(std::size_t number) {
    for (; number_ < number && at_ < text_.size(); ++number_) {
      do ++at_;
      while (at_ < text_.size() && is_continuation(text_[at_]));
    }
    for (; number_ > number && at_ > begin_; --number_) {
      do --at_;
      while (at_ > begin_ && is_continuation(text_[at_]));
    }
    return at_;
  }

 private:
  std::string_view text_;
  std::size_t begin_ = 0;
  std::size_t at_ = 0;
  std::size_t number_ = 0;
};

class Reader {
 public:
  explicit Reader(const hcl::Source& source) : source_(source), offsets_(source.text()) {
    if (yaml_parser_initialize(&parser_) == 0) throw Error(Category::machine, "no memory for a YAML parser");
    const std::string& text = source.text();
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::vector<Node> read() {
    std::vector<Node> documents;
    next();  // the stream
    for (next(); event_.type != YAML_STREAM_END_EVENT; next()) {
      const hcl::Place document_place = place();
      anchors_.clear();
      next();  // the document
      documents.push_back(node(0));
      if (documents.back().is_null()) documents.back().place = document_place;
      next();  // its end
    }
    return documents;
  }

 private:
  void next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) != 0) return;
    // Of what is no text at all only the byte is known.
    const hcl::Place problem =
        parser_.error == YAML_READER_ERROR
            ? place_of_byte(parser_.problem_offset)
            : place_of_character(std::max(parser_.problem_mark.index, parser_.context_mark.index));
    hcl::fail(problem, parser_.problem == nullptr ? "this is no YAML" : parser_.problem);
  }

  hcl::Place place_of_byte(std::size_t offset) const {
    return {&source_, static_cast<std::uint32_t>(std::min(offset, source_.text().size()))};
  }
  hcl::Place place_of_character(std::size_t number) { return place_of_byte(offsets_.of(number)); }
  // Where the current event begins.
  hcl::Place place() { return place_of_character(event_.start_mark.index); }

  void remember(const yaml_char_t* anchor, const Node& value) {
    if (anchor != nullptr) anchors_[reinterpret_cast<const char*>(anchor)] = value;
  }

  // The node that the current event begins; its last event is the current one then.
  Node node(int depth) {
    if (depth > kMaxYamlDepth) hcl::fail(place(), fmt::format("nested deeper than {}", kMaxYamlDepth));
    count(1);
    Node result;
    result.place = place();
    switch (event_.type) {
      case YAML_ALIAS_EVENT: {
        const std::string name = reinterpret_cast<const char*>(event_.data.alias.anchor);
        const auto found = anchors_.find(name);
        if (found == anchors_.end()) refuse_unknown_anchor(name);
        count(size_of(found->second));
        return found->second;
      }
      case YAML_SCALAR_EVENT:
        read_scalar(result);
        return result;
      case YAML_SEQUENCE_START_EVENT:
        return sequence(std::move(result), depth);
      case YAML_MAPPING_START_EVENT:
        return mapping(std::move(result), depth);
      default:
        hcl::fail(place(), "this is no YAML that can be read");
    }
  }

  [[noreturn]] void refuse_unknown_anchor(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& [anchor, ignored] : anchors_) known.push_back(anchor);
    hcl::fail(place(), fmt::format("unknown anchor '{}'{}", printable(name), suggestion(name, known)));
  }

  static std::string own_tag(const yaml_char_t* tag) {
    const std::string text = tag == nullptr ? "" : reinterpret_cast<const char*>(tag);
    return text == "!reset" || text == "!override" ? text : "";
  }

  void read_scalar(Node& into) {
    const auto& scalar = event_.data.scalar;
    into.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    into.is_plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.tag == nullptr;
    into.tag = own_tag(scalar.tag);
    static constexpr std::string_view kNulls[] = {"", "~", "null", "Null", "NULL"};
    const bool is_null =
        into.is_plain && std::find(std::begin(kNulls), std::end(kNulls), into.text) != std::end(kNulls);
    into.kind = is_null ? Node::Kind::null : Node::Kind::scalar;
    remember(scalar.anchor, into);
  }

  Node sequence(Node result, int depth) {
    const auto anchor = anchor_of(event_.data.sequence_start.anchor);
    result.kind = Node::Kind::sequence;
    result.tag = own_tag(event_.data.sequence_start.tag);
    for (next(); event_.type != YAML_SEQUENCE_END_EVENT; next()) result.items.push_back(node(depth + 1));
    if (!anchor.empty()) anchors_[anchor] = result;
    return result;
  }

  Node mapping(Node result, int depth) {
    const auto anchor = anchor_of(event_.data.mapping_start.anchor);
    result.kind = Node::Kind::mapping;
    result.tag = own_tag(event_.data.mapping_start.tag);
    std::vector<Node> merged;
    for (next(); event_.type != YAML_MAPPING_END_EVENT; next()) {
      if (event_.type != YAML_SCALAR_EVENT && event_.type != YAML_ALIAS_EVENT) hcl::fail(place(), "a key is a text");
      const hcl::Place key_place = place();
      const Node key = node(depth + 1);
      next();
      Node value = node(depth + 1);
      if (key.text == "<<" && key.is_plain) {
        std::vector<Node> bases;
        if (value.is_sequence()) {
          bases = std::move(value.items);
        } else {
          bases.push_back(std::move(value));
        }
        for (Node& base : bases) {
          if (!base.is_mapping()) hcl::fail(key_place, "'<<' needs a mapping, or a list of mappings");
          merged.push_back(std::move(base));
        }
        continue;
      }
      if (result.find(key.text) != nullptr)
        hcl::fail(key_place, fmt::format("the key '{}' is there twice", printable(key.text)));
      value.key_place = key_place;
      result.members.push_back({key.text, std::move(value)});
    }
    for (const Node& base : merged) {
      for (const auto& [key, value] : base.members) {
        if (result.find(key) == nullptr) result.members.push_back({key, value});
      }
    }
    if (!anchor.empty()) anchors_[anchor] = result;
    return result;
  }

  static std::string anchor_of(const yaml_char_t* anchor) {
    return anchor == nullptr ? "" : reinterpret_cast<const char*>(anchor);
  }

  static std::size_t size_of(const Node& node) {
    std::size_t result = 1;
    for (const Node& item : node.items) result += size_of(item);
    for (const auto& [key, member] : node.members) result += size_of(member);
    return result;
  }

  void count(std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kMaxNodes) hcl::fail(place(), fmt::format("more than {} nodes", kMaxNodes));
  }

  const hcl::Source& source_;
  CharacterOffsets offsets_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  std::map<std::string, Node> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

Members::Members() = default;
Members::Members(const Members& other) : list_(other.list_) {}
Members::Members(Members&& other) noexcept = default;
Members& Members::operator=(const Members& other) {
  if (this != &other) *this = Members(other);
  return *this;
}
Members& Members::operator=(Members&& other) noexcept = default;
Members::~Members() = default;

std::vector<Member>::iterator Members::begin() noexcept { return list_.begin(); }
std::vector<Member>::iterator Members::end() noexcept { return list_.end(); }
std::vector<Member>::const_iterator Members::begin() const noexcept { return list_.begin(); }
std::vector<Member>::const_iterator Members::end() const noexcept { return list_.end(); }
std::size_t Members::size() const noexcept { return list_.size(); }

const Node* Members::find(std::string_view key) const {
  constexpr std::size_t kFew = 16;
  if (list_.size() <= kFew) {
    const auto found = std::find_if(begin(), end(), [&](const Member& member) { return member.key == key; });
    return found == end() ? nullptr : &found->value;
  }
  if (places_.empty()) {
    for (std::size_t i = 0; i < list_.size(); ++i) places_.emplace(list_[i].key, i);
  }
  const auto found = places_.find(std::string(key));
  return found == places_.end() ? nullptr : &list_[found->second].value;
}

void Members::push_back(Member member) {
  if (!places_.empty()) places_.emplace(member.key, list_.size());
  list_.push_back(std::move(member));
}

void Members::erase_if(const std::function<bool(const Member&)>& is_unwanted) {
  if (std::erase_if(list_, is_unwanted) > 0) places_.clear();
}

bool operator==(const Members& a, const Members& b) { return a.list_ == b.list_; }

const Node* Node::find(std::string_view key) const { return members.find(key); }

Node* Node::find(std::string_view key) { return const_cast<Node*>(std::as_const(*this).find(key)); }

void Node::set(std::string_view key, Node value) {
  if (Node* known = find(key)) {
    *known = std::move(value);
  } else {
    members.push_back({std::string(key), std::move(value)});
  }
}

void Node::erase(std::string_view key) {
  members.erase_if([&](const Member& member) { return member.key == key; });
}

bool operator==(const Node& a, const Node& b) {
  return a.kind == b.kind && a.text == b.text && a.items == b.items && a.members == b.members;
}

Node Node::scalar(std::string text, hcl::Place place) {
  Node node;
  node.kind = Kind::scalar;
  node.text = std::move(text);
  node.place = place;
  return node;
}

std::vector<Node> parse_yaml_documents(const hcl::Source& source) { return Reader(source).read(); }

Node parse_yaml(const hcl::Source& source) {
  std::vector<Node> documents = parse_yaml_documents(source);
  return documents.empty() ? Node() : std::move(documents.front());
}

bool is_true(const Node& node) {
  const std::string word = to_lower(node.text);
  return node.is_scalar() &&
         (word == "true" || word == "yes" || word == "on" || word == "y" || word == "1" || word == "t");
}

std::string text_of_scalar(const Node& node) {
  if (!node.is_plain) return node.text;
  static constexpr std::string_view kBools[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
  if (std::find(std::begin(kBools), std::end(kBools), node.text) != std::end(kBools)) return to_lower(node.text);
  std::string digits;
  for (const char c : node.text) {
    if (c != '_') digits += c;
  }
  const bool is_signed = digits.starts_with('-') || digits.starts_with('+');
  const std::string_view bare = std::string_view(digits).substr(is_signed ? 1 : 0);
  if (bare.empty() || bare.find_first_not_of("0123456789abcdefABCDEFoxXO.+-") != std::string_view::npos)
    return node.text;
  for (const auto& [prefix, base] : {std::pair{"0x", 16}, {"0o", 8}, {"0b", 2}}) {
    if (!bare.starts_with(prefix)) continue;
    const auto number = hcl::Number::parse_digits(bare.substr(2), base);
    return number ? (digits.starts_with('-') ? "-" : "") + number->text() : node.text;
  }
  const bool is_octal =
      bare.size() > 1 && bare[0] == '0' && bare.find_first_not_of("01234567") == std::string_view::npos;
  if (is_octal) {
    const auto number = hcl::Number::parse_digits(bare, 8);
    return (digits.starts_with('-') ? "-" : "") + number->text();
  }
  const auto number = hcl::Number::parse(digits);
  return number ? number->text() : node.text;
}

}  // namespace kiln::compose
