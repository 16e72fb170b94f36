#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/definitions/bake/module.hpp"

namespace kiln::bake {

// The words of --set for targets: TARGET.KEY[.NAME][+]=VALUE, where TARGET is a name or a glob. As in buildx they apply
// to a target before others inherit from it. Several values of one list are all kept; an empty one clears it.
class SetWords {
 public:
  // Error{usage} for a wrong shape, an unknown key (with the nearest), and a pattern that matches no target. An
  // `args.NAME` without a value takes the environment's, and says nothing where there is none.
  SetWords(const std::vector<std::string>& words, const BakeConfig& config, const ValueLookup& environment);

  void apply(const std::string& target, AttributeValues& values) const;

 private:
  struct Word {
    std::string text;  // as it was given
    std::string key;   // the table's spelling: "tag", "arg", ...
    std::string name;  // of args, labels, contexts, extra-hosts, resources, secrets
    std::string value;
    bool appends = false;
  };

  static Word parse(const std::string& text, std::string& pattern);
  static void apply_list(const Attribute& attribute, const std::vector<const Word*>& words, AttributeValues& values);
  static void apply_word(const Word& word, AttributeValues& values);

  std::map<std::string, std::vector<Word>> words_of_target_;
};

}  // namespace kiln::bake
