#include "builder/definitions/compose/yaml.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/number.hpp"

namespace kiln::compose {

namespace {

constexpr int kMaxYamlDepth = 100;
constexpr std::size_t kMaxNodes = 1'000'000;

class Reader {
 public:
  Reader(const std::string& name, std::string_view text) : name_(name) {
    if (yaml_parser_initialize(&parser_) == 0) throw Error(Category::machine, "no memory for a YAML parser");
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
      const int document_line = static_cast<int>(line()) + 1;
      anchors_.clear();
      next();  // the document
      documents.push_back(node(0));
      if (documents.back().is_null()) documents.back().line = document_line;
      next();  // its end
    }
    return documents;
  }

 private:
  [[noreturn]] void fail(std::size_t line, std::string_view message) const {
    throw Error(Category::usage, fmt::format("{}:{}: {}", printable(name_), line + 1, message));
  }

  void next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) != 0) return;
    const std::size_t line = std::max(parser_.problem_mark.line, parser_.context_mark.line);
    fail(line, parser_.problem == nullptr ? "this is no YAML" : parser_.problem);
  }

  std::size_t line() const { return event_.start_mark.line; }

  void remember(const yaml_char_t* anchor, const Node& value) {
    if (anchor != nullptr) anchors_[reinterpret_cast<const char*>(anchor)] = value;
  }

  // The node that the current event begins; its last event is the current one then.
  Node node(int depth) {
    if (depth > kMaxYamlDepth) fail(line(), fmt::format("nested deeper than {}", kMaxYamlDepth));
    count(1);
    Node result;
    result.line = static_cast<int>(line()) + 1;
    switch (event_.type) {
      case YAML_ALIAS_EVENT: {
        const auto found = anchors_.find(reinterpret_cast<const char*>(event_.data.alias.anchor));
        if (found == anchors_.end()) fail(line(), "an alias of no anchor");
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
        fail(line(), "this is no YAML that can be read");
    }
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
      if (event_.type != YAML_SCALAR_EVENT && event_.type != YAML_ALIAS_EVENT) fail(line(), "a key is a text");
      const std::size_t key_line = line();
      const Node key = node(depth + 1);
      next();
      Node value = node(depth + 1);
      if (key.text == "<<" && key.is_plain) {
        if (value.is_sequence()) {
          merged.insert(merged.end(), value.items.begin(), value.items.end());
        } else {
          merged.push_back(std::move(value));
        }
        continue;
      }
      if (result.find(key.text) != nullptr)
        fail(key_line, fmt::format("the key '{}' is there twice", printable(key.text)));
      result.members.push_back({key.text, std::move(value)});
    }
    for (const Node& base : merged) {
      if (!base.is_mapping()) fail(static_cast<std::size_t>(result.line - 1), "'<<' needs a mapping");
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
    if (nodes_ > kMaxNodes) fail(line(), fmt::format("more than {} nodes", kMaxNodes));
  }

  std::string name_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  std::map<std::string, Node> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

const Node* Node::find(std::string_view key) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

Node* Node::find(std::string_view key) { return const_cast<Node*>(std::as_const(*this).find(key)); }

void Node::set(std::string_view key, Node value) {
  if (Node* known = find(key)) {
    *known = std::move(value);
  } else {
    members.push_back({std::string(key), std::move(value)});
  }
}

void Node::erase(std::string_view key) {
  std::erase_if(members, [&](const auto& member) { return member.key == key; });
}

bool operator==(const Node& a, const Node& b) {
  return a.kind == b.kind && a.text == b.text && a.items == b.items && a.members == b.members;
}

Node Node::scalar(std::string text) {
  Node node;
  node.kind = Kind::scalar;
  node.text = std::move(text);
  return node;
}

std::vector<Node> parse_yaml_documents(const std::string& name, std::string_view text) {
  return Reader(name, text).read();
}

Node parse_yaml(const std::string& name, std::string_view text) {
  std::vector<Node> documents = parse_yaml_documents(name, text);
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
