// A Go program has a header of 32 bytes: a magic, the size of pointers, flags; with flag 2 two texts follow, each
// behind its length as a varint: Go's version, and the modules between two sentinels of 16 bytes. Go finds the header
// in the section .go.buildinfo; here the whole file is searched for the magic. Other programs may hold the magic too,
// as the tools do that read it: only what can be read to its end is taken. Before Go 1.18 there were pointers to the
// texts, for which the program's segments are needed: these are not read.

#include "builder/packages/go_build_info.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kElfMagic =
    "\x7f"
    "ELF";
constexpr std::string_view kGoMagic = "\xff Go buildinf:";
constexpr std::size_t kInfoHeaderBytes = 32;
constexpr std::size_t kFlagsPlace = 15;
constexpr unsigned kInlineTexts = 2;
constexpr std::size_t kSentinelBytes = 16;
constexpr std::size_t kMostModuleBytes = std::size_t{4} << 20;

// Go's encoding/binary.Uvarint, and the text of that length behind it; nullopt where there is no such text.
std::optional<std::string_view> take_text(std::string_view& rest) {
  std::uint64_t length = 0;
  std::size_t used = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (used == rest.size() || shift > 28) return std::nullopt;
    const auto byte = static_cast<unsigned char>(rest[used++]);
    length |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) break;
  }
  if (length > kMostModuleBytes || length > rest.size() - used) return std::nullopt;
  const std::string_view text = rest.substr(used, length);
  rest.remove_prefix(used + length);
  return text;
}

struct GoTexts {
  std::string_view version;  // "go1.22.1"
  std::string_view modules;
};

std::optional<GoTexts> texts_at(std::string_view header) {
  if (header.size() < kInfoHeaderBytes) return std::nullopt;
  if ((static_cast<unsigned char>(header[kFlagsPlace]) & kInlineTexts) == 0) return std::nullopt;
  std::string_view rest = header.substr(kInfoHeaderBytes);
  const auto version = take_text(rest);
  if (!version || !version->starts_with("go1")) return std::nullopt;
  auto modules = take_text(rest);
  if (!modules) return std::nullopt;
  const bool is_framed =
      modules->size() > 2 * kSentinelBytes && (*modules)[modules->size() - kSentinelBytes - 1] == '\n';
  return GoTexts{
      *version, is_framed ? modules->substr(kSentinelBytes, modules->size() - 2 * kSentinelBytes) : std::string_view()};
}

std::optional<GoTexts> find_texts(std::string_view program) {
  for (std::size_t at = program.find(kGoMagic); at != std::string_view::npos; at = program.find(kGoMagic, at + 1)) {
    if (const auto texts = texts_at(program.substr(at))) return texts;
  }
  return std::nullopt;
}

StatedPackage module_of(std::string_view path, std::string_view version) {
  StatedPackage module;
  module.ecosystem = Ecosystem::golang;
  module.name = std::string(path);
  module.version = std::string(version);
  return module;
}

}  // namespace

std::vector<StatedPackage> read_go_build_info(std::string_view program, std::string_view where, PackageNotes& notes) {
  std::vector<StatedPackage> modules;
  if (!program.starts_with(kElfMagic)) return modules;
  const auto texts = find_texts(program);
  if (!texts) return modules;
  std::vector<StatedPackage> stated;
  for (const std::string_view line : split(texts->modules, '\n')) {
    const auto words = split(line, '\t');
    if (words.size() < 3) continue;
    if (words[0] == "mod" && words[2] != "(devel)" && !words[2].empty())
      modules.push_back(module_of(words[1], words[2]));
    if (words[0] == "dep") stated.push_back(module_of(words[1], words[2]));
    if (words[0] == "=>" && !stated.empty()) stated.back() = module_of(words[1], words[2]);
  }
  const std::string_view version = texts->version.substr(0, texts->version.find(' '));
  modules.push_back(module_of("stdlib", version.substr(2)));
  modules.insert(modules.end(), stated.begin(), stated.end());
  std::erase_if(modules, [&](const StatedPackage& module) {
    // What stands in for a module may be a folder of its author's, which has no version.
    return module.version.empty() || !check_stated(module, where, notes);
  });
  return modules;
}

}  // namespace kiln
