#include "builder/steps/link_resolution.hpp"

#include <doctest/doctest.h>

#include <map>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

// A tree in a few words: symlinks by their text, everything else a folder.
std::string resolve(const std::map<std::string, std::string>& links, std::string_view path, LastLink last) {
  return resolve_links(path, last, [&](std::string_view at) -> std::optional<FileEntry> {
    FileEntry entry;
    entry.path = at;
    entry.type = EntryType::directory;
    if (const auto it = links.find(std::string(at)); it != links.end()) {
      entry.type = EntryType::symlink;
      entry.link = it->second;
    }
    return entry;
  });
}

}  // namespace

TEST_CASE("links are followed inside of the tree, absolute ones from its root") {
  CHECK(resolve({{"var/run", "/run"}}, "var/run/app", LastLink::follow) == "run/app");
  CHECK(resolve({{"a/b", "../c"}}, "a/b/d", LastLink::follow) == "c/d");
  CHECK(resolve({{"a", "../../etc"}}, "a/passwd", LastLink::follow) == "etc/passwd");
}

TEST_CASE("the last component is followed only where that is asked for") {
  CHECK(resolve({{"a", "b"}}, "a", LastLink::follow) == "b");
  CHECK(resolve({{"a", "b"}}, "a", LastLink::keep) == "a");
}

TEST_CASE("a loop is refused") {
  CHECK(error_of([&] {
          resolve({{"a", "b"}, {"b", "a"}}, "a/x", LastLink::follow);
        }) == "build: '/a/x': more than 40 symbolic links on the way");
}

TEST_CASE("a path of a Dockerfile cannot climb above the root") {
  CHECK(canonical_copy_path("a//b/../c/") == "a/c");
  CHECK(canonical_copy_path("/../..//x/.") == "x");
  CHECK(canonical_copy_path("/") == "");
}
