// What a mount of unpacked layers shows and what their indexes say, over layers that no builder would write.

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "builder/layer/layer_reader.hpp"
#include "builder/run/shown_folders.hpp"
#include "builder/run/snapshot_store.hpp"
#include "tests/unit/layer/tar_fixture.hpp"

using namespace kiln;

namespace {

constexpr int kImages = 60;
constexpr int kLayers = 4;

class RandomTar {
 public:
  explicit RandomTar(std::uint32_t seed) : random_(seed) {}

  std::string make() {
    test::RawTar tar;
    const int count = pick(6) + 1;
    for (int i = 0; i < count; ++i) add(tar);
    return tar.str();
  }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  std::string name() { return std::string(1, static_cast<char>('a' + pick(3))); }
  std::string folder() {
    std::string path;
    for (int depth = pick(3); depth > 0; --depth) path += name() + "/";
    return path;
  }
  void add(test::RawTar& tar) {
    const std::string path = folder() + name();
    const std::size_t at = tar.size();
    switch (pick(9)) {
      case 0:
      case 1:
        tar.folder(path + "/");
        tar.patch(at, 100, pick(2) == 0 ? "0000700" : "0000755");
        return;
      case 2:
      case 3:
        tar.file(path, std::string(static_cast<std::size_t>(pick(50)), 'x'));
        files_.push_back(path);
        return;
      case 4:
        tar.symlink(path, name());
        return;
      case 5:
        tar.file(folder() + ".wh." + name(), "");
        return;
      case 6:
        tar.file(folder() + ".wh..wh..opq", "");
        return;
      case 7:
        if (!files_.empty())
          tar.hardlink(path, files_[static_cast<std::size_t>(pick(static_cast<int>(files_.size())))]);
        return;
      default:
        tar.add('6', path);
    }
  }

  std::mt19937 random_;
  std::vector<std::string> files_;
};

struct Images {
  TempDir top;
  ThreadPool pool{2};
  ContentStore store{HomeLayout::open(top.path() / "home")};
  SnapshotStore snapshots{store, pool};
};

std::string lines_of(const MergedView& view) {
  std::vector<std::string> lines;
  view.walk("", [&](const MergedView::Found& found) {
    const FileEntry* entry = found.entry;
    const auto behind = entry->type == EntryType::hardlink ? view.file_behind(found) : std::nullopt;
    if (behind) entry = behind->entry;
    char mode[8];
    std::snprintf(mode, sizeof mode, "%o", static_cast<unsigned>(entry->mode));
    const std::string path = found.path.empty() ? "." : "./" + found.path;
    switch (entry->type) {
      case EntryType::directory:
        lines.push_back(path + " d " + mode);
        break;
      case EntryType::symlink:
        lines.push_back(path + " l " + entry->link);
        break;
      case EntryType::fifo:
        lines.push_back(path + " p " + mode);
        break;
      case EntryType::file:
        lines.push_back(path + " f " + mode + " " + std::to_string(entry->size));
        break;
      default:
        lines.push_back(path + " a link to nothing");
    }
    return true;
  });
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("a mount of layers shows what their indexes say, whatever the layers are") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  Images images;
  const fs::path empty = images.top.path() / "empty";
  const fs::path merged = images.top.path() / "merged";
  make_directories(empty);
  make_directories(merged);
  std::string script = "set -e; cd " + merged.native() + "\n";
  std::string expected;
  std::vector<SnapshotChain> chains;
  IndexCache indexes(images.store);
  for (std::uint32_t image = 0; image < kImages; ++image) {
    std::vector<SnapshotLayer> layers;
    MergedView view;
    for (std::uint32_t attempt = 0; layers.size() < kLayers; ++attempt) {
      const std::string tar = RandomTar(image * 1000 + attempt).make();
      const oci::Descriptor blob = images.store.put(tar, oci::media_type::kOciLayer);
      try {
        const IndexedLayer indexed = index_layer(images.store, images.pool, blob, std::nullopt);
        layers.push_back({indexed.diff_id, indexes.find(indexed.diff_id), [blob] { return blob; }});
        chains.push_back(images.snapshots.ensure(layers, CancelToken()));
      } catch (const Error& error) {
        // A link to nothing, a name below a file: refused by both or by the second.
        CHECK(error.category() == Category::build);
        if (!layers.empty() && layers.back().diff_id == oci::sha256_of(tar)) layers.pop_back();
        continue;
      }
      view = view.with_layer(layers.back().index);
    }
    std::string lowers;
    const std::vector<fs::path> shown = shown_folders(chains.back(), view);
    for (auto it = shown.rbegin(); it != shown.rend(); ++it) lowers += it->native() + ":";
    script += "mount -t overlay -o redirect_dir=off,metacopy=off,index=off,lowerdir=" + lowers + empty.native() +
              " none " + merged.native() + "\ncd " + merged.native() +
              "\nfind . \\( -type f -printf '%p f %m %s\\n' \\) -o \\( -type l -printf '%p l %l\\n' \\) -o -printf "
              "'%p %y %m\\n' | LC_ALL=C sort\necho\ncd /; umount " +
              merged.native() + "\n";
    expected += lines_of(view) + "\n";
  }
  Command command;
  command.argv = {"unshare", "-m", "sh", "-c", script};
  const CommandResult found = run_command(command, CancelToken{});
  if (found.exit_code != 0) {
    MESSAGE("skipped: overlayfs cannot be mounted here: " << found.stderr_bytes);
    return;
  }
  CHECK(found.stdout_bytes == expected);
}
