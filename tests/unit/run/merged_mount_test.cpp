// What RUN's mount shows of layers, and what COPY --from and the exporters take from their indexes.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/run/overlay.hpp"
#include "builder/run/shown_folders.hpp"
#include "builder/run/snapshot_store.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/layer/tar_fixture.hpp"

using namespace kiln;
using kiln::test::RawTar;

namespace {

// Tars of few names, so that they meet: the same ones for a seed on every machine.
class RandomTars {
 public:
  explicit RandomTars(unsigned seed) : random_(seed) {}

  std::string next() {
    RawTar tar;
    story_ += "layer\n";
    for (unsigned left = 1 + below(9); left > 0; --left) add_to(tar);
    return tar.str();
  }
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  // What the tars hold, a line for each entry.
  const std::string& story() const noexcept { return story_; }

 private:
  void add_to(RawTar& tar) {
    const std::string name = random_path();
    const std::string folder(parent_path(name));
    switch (below(10)) {
      case 0:
      case 1:
        return add_folder(tar, name);
      case 2:
      case 3:
      case 4:
        tell("file", name);
        tar.file(name, fmt::format("text-{}", ++texts_));
        return;
      case 5:
        tell("symlink", name);
        tar.symlink(name, "nowhere");
        return;
      case 6: {
        const std::string target = random_path();
        tell("link to " + target, name);
        tar.hardlink(name, target);
        return;
      }
      case 7:
        tell("opaque", folder);
        tar.file(join_path(folder, ".wh..wh..opq"), "");
        return;
      default:
        tell("whiteout", name);
        tar.file(join_path(folder, fmt::format(".wh.{}", base_name(name))), "");
    }
  }
  void add_folder(RawTar& tar, const std::string& name) {
    const std::size_t header = tar.size();
    tar.folder(name + "/");
    if (below(2) == 0) tar.patch(header, 100, "0000711");
    tell("folder", name);
  }
  void tell(std::string_view what, std::string_view name) { story_ += fmt::format("  {} '{}'\n", what, name); }
  std::string random_path() {
    std::string path;
    for (unsigned depth = 1 + below(3); depth > 0; --depth)
      path = join_path(path, std::string(1, static_cast<char>('a' + below(3))));
    return path;
  }

  std::mt19937 random_;
  unsigned texts_ = 0;
  std::string story_;
};

std::string line_of(std::string_view path, char type, unsigned mode, std::string_view text = {}) {
  return fmt::format("/{} {} {:o} {}", path, type, mode, text);
}

// What a process sees at and below a folder. A name that is listed and cannot be looked up has a line of its own.
void see(const fs::path& folder, const std::string& path, std::vector<std::string>& lines) {
  const fs::path here = path.empty() ? folder : folder / path;
  struct stat info {};
  if (::lstat(here.c_str(), &info) != 0) {
    lines.push_back(fmt::format("/{}: {}", path, errno_text(errno)));
    return;
  }
  const unsigned mode = info.st_mode & 07777;
  if (S_ISREG(info.st_mode)) {
    lines.push_back(line_of(path, 'f', mode, read_file(here)));
  } else if (S_ISLNK(info.st_mode)) {
    lines.push_back(line_of(path, 'l', 0777, fs::read_symlink(here).native()));
  } else if (S_ISDIR(info.st_mode)) {
    lines.push_back(line_of(path, 'd', mode));
    for (const std::string& name : list_directory(here)) see(folder, join_path(path, name), lines);
  } else {
    lines.push_back(line_of(path, '?', mode));
  }
}

// Layers in the store, and their folders as a RUN would mount them.
class Stack {
 public:
  // Returns false for a layer that cannot be.
  bool add(const std::string& tar) {
    const oci::Descriptor blob = store_.put(tar, oci::media_type::kOciLayer);
    SnapshotLayer layer;
    try {
      layer.diff_id = index_layer(store_, pool_, blob, std::nullopt).diff_id;
    } catch (const Error& error) {
      CHECK(error.category() == Category::build);
      return false;
    }
    layer.index = IndexCache(store_).find(layer.diff_id);
    layer.blob = [blob] { return blob; };
    layers_.push_back(std::move(layer));
    try {
      chain_ = *snapshots_.try_ensure(layers_, CancelToken());
    } catch (const Error& error) {
      INFO(error.message());
      CHECK(error.category() == Category::build);  // a link to what no layer has
      layers_.pop_back();
      return false;
    }
    view_ = view_.with_layer(layers_.back().index);
    return true;
  }
  std::size_t size() const { return layers_.size(); }

