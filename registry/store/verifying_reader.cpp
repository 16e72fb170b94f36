#include "registry/store/verifying_reader.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace kiln {

VerifyingReader::VerifyingReader(const ContentStore& store, const oci::Digest& digest)
    : expected_(digest), name_(store.path_of(digest).native()) {
  if (!store.has(digest)) {
    throw Error(Category::machine,
                fmt::format("blob '{}' is not in the store '{}'", digest.str(), store.home().oci().native()));
  }
  is_known_ = store.was_written_here(digest);
  fd_ = store.open(digest);
}

std::size_t VerifyingReader::read(void* buffer, std::size_t size) {
  const std::size_t got = read_some(fd_, buffer, size, name_);
  if (!is_known_) hash_.update(std::string_view(static_cast<const char*>(buffer), got));
  return got;
}

void VerifyingReader::finish() {
  if (is_known_) return;
  char buffer[65536];
  while (read(buffer, sizeof buffer) != 0) {
  }
  if (const oci::Digest actual = hash_.finish(); actual != expected_) throw damaged_blob(expected_, actual);
}

}  // namespace kiln
