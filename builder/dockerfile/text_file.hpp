#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file.hpp"

namespace kiln::dockerfile {

// What a Dockerfile or an ignore file holds at most, as under BuildKit.
inline constexpr std::uint64_t kMaxTextBytes = std::uint64_t{16} << 20;

// Reads a Dockerfile or an ignore file. nullopt where there is none, or a folder of its name. What comes with a context
// may be hostile, so a pipe is not waited for, and no byte of what is no such file gets into a message: Error{usage}
// for what is neither a file nor a pipe that is open already (/dev/fd/N), for more than kMaxTextBytes, for what this
// user may not read, and for a link that leads out of `inside`, where one is given.
std::optional<std::string> read_text_file(const fs::path& file, const std::optional<fs::path>& inside = {});

// Whether a file is named as one of a folder, whatever links lead to.
bool lies_in(const fs::path& file, const fs::path& folder);

struct TextFile {
  std::string text;
  std::string name;
};

// The ignore file of a build: NAME.dockerignore beside its Dockerfile, else .dockerignore in its context. What is named
// as a file of `inside` may be no link that leads out of it.
std::optional<TextFile> read_ignore_file_of(const std::optional<fs::path>& dockerfile,
                                            const std::optional<fs::path>& context,
                                            const std::optional<fs::path>& inside = {});

}  // namespace kiln::dockerfile
