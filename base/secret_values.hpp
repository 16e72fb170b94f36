#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kiln {

// Whether a name is one that secrets have: TOKEN, PASSWORD, PASSWD, SECRET, CREDENTIAL, PRIVATE, AUTH (not that of
// AUTHOR), SIGNATURE, COOKIE, APIKEY or _KEY in it, in any case.
bool looks_like_secret(std::string_view name);

// The values of build args whose names look like a secret's, and what a Dockerfile makes of them, which no message and
// no record repeats: a path, an owner or a URL that was made of one would show it.
//
// What is told while a build goes on loses them in the Recorder, what is thrown in guard(), and what a step is recorded
// by in masked_inputs().
//
// A handle: its copies know the same values, and what one is told all know. From any thread.
class SecretValues {
 public:
  SecretValues();

  // Those of `args` (by name) whose names look like a secret's.
  void add(const std::map<std::string, std::string, std::less<>>& args) const;
  // `after` was made of `before` by a variable's modifier, as by ${NAME#a}: where a secret stands in `before`, it is
  // one too. Below four bytes it is not: it would be found in any text. Error{usage} for more than can be watched for.
  void add_made_of(std::string_view before, const std::string& after) const;
  // A text that hides nothing, as a Dockerfile and the names of images: a part of a value that is a word of it counts
  // as none.
  void add_public(std::string_view text) const;
  // What messages may repeat of a word that `value` stands in: where a secret stands in it, the parts that delimiters
  // of paths, owners, ports, references and URLs cut from that, four bytes and longer, and what is left of it as a path
  // without doubled slashes and dot segments.
  void add_parts_of(std::string_view value) const;

  // With "***" in the place of each, letters of either case. A value of few characters counts where it is a whole word
  // alone, and "true" and its like never do: they would be found in any text.
  std::string masked(std::string_view text) const;
  // The same error where there is nothing to mask.
  Error masked(const Error& error) const;

  // Runs `body`; an Error that leaves it is masked.
  template <class Body>
  decltype(auto) guard(Body&& body) const {
    try {
      return body();
    } catch (const Error& error) {
      const Error shown = masked(error);
      if (shown.message() == error.message() && shown.detail() == error.detail()) throw;
      throw shown;
    }
  }

 private:
  class Known;
  std::shared_ptr<Known> known_;
};

}  // namespace kiln
