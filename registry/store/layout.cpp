#include "registry/store/layout.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kHomeVersion = "kiln home 1\n";
constexpr std::string_view kOciLayout = "{\"imageLayoutVersion\":\"1.0.0\"}";
constexpr std::string_view kEmptyIndex =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}";

void create_if_missing(const fs::path& path, std::string_view bytes) {
  if (!fs::exists(path)) write_file_atomically(path, bytes);
}

// Somebody may have removed oci/ to make room; then there are no images, and all else is as good as before.
bool has_image_layout(const HomeLayout& layout) {
  std::error_code error;
  return fs::exists(layout.blobs(), error) && fs::exists(layout.oci() / "index.json", error);
}

// Root could use anybody's home, and would leave files there that its owner can neither change nor remove.
void refuse_other_users_home(const fs::path& version_file) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(version_file.c_str(), &info) != 0 || info.st_uid == 0) return;
  throw Error(
      Category::machine,
      fmt::format("'{}' is the store of user {}, and root would leave files in it that are not theirs; run kiln as "
                  "that user, or point KILN_HOME at a folder of root's",
                  version_file.parent_path().native(), info.st_uid));
}

// A home that is made is its owner's alone: who can enter it can hold its locks, so that every build waits, and can
// read images of private registries.
void make_home(const fs::path& root) {
  const fs::path folder = root.has_filename() ? root : root.parent_path();
  make_directories(folder.parent_path());
  if (::mkdir(folder.c_str(), 0700) != 0 && !fs::exists(folder)) throw_errno("create folder", folder.native());
}

}  // namespace

HomeLayout HomeLayout::open(const fs::path& root) {
  // Without symbolic links: runc takes no root file system by a way through one.
  // Where the way cannot be looked at, what is done next says so.
  const fs::path named = fs::absolute(root).lexically_normal();
  std::error_code error;
  const fs::path place = fs::weakly_canonical(named, error);
  HomeLayout layout(error ? named : place);
  refuse_other_users_home(layout.version_file());
  if (layout.is_whole() && has_image_layout(layout)) return layout;
  make_home(layout.root());
  make_directories(layout.locks());
  // Several processes may come first; an index.json of one must not be replaced by another's empty one.
  const FileLock lock = FileLock::acquire(layout.locks() / "store", LockMode::exclusive);
  if (layout.is_whole() && has_image_layout(layout)) return layout;
  for (const fs::path& folder : {layout.blobs(), layout.indexes(), layout.blob_info(), layout.forms(), layout.steps(),
                                 layout.builds(), layout.reports(), layout.snapshots() / "chains",
                                 layout.cache_mounts(), layout.debs(), layout.leases(), layout.tmp()}) {
    make_directories(folder);
  }
  create_if_missing(layout.oci_layout_file(), kOciLayout);
  create_if_missing(layout.oci() / "index.json", kEmptyIndex);
  // Last, so that a home without its parts is never taken for a whole one.
  write_file_atomically(layout.version_file(), kHomeVersion);
  return layout;
}

std::string_view HomeLayout::oci_layout_text() { return kOciLayout; }

bool HomeLayout::is_whole() const {
  const auto text = read_file_if_exists(version_file(), 4096);
  if (!text) return false;
  if (*text != kHomeVersion) {
    throw Error(Category::machine,
                fmt::format("'{}' holds '{}', expected '{}'; point KILN_HOME at another folder or use the kiln that "
                            "made it",
                            version_file().native(), printable(trim(*text)), trim(kHomeVersion)));
  }
  return true;
}

fs::path HomeLayout::default_root() {
  if (const auto home = environment_variable("KILN_HOME"); home && !home->empty()) return *home;
  if (::geteuid() == 0) return "/var/lib/kiln";
  if (const auto data = environment_variable("XDG_DATA_HOME"); data && !data->empty()) return fs::path(*data) / "kiln";
  const auto home = environment_variable("HOME");
  if (!home || home->empty())
    throw Error(Category::machine, "neither KILN_HOME nor HOME is set; set KILN_HOME to a folder");
  return fs::path(*home) / ".local/share/kiln";
}

}  // namespace kiln
