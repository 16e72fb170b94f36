#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "builder/definitions/hcl/source.hpp"

namespace kiln::compose {

struct Member;
struct Node;

// A mapping's members in the text's order, each key once. A file may have tens of thousands of services, so where there
// are many they are found by an index, which is made when it is first asked for. One thread.
class Members {
 public:
  Members();
  Members(const Members& other);
  Members(Members&& other) noexcept;
  Members& operator=(const Members& other);
  Members& operator=(Members&& other) noexcept;
  ~Members();

  std::vector<Member>::iterator begin() noexcept;
  std::vector<Member>::iterator end() noexcept;
  std::vector<Member>::const_iterator begin() const noexcept;
  std::vector<Member>::const_iterator end() const noexcept;
  std::size_t size() const noexcept;
  bool empty() const noexcept { return size() == 0; }

  const Node* find(std::string_view key) const;
  // The caller knows that the key is not there yet.
  void push_back(Member member);
  void erase_if(const std::function<bool(const Member&)>& is_unwanted);

  friend bool operator==(const Members& a, const Members& b);

 private:
  std::vector<Member> list_;
  mutable std::unordered_map<std::string, std::size_t> places_;  // in the list; of all of it or of none
};

// A node of a YAML text, with anchors followed and merge keys (`<<`) merged. What a plain scalar is (a number, a bool,
// null) is told by its text alone, as Compose needs texts nearly everywhere. Its places point into the source that it
// was parsed from.
struct Node {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  std::string text;           // scalar
  bool is_plain = false;      // without quotes: a number or a bool may be meant
  std::string tag;            // "!reset", "!override"; empty: none of these
  std::vector<Node> items;    // sequence
  Members members;            // mapping
  hcl::Place place = {};      // where it begins; what an alias or `<<` brings begins at its anchor
  hcl::Place key_place = {};  // of a mapping's member: where its key begins

  bool is_null() const { return kind == Kind::null; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_mapping() const { return kind == Kind::mapping; }
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  void set(std::string_view key, Node value);
  void erase(std::string_view key);

  friend bool operator==(const Node& a, const Node& b);

  static Node scalar(std::string text, hcl::Place place = {});
};

struct Member {
  std::string key;
  Node value;

  friend bool operator==(const Member&, const Member&) = default;
};

// The documents of a source, which has to live as long; one that says nothing is null. Error{usage} with the place for
// what is no YAML, nests deeper than 100, or becomes more than a million nodes by its aliases.
std::vector<Node> parse_yaml_documents(const hcl::Source& source);
// The first of them; null where there is none.
Node parse_yaml(const hcl::Source& source);

// "true", "yes", "on" and so on of a plain scalar.
bool is_true(const Node& node);
// A scalar as Compose makes a text of it: 1.50 is "1.5", 0x10 is "16".
std::string text_of_scalar(const Node& node);

}  // namespace kiln::compose
