#include "builder/layer/new_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

namespace kiln {

NewFiles::NewFiles(const Fd& folder) : uid_(::geteuid()), gid_(::getegid()) {
  struct stat info;
  if (::fstat(folder.get(), &info) != 0) throw_errno("stat", "the folder to create files in");
  // A set-group-ID folder, and any folder of a file system mounted with grpid, hands its own group down.
  owner_is_ours_ = (info.st_mode & S_ISGID) == 0 && info.st_gid == gid_;
  // umask(2) can be asked only by setting it, for all threads; proc(5) tells it.
  const std::string status = read_file("/proc/self/status", 64 << 10);
  for (const std::string_view line : split(status, '\n')) {
    if (line.starts_with("Umask:"))
      umask_ = static_cast<mode_t>(std::strtoul(std::string(trim(line.substr(6))).c_str(), nullptr, 8));
  }
}

}  // namespace kiln
