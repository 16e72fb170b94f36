#include "builder/run/overlay.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

TEST_CASE("folders are named relative to the store, the uppermost first") {
  OverlayMount mount;
  mount.lowers = {"/home/snapshots/1/fs", "/home/snapshots/2/fs", "/elsewhere/stubs"};
  mount.upper = "/home/snapshots/3/fs";
  mount.work = "/home/snapshots/3/work";
  CHECK(overlay_options(mount, "/home/snapshots") ==
        "lowerdir=/elsewhere/stubs:2/fs:1/fs,upperdir=3/fs,workdir=3/"
        "work,volatile,redirect_dir=off,metacopy=off,index=off");
  mount.upper.clear();
  mount.user_xattrs = true;
  CHECK(overlay_options(mount, "/home/snapshots") ==
        "lowerdir=/elsewhere/stubs:2/fs:1/fs,redirect_dir=nofollow,metacopy=off,index=off,userxattr");
}

TEST_CASE("what divides options is escaped in a path") {
  OverlayMount mount;
  mount.lowers = {"/a:b", "/c,d", "/e\\f"};
  CHECK(overlay_options(mount, "/home").starts_with("lowerdir=/e\\\\f:/c\\,d:/a\\:b,"));
}

TEST_CASE("as many layers as an image may have fit into a page") {
  OverlayMount mount;
  for (int i = 0; i < 127; ++i) mount.lowers.push_back("/home/snapshots/" + std::to_string(1'000'000 + i) + "/fs");
  mount.lowers.push_back("/some/home/of/moderate/length/runtime/mnt/stubs");
  mount.upper = "/home/snapshots/9999999/fs";
  mount.work = "/home/snapshots/9999999/work";
  CHECK(overlay_options(mount, "/home/snapshots").size() < 4096);
}

TEST_CASE("options beyond a page are refused before the kernel cuts them") {
  OverlayMount mount;
  for (int i = 0; i < 100; ++i) mount.lowers.push_back("/" + std::string(60, 'x') + std::to_string(i));
  CHECK(error_of([&] {
          overlay_options(mount, "/home");
        }).starts_with("machine: overlay of 100 layers: its mount options take "));
}
