#include "base/error.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstring>

namespace kiln {

std::string errno_text(int error_number) {
  char buffer[256];
  std::string text = strerror_r(error_number, buffer, sizeof buffer);
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

void throw_errno(std::string_view operation, std::string_view subject) {
  const int saved = errno;
  std::string advice;
  if (saved == ENOSPC) advice = "; free some space or point KILN_HOME at a larger disk";
  throw Error(Category::machine, fmt::format("cannot {} '{}': {}{}", operation, subject, errno_text(saved), advice));
}

}  // namespace kiln
