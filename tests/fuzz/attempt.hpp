#pragma once

#include <string>

#include "base/error.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kiln::fuzz {

// Runs `body`, which may refuse its input in the one way that the code under test promises. False where it did.
template <class Body>
bool may_refuse(Category category, Body&& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    require(error.category() == category, "another category");
    require(!error.message().empty(), "an error without a message");
    return false;
  }
}

// Runs `body`, which must not refuse anything.
template <class Body>
void must_take(const char* finding, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    require(false, (std::string(finding) + ": " + error.message()).c_str());
  }
}

// What `read` accepts, `write` writes so that it is read again to the same: compared by what is written of it.
template <class Read, class Write>
void is_read_as_written(Category category, std::string_view text, Read&& read, Write&& write) {
  may_refuse(category, [&] {
    const std::string written = write(read(text));
    must_take("what was written is refused",
              [&] { require(write(read(written)) == written, "what was written is read in another way"); });
  });
}

}  // namespace kiln::fuzz
