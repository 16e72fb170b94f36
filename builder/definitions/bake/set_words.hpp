#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/definitions/bake/attribute_values.hpp"

namespace kiln::bake {

using ValueLookup = std::function<std::optional<std::string>(const std::string&)>;

// What a pattern of --set may name, and the target that is meant. An image definition's targets have two names each:
// their own, and the image's.
using TargetNames = std::multimap<std::string, std::string>;

// The words of --set for targets: TARGET.KEY[.NAME][+]=VALUE, where TARGET is a name or a glob. As in buildx they apply
// to a target before others inherit from it. Several values of one list are all kept; an empty one clears it. On
// what is no list `+=` counts as `=`.
class SetWords {
 public:
  SetWords() = default;
  // Error{usage} for a wrong shape, an unknown key (with the nearest), and a pattern that matches no target. An
  // `args.NAME` without a value takes the environment's, and says nothing where there is none.
  SetWords(const std::vector<std::string>& words, const TargetNames& names, const ValueLookup& environment);

  // What of the words is taken otherwise than it reads.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  void apply(const std::string& target, AttributeValues& values) const;
  // What of a target the words are about, and whether they take the place of a list that is there.
  std::set<std::string> attributes_of(const std::string& target) const;
  bool replaces(const std::string& target, const std::string& list) const;

 private:
  struct Word {
    std::string text;  // as it was given
    std::string key;   // the attribute's name; "push" and "load" are about the output
    std::string name;  // of args, labels, contexts, extra-hosts, resources, secrets
    std::string value;
    bool appends = false;

    bool is_of_list() const;
  };

  static Word parse(const std::string& text, std::string& pattern);
  static void apply_list(const Attribute& attribute, const std::vector<const Word*>& words, AttributeValues& values);
  static void apply_word(const Word& word, AttributeValues& values);

  std::map<std::string, std::vector<Word>> words_of_target_;
  std::vector<std::string> warnings_;
};

// Says in targets that are complete already what the words say. New `tags` take the place of templates.
void set_in_targets(const SetWords& words, std::vector<TargetSpec>& targets, const fs::path& working_directory);

}  // namespace kiln::bake
