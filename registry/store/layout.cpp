#include "registry/store/layout.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kVersion = "kiln home 1\n";
constexpr std::string_view kOciLayout = "{\"imageLayoutVersion\":\"1.0.0\"}";
constexpr std::string_view kEmptyIndex =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}";

void create_if_missing(const fs::path& path, std::string_view bytes) {
  if (!fs::exists(path)) write_file_atomically(path, bytes);
}

}  // namespace

HomeLayout HomeLayout::open(fs::path root) {
  HomeLayout layout(fs::absolute(std::move(root)).lexically_normal());
  const fs::path version = layout.root_ / "version";
  if (const auto text = read_file_if_exists(version, 4096)) {
    if (*text != kVersion) {
      throw Error(Category::machine,
                  fmt::format("'{}' holds '{}', expected '{}'; point KILN_HOME at another folder or use the kiln that "
                              "made it", version.native(), printable(trim(*text)), trim(kVersion)));
    }
    return layout;
  }
  for (const fs::path& folder :
       {layout.blobs(), layout.indexes(), layout.blob_info(), layout.steps(), layout.builds(), layout.reports(),
        layout.snapshots() / "chains", layout.cache_mounts(), layout.debs(), layout.leases(), layout.locks(), layout.tmp()}) {
    make_directories(folder);
  }
  create_if_missing(layout.oci() / "oci-layout", kOciLayout);
  create_if_missing(layout.oci() / "index.json", kEmptyIndex);
  // Last, so that a home without its parts is never taken for a whole one.
  write_file_atomically(version, kVersion);
  return layout;
}

fs::path HomeLayout::default_root() {
  if (const auto home = environment_variable("KILN_HOME"); home && !home->empty()) return *home;
  if (::geteuid() == 0) return "/var/lib/kiln";
  if (const auto data = environment_variable("XDG_DATA_HOME"); data && !data->empty()) return fs::path(*data) / "kiln";
  const auto home = environment_variable("HOME");
  if (!home || home->empty()) throw Error(Category::machine, "neither KILN_HOME nor HOME is set; set KILN_HOME to a folder");
  return fs::path(*home) / ".local/share/kiln";
}

}  // namespace kiln
