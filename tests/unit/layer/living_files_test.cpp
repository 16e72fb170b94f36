#include "builder/layer/living_files.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/clock.hpp"
#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// One file of a folder, listed before it changes. Its times are long ago unless it is written to.
struct Living {
  Workshop shop;
  fs::path root = shop.path("tree");
  fs::path path = root / "f";
  ScannedTree tree;
  std::unique_ptr<LivingFiles> files;

  explicit Living(std::string_view text) {
    fs::create_directory(root);
    write(text);
    // ctime cannot be set back, so files are not copied only where the clock has gone on.
    tree = scan_tree(root, {}, shop.pool);
    files = std::make_unique<LivingFiles>(root, tree, HashTools{shop.pool, {}});
  }

  void write(std::string_view text) const { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; }
  void append(std::string_view text) const { std::ofstream(path, std::ios::binary | std::ios::app) << text; }
  LivingFiles::Content read() { return files->read(std::vector<std::size_t>{0}).at(0); }
  std::string bytes() const {
    const auto source = files->open(0);
    return read_to_end(*source, 1 << 20, "f");
  }
  void settle() const {
    const timespec pause{2, 200'000'000};
    ::nanosleep(&pause, nullptr);
  }
};

}  // namespace

TEST_CASE("a file that is being written to is what it was when it was read, for its digest and for its bytes") {
  Living living("before");
  CHECK(living.read().digest == oci::sha256_of("before"));
  for (const auto& change : std::initializer_list<std::function<void()>>{
           [&] { living.append(" and after"); }, [&] { living.write("shorter"); }, [&] { living.write(""); },
           [&] { fs::remove(living.path); }}) {
    change();
    CHECK(living.bytes() == "before");
    CHECK(living.read().digest == oci::sha256_of("before"));
  }
}

TEST_CASE("a file that changed since it was listed is what it is now") {
  Living grown("before");
  grown.append(" and after");
  CHECK(grown.read().size == 16);
  CHECK(grown.read().digest == oci::sha256_of("before and after"));
  Living shrunk("before");
  shrunk.write("b");
  CHECK(shrunk.read().size == 1);
  CHECK(shrunk.bytes() == "b");
}

TEST_CASE("a file that vanished, or became something else, is gone") {
  const auto is_gone = [](const std::function<void(const fs::path&)>& change) {
    Living living("before");
    change(living.path);
    return living.read().digest.empty() && living.files->is_gone(0);
  };
  CHECK(is_gone([](const fs::path& path) { fs::remove(path); }));
  CHECK(is_gone([](const fs::path& path) {
    fs::remove(path);
    fs::create_symlink("/etc/passwd", path);
  }));
  CHECK(is_gone([](const fs::path& path) {
    fs::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }));
  CHECK(is_gone([](const fs::path& path) {
    fs::remove(path);
    fs::create_directory(path);
  }));
}

TEST_CASE("of a file that was left alone for long no copy is made, and what is added later does no harm") {
  Living living("before");
  living.settle();
  CHECK(living.read().digest == oci::sha256_of("before"));
  living.append(" and after");
  CHECK(living.bytes() == "before");
  living.write("another");
  CHECK(message_of([&] { living.bytes(); }) ==
        "'" + living.path.native() + "' changed while it was being read; build again");
  // Who asks a second or more after it was read has what is there now.
  living.settle();
  CHECK(living.read().digest == oci::sha256_of("another"));
  CHECK(living.bytes() == "another");
}

TEST_CASE("a file that may not be read is an error of the build") {
  if (::geteuid() == 0) {
    MESSAGE("skipped: root may read every file");
    return;
  }
  Living living("before");
  fs::permissions(living.path, fs::perms::none);
  CHECK(message_of([&] { living.read(); }) == "'" + living.path.native() + "' cannot be read: permission denied");
}

TEST_CASE("a file is read where no digest was asked for, up to where it ends") {
  const Living living("before");
  CHECK(living.bytes() == "before");
}

TEST_CASE("a file of more bytes than a layer's file may have is refused before it is read") {
  Living living("small");
  fs::resize_file(living.path, (std::uint64_t{1} << 40) + 1);
  CHECK_ERROR(living.read(), Category::build,
              doctest::Contains("tree/f' has 1.10 TB; a file that a step reads may have 1 TiB"));
}