  std::vector<std::string> indexed() const {
    std::vector<std::string> lines;
    view_.walk("", [&](const MergedView::Found& found) {
      lines.push_back(line_of_entry(found));
      return true;
    });
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  // nullopt where overlayfs cannot be mounted.
  std::optional<std::vector<std::string>> mounted() const {
    OverlayMount mount;
    mount.lowers = shown_folders(chain_, view_);
    mount.lowers.insert(mount.lowers.begin(), top_.path() / "empty");
    mount.user_xattrs = snapshots_.overlay_xattrs() == OverlayXattrs::user;
    const fs::path target = top_.path() / "merged";
    for (const char* name : {"empty", "merged"}) fs::create_directory(top_.path() / name);
    ForkedChild child([&](ForkedChild::Link& link) {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
      mount_overlay(mount, store_.home().snapshots(), target);
      std::vector<std::string> lines;
      see(target, "", lines);
      for (const std::string& line : lines) link.say(line);
      return 0;
    });
    std::vector<std::string> lines;
    for (std::string line = child.hear(); !line.empty(); line = child.hear()) lines.push_back(line);
    if (child.wait() != 0) return std::nullopt;
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  std::string line_of_entry(const MergedView::Found& found) const {
    const auto behind = view_.behind(found);
    if (!behind) return line_of(found.path, '-', 0, "leads nowhere");
    const FileEntry& entry = *behind->entry;
    if (entry.is_directory()) return line_of(found.path, 'd', entry.mode);
    if (entry.type == EntryType::symlink) return line_of(found.path, 'l', 0777, entry.link);
    return line_of(found.path, 'f', entry.mode, read_file(chain_.folders()[behind->layer] / behind->path));
  }

  TempDir top_;
  ThreadPool pool_{1};
  ContentStore store_{HomeLayout::open(top_.path() / "home")};
  SnapshotStore snapshots_{store_, pool_};
  std::vector<SnapshotLayer> layers_;
  SnapshotChain chain_;
  MergedView view_;
};

}  // namespace

TEST_CASE("a mount of random layers shows what their merged index says") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  // KILN_STRESS_MOUNTS asks for more seeds. The last one once showed what a whiteout hides, where a file and a folder
  // of its name are in the whiteout's layer.
  std::vector<unsigned> seeds(parse_unsigned(environment_variable("KILN_STRESS_MOUNTS").value_or("")).value_or(300));
  std::iota(seeds.begin(), seeds.end(), 0U);
  seeds.push_back(1094);
  std::size_t layers = 0;
  for (const unsigned seed : seeds) {
    CAPTURE(seed);
    RandomTars tars(seed);
    Stack stack;
    for (unsigned left = 2 + tars.below(4); left > 0; --left) {
      const std::string tar = tars.next();
      INFO(tars.story());
      stack.add(tar);
    }
    if (stack.size() == 0) continue;
    layers += stack.size();
    INFO(tars.story());
    const auto mounted = stack.mounted();
    if (!mounted) {
      MESSAGE("skipped: overlayfs cannot be mounted here");
      return;
    }
    CHECK(join(*mounted, "\n") == join(stack.indexed(), "\n"));
  }
  CHECK(layers > seeds.size());  // and not refused
}
