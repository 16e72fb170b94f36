#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "builder/layer/file_index.hpp"

namespace kiln {

// What the unpacked bytes of an image are there for, told from paths and contents alone.
enum class Content {
  base,         // the system below: everything outside of where packages and applications are put
  build_tools,  // compilers, headers, static libraries, version control, tests: what no program of the image reads
                // them
  caches,       // caches of package managers and temporary files
  duplicates,   // bytes that the image holds a second time, or that a later layer hides
  packages,     // Python's packages, applications, and everything else
};
inline constexpr std::array<Content, 5> kContents = {Content::base, Content::build_tools, Content::caches,
                                                     Content::duplicates, Content::packages};
// "base", "build_tools" ...
std::string_view to_string(Content content);

// Unpacked bytes by what they are for; total() is the size of the tars.
struct ContentBytes {
  std::array<std::uint64_t, kContents.size()> bytes{};
  // Of those that are packages: bytes that another image of the same list brings in a layer of its own too.
  std::uint64_t repeated = 0;

  std::uint64_t& operator[](Content content) { return bytes[static_cast<std::size_t>(content)]; }
  std::uint64_t operator[](Content content) const { return bytes[static_cast<std::size_t>(content)]; }
  std::uint64_t total() const;
  ContentBytes& operator+=(const ContentBytes& other);
  bool operator==(const ContentBytes&) const = default;
};

// The bytes of every layer of images whose layers, from the bottom, have these indexes. Images are taken in their
// order: a layer of several of them is judged where it is met first, and of a content that several bring, the first
// one's is not `repeated`. None for an image that lacks an index of one of its layers.
std::vector<std::optional<std::vector<ContentBytes>>> contents_of(
    const std::vector<std::vector<std::shared_ptr<const FileIndex>>>& images);

// True for a file that only those read who compile, debug or test.
bool is_build_only(std::string_view path);
// True for a program that compiles, by its path.
bool is_compiler(std::string_view path);

}  // namespace kiln
