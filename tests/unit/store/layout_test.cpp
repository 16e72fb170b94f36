#include "registry/store/layout.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/atomic_file.hpp"
#include "registry/store/image_names.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE("a new home is an OCI image layout with a version beside it") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "a/b");
  CHECK(read_file(home.root() / "version") == "kiln home 1\n");
  CHECK(read_file(home.oci() / "oci-layout") == R"({"imageLayoutVersion":"1.0.0"})");
  CHECK(read_file(home.oci() / "index.json").find("\"manifests\":[]") != std::string::npos);
  for (const fs::path& path :
       {home.blobs(), home.indexes(), home.blob_info(), home.steps(), home.builds(), home.reports(), home.snapshots(),
        home.cache_mounts(), home.debs(), home.leases(), home.locks(), home.tmp()}) {
    CAPTURE(path);
    CHECK(fs::is_directory(path));
  }
}

TEST_CASE("a home that kiln makes is its owner's alone, and one that was there keeps its mode") {
  const auto mode_of = [](const fs::path& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
  };
  const TempDir folder;
  for (const char* name : {"a/b", "c/"}) {
    const HomeLayout home = HomeLayout::open(folder.path() / name);
    CHECK(mode_of(home.root()) == 0700);
    CHECK(mode_of(home.oci()) == 0755);
  }
  CHECK(mode_of(folder.path() / "a") == 0755);
  fs::create_directory(folder.path() / "open");
  REQUIRE(::chmod((folder.path() / "open").c_str(), 0755) == 0);
  CHECK(mode_of(HomeLayout::open(folder.path() / "open").root()) == 0755);
}

TEST_CASE("a home that is named by a link is known by where it lies") {
  const TempDir top;
  fs::create_directory(top.path() / "disk");
  fs::create_directory_symlink(top.path() / "disk", top.path() / "link");
  CHECK(HomeLayout::open(top.path() / "link" / "home").root() == fs::canonical(top.path()) / "disk" / "home");
}

TEST_CASE("a home that exists is opened as it is") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path());
  write_file_atomically(home.oci() / "index.json", "{}");
  HomeLayout::open(folder.path());
  CHECK(read_file(home.oci() / "index.json") == "{}");
}

TEST_CASE("a home of another version is refused and not touched") {
  const TempDir folder;
  write_file_atomically(folder.path() / "version", "kiln home 2\n");
  const std::string error = error_of([&] { HomeLayout::open(folder.path()); });
  CHECK(error.starts_with("machine: "));
  CHECK(error.find("'kiln home 2', expected 'kiln home 1'") != std::string::npos);
  CHECK(list_directory(folder.path()) == std::vector<std::string>{"version"});
}

TEST_CASE("a home left half made by a killed process is completed") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path());
  fs::remove(folder.path() / "version");
  fs::remove(home.oci() / "index.json");
  fs::remove_all(home.tmp());
  HomeLayout::open(folder.path());
  CHECK(fs::is_directory(home.tmp()));
  CHECK(fs::exists(home.oci() / "index.json"));
}

TEST_CASE("a file where the home should be is an error of the machine that names it") {
  const TempDir folder;
  write_file_atomically(folder.path() / "home", "");
  const std::string error = error_of([&] { HomeLayout::open(folder.path() / "home"); });
  CHECK(error.starts_with("machine: "));
  CHECK(error.find((folder.path() / "home").native()) != std::string::npos);
}

TEST_CASE("processes that make one home at the same time do not undo one another's images") {
  for (int round = 0; round < 10; ++round) {
    const TempDir folder;
    const auto make_and_publish = [&](const std::string& name) {
      return [&folder, name](ForkedChild::Link& link) {
        link.hear();
        ContentStore store(HomeLayout::open(folder.path() / "home"));
        const NamedImage image{name, put_image(store, "{}", {name})};
        publish_images(store, {&image, 1});
        return 0;
      };
    };
    ForkedChild a(make_and_publish("a")), b(make_and_publish("b")), c(make_and_publish("c"));
    for (ForkedChild* child : {&a, &b, &c}) child->say("go");
    for (ForkedChild* child : {&a, &b, &c}) REQUIRE(child->wait() == 0);
    ContentStore store(HomeLayout::open(folder.path() / "home"));
    CHECK(named_images(store).size() == 3);
  }
}

TEST_CASE("the default home follows KILN_HOME") {
  const char* before = std::getenv("KILN_HOME");
  const std::string saved = before ? before : "";
  ::setenv("KILN_HOME", "/somewhere/else", 1);
  CHECK(HomeLayout::default_root() == "/somewhere/else");
  if (before) {
    ::setenv("KILN_HOME", saved.c_str(), 1);
  } else {
    ::unsetenv("KILN_HOME");
  }
}

TEST_CASE("a home whose images were removed gets an empty image layout again") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  fs::remove_all(home.oci());
  HomeLayout::open(home.root());
  CHECK(fs::is_directory(home.blobs()));
  CHECK(read_file(home.oci() / "index.json").find("\"manifests\":[]") != std::string::npos);
}

TEST_CASE("root does not use the home of somebody else") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  REQUIRE(::chown((home.root() / "version").c_str(), 1000, 1000) == 0);
  try {
    HomeLayout::open(home.root());
    FAIL_CHECK("it was used");
  } catch (const Error& error) {
    CHECK(error.category() == Category::machine);
    CHECK(error.message() ==
          "'" + home.root().native() +
              "' is the store of user 1000, and root would leave files in it that are not theirs; run "
              "kiln as that user, or point KILN_HOME at a folder of root's");
  }
}
