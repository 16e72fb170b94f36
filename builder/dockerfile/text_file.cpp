#include "builder/dockerfile/text_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"

namespace kiln::dockerfile {

namespace {

[[noreturn]] void refuse(const fs::path& file, std::string_view why) {
  throw Error(Category::usage, fmt::format("'{}' {}", printable(file.native()), why));
}

}  // namespace

std::optional<std::string> read_text_file(const fs::path& file, const std::optional<fs::path>& inside) {
  if (inside && leads_out(file, *inside))
    refuse(file, "is a link that leads out of its source; put the file itself there");
  const bool may_be_pipe = is_open_descriptor(file) || file == "/dev/stdin";
  const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (may_be_pipe ? 0 : O_NONBLOCK);
  const Fd opened(::open(file.c_str(), flags));
  if (!opened) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    if (errno == ENXIO) refuse(file, "is a socket or a pipe, expected a file");
    if (errno == ELOOP) refuse(file, "is a link that leads to itself");
    if (errno == EACCES) refuse(file, "may not be read by this user");
    throw_errno("read", file.native());
  }
  struct stat status;
  if (::fstat(opened.get(), &status) != 0) throw_errno("stat", file.native());
  if (S_ISDIR(status.st_mode)) return std::nullopt;
  if (!S_ISREG(status.st_mode) && !(may_be_pipe && S_ISFIFO(status.st_mode))) {
    refuse(file, "is a pipe or a device, expected a file");
  }
  std::string text;
  std::string buffer(std::size_t{64} << 10, '\0');
  while (const std::size_t count = read_some(opened, buffer.data(), buffer.size(), file.native())) {
    if (text.size() + count > kMaxTextBytes) refuse(file, fmt::format("is larger than {} bytes", kMaxTextBytes));
    text.append(buffer, 0, count);
  }
  return text;
}

bool lies_in(const fs::path& file, const fs::path& folder) {
  return is_inside(fs::absolute(file).lexically_normal(), fs::absolute(folder / "").lexically_normal().parent_path());
}

std::optional<TextFile> read_ignore_file_of(const std::optional<fs::path>& dockerfile,
                                            const std::optional<fs::path>& context,
                                            const std::optional<fs::path>& inside) {
  std::vector<fs::path> places;
  if (dockerfile) places.push_back(dockerfile->native() + ".dockerignore");
  if (context) places.push_back(*context / ".dockerignore");
  for (const fs::path& place : places) {
    // The ignore file of a Dockerfile that is elsewhere is as much the caller's own as that is.
    const bool is_of_source = inside && lies_in(place, *inside);
    if (auto text = read_text_file(place, is_of_source ? inside : std::nullopt))
      return TextFile{std::move(*text), place.native()};
  }
  return std::nullopt;
}

}  // namespace kiln::dockerfile
