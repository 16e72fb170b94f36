#include "builder/steps/archive_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/output_file.hpp"

namespace kiln {

void write_archive_to(const std::string& destination, int stdout_fd, const std::function<void(TarEncoder&)>& write) {
  if (destination == "-") {
    const Fd output(::fcntl(stdout_fd, F_DUPFD_CLOEXEC, 3));
    TarEncoder tar([&](std::string_view bytes) { write_all(output, bytes, "standard output"); });
    write(tar);
    return;
  }
  if (fs::is_directory(destination)) {
    throw Error(Category::usage, fmt::format("destination '{}' is a folder; name a file", destination));
  }
  make_directories(fs::absolute(destination).parent_path());
  OutputFile file(destination);
  TarEncoder tar([&](std::string_view bytes) { file.write(bytes); });
  write(tar);
  file.commit();
}

}  // namespace kiln
