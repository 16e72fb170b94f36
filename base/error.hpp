#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kiln {

// What kind of thing went wrong. The command line maps each to one exit code, and nothing else does.
enum class Category {
  build,      // 1: a missing COPY source, a RUN that failed, a lint error, a gate
  usage,      // 2: flags, reference syntax, definitions, Dockerfile syntax, unknown names
  network,    // 3: a registry or URL unreachable or refusing, a wrong digest received
  machine,    // 4: disk, runtime, permission, store
  cancelled,  // 130/143: the user asked to stop
};

// The one exception type of kiln.
//
// The message is lower case, has no full stop, quotes its subject, says expected and actual and then what to
// do. Each layer that lets an Error pass may add one clause of context ("while pushing 'ghcr.io/acme/app:1'"),
// innermost first. `detail` holds lines to be printed below the message as they are (an excerpt of a
// Dockerfile, the last output of a RUN). No credential and no query string may enter any of them.
class Error : public std::runtime_error {
 public:
  Error(Category category, std::string message)
      : std::runtime_error(message), category_(category), message_(std::move(message)) {}

  Category category() const noexcept { return category_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Appends ", CLAUSE" to the message and returns *this, so that a handler can rethrow: `throw; ` after it.
  Error& add_context(std::string_view clause) {
    message_ += ", ";
    message_ += clause;
    return *this;
  }
  Error& set_detail(std::string detail) {
    detail_ = std::move(detail);
    return *this;
  }

 private:
  Category category_;
  std::string message_;
  std::string detail_;
};

// The description of an errno value, for use in messages: "permission denied".
std::string errno_text(int error_number);

// Error{machine} "cannot OPERATION 'SUBJECT': ERRNO TEXT" from the current errno.
[[noreturn]] void throw_errno(std::string_view operation, std::string_view subject);

// Runs `body`; an Error that leaves it carries the clause that `clause()` returns.
template <class Clause, class Body>
decltype(auto) with_context(Clause&& clause, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(clause());
    throw;
  }
}

}  // namespace kiln
