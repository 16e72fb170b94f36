#include "registry/store/attached.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

// A line has at most some 600 bytes: what was written can be read.
constexpr std::size_t kMostAttachedBytes = std::size_t{256} << 10;
constexpr std::size_t kMostAttachedLines = 400;

fs::path attached_file(const ContentStore& store, const oci::Digest& image) {
  return store.home().attached() / std::string(image.hex());
}

std::vector<std::string> attached_lines(const ContentStore& store, const oci::Digest& image) {
  const auto text = read_note(attached_file(store, image), kMostAttachedBytes);
  std::vector<std::string> lines;
  if (!text) return lines;
  for (const std::string_view line : split(*text, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// In place of the lines that begin so.
void note_line(const ContentStore& store, const oci::Digest& image, const std::string& beginning,
               const std::string& line) {
  try {
    std::vector<std::string> lines = attached_lines(store, image);
    std::erase_if(lines, [&](const std::string& other) { return other.starts_with(beginning); });
    lines.insert(lines.begin(), line);
    if (lines.size() > kMostAttachedLines) lines.pop_back();
    make_directories(store.home().attached());  // homes of before there were any
    write_file_atomically(attached_file(store, image), join(lines, "\n") + "\n", Durability::ephemeral);
  } catch (const Error& error) {
    // It only spares a question.
    if (error.category() != Category::machine) throw;
  }
}

std::string attached_line(const std::string& key, const std::string& place) { return key + " at " + place; }

}  // namespace

bool was_attached(const ContentStore& store, const oci::Digest& image, const std::string& key,
                  const std::string& place) {
  const std::vector<std::string> lines = attached_lines(store, image);
  return std::find(lines.begin(), lines.end(), attached_line(key, place)) != lines.end();
}

void note_attached(const ContentStore& store, const oci::Digest& image, const std::string& key,
                   const std::string& place) {
  const std::string line = attached_line(key, place);
  note_line(store, image, line, line);
}

std::optional<oci::Descriptor> attestation_of_image(ContentStore& store, const oci::Digest& image,
                                                    const std::string& key) {
  const std::string beginning = key + " is ";
  for (const std::string& line : attached_lines(store, image)) {
    if (!line.starts_with(beginning)) continue;
    const auto words = split(std::string_view(line).substr(beginning.size()), ' ');
    const auto size = words.size() == 2 ? parse_unsigned(words[1]) : std::nullopt;
    if (!size || !oci::Digest::is_valid(words[0])) return std::nullopt;
    const oci::Descriptor manifest{"", oci::Digest::parse(words[0]), *size, {}, {}, {}};
    store.lease(manifest.digest);
    return store.size_of(manifest.digest) == manifest.size ? std::optional(manifest) : std::nullopt;
  }
  return std::nullopt;
}

void note_attestation_of_image(const ContentStore& store, const oci::Digest& image, const std::string& key,
                               const oci::Descriptor& manifest) {
  const std::string beginning = key + " is ";
  note_line(store, image, beginning, fmt::format("{}{} {}", beginning, manifest.digest.str(), manifest.size));
}

}  // namespace kiln
