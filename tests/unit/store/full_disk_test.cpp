// A small tmpfs as the store's disk.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/error.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/garbage.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

namespace {

// A 2 MB file system of its own in a mount namespace of this process.
class SmallDisk {
 public:
  SmallDisk() {
    is_mounted_ = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                  ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=2m") == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return is_mounted_; }
  const fs::path& path() const { return folder_.path(); }

 private:
  TempDir folder_;
  bool is_mounted_ = false;
};

}  // namespace

TEST_CASE("a full disk is an error of the machine, publishes nothing by halves, and is survived") {
  const SmallDisk disk;
  if (!disk.is_mounted()) {
    MESSAGE("skipped: no tmpfs can be mounted here: " << errno_text(errno));
    return;
  }
  const HomeLayout home = HomeLayout::open(disk.path() / "home");
  ContentStore store(home);
  const NamedImage first{"first", put_image(store, "{}", {std::string(500000, '1')})};
  publish_images(store, {&first, 1});
  const std::string index_before = read_file(home.oci() / "index.json");
  const auto blobs_before = list_directory(home.blobs());

  const std::string error = error_of([&] { store.put(std::string(3000000, '2'), oci::media_type::kOciLayer); });
  CHECK(error.starts_with("machine: cannot write '"));
  CHECK(error.find("no space left on device; free some space or point KILN_HOME at a larger disk") !=
        std::string::npos);
  CHECK(list_directory(home.tmp()).empty());
  CHECK(list_directory(home.blobs()) == blobs_before);

  // Filled to the last byte: neither a name, nor a fact, nor a lease can be written any more.
  Fd filler = create_file(disk.path() / "filler");
  CHECK_FALSE(error_of([&] {
                for (;;) write_all(filler, std::string(4096, 'x'), "filler");
              }).empty());
  const NamedImage second{"second, with a name that needs another page " + std::string(5000, 'n'), first.descriptor};
  CHECK(error_of([&] { publish_images(store, {&second, 1}); }).starts_with("machine: "));
  CHECK(error_of([&] {
          set_blob_info(store, first.descriptor.digest, {first.descriptor.digest, 1});
        }).starts_with("machine: "));
  CHECK(error_of([&] {
          for (int i = 0; i < 100; ++i) store.lease(oci::sha256_of(std::to_string(i)));
        }).starts_with("machine: "));
  CHECK(read_file(home.oci() / "index.json") == index_before);
  CHECK(list_directory(home.oci()) == std::vector<std::string>{"blobs", "index.json", "oci-layout"});
  CHECK(missing_blobs(store, first.descriptor).empty());

  // With room again the same objects go on.
  filler.reset();
  fs::remove(disk.path() / "filler");
  const NamedImage third{"third", put_image(store, "{}", {"small"})};
  publish_images(store, {&third, 1});
  CHECK(names_of(named_images(store)) == std::vector<std::string>{"first", "third"});
  collect_garbage_except(store, {}, DryRun::no);
  for (const NamedImage& image : named_images(store)) CHECK(missing_blobs(store, image.descriptor).empty());
}
