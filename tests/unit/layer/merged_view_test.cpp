#include "builder/layer/merged_view.hpp"

#include <doctest/doctest.h>

#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

std::string names_in(const MergedView& view, std::string_view folder) {
  std::string names;
  for (const auto& found : view.list(folder)) names += found.path + "@" + std::to_string(found.layer) + " ";
  return names;
}

std::string walked(const MergedView& view, std::string_view path) {
  std::string names;
  view.walk(path, [&](const MergedView::Found& found) {
    names += found.path + " ";
    return true;
  });
  return names;
}

using enum MergedView::FollowLast;

}  // namespace

TEST_CASE("scratch has a root folder and nothing else") {
  const MergedView view;
  REQUIRE(view.lookup(""));
  CHECK(view.lookup("")->implied);
  CHECK_FALSE(view.lookup("etc"));
  CHECK(view.list("").empty());
  CHECK_FALSE(view.passwd());
  CHECK(view.resolve("/a/b", yes).path == "a/b");
}

TEST_CASE("an upper layer's entry covers the lower one's, and folders are merged") {
  const MergedView view({index_of({folder_of("a", 0700), file_of("a/x", "1"), file_of("a/y", "2"), file_of("b", "3")}),
                         index_of({folder_of("a", 0755), file_of("a/y", "22"), file_of("a/z", "4")})});
  CHECK(view.lookup("a")->entry->mode == 0755);
  CHECK(view.lookup("a/y")->entry->size == 2);
  CHECK(view.lookup("a/y")->layer == 1);
  CHECK(view.lookup("a/x")->layer == 0);
  CHECK(names_in(view, "a") == "a/x@0 a/y@1 a/z@1 ");
  CHECK(walked(view, "") == " a a/x a/y a/z b ");
}

TEST_CASE("whiteouts hide what is below them, and only that") {
  const MergedView view(
      {index_of({folder_of("a"), file_of("a/x", "1"), folder_of("a/d"), file_of("a/d/e", "2"), file_of("b", "3")}),
       index_of({folder_of("a"), entry_of("a/d", EntryType::whiteout), entry_of("b", EntryType::whiteout)}),
       index_of({folder_of("a"), folder_of("a/d"), file_of("a/d/new", "4")})});
  CHECK_FALSE(view.lookup("b"));
  CHECK_FALSE(view.lookup("a/d/e"));
  CHECK(view.lookup("a/d/new"));
  CHECK(walked(view, "") == " a a/d a/d/new a/x ");
}

TEST_CASE("an opaque folder shows nothing of the lower layers") {
  const auto lower = index_of({folder_of("a"), file_of("a/x", "1"), file_of("top", "2")});
  const MergedView view({lower, index_of({folder_of("a"), entry_of("a", EntryType::opaque), file_of("a/y", "3")})});
  CHECK(names_in(view, "a") == "a/y@1 ");
  CHECK(view.lookup("top"));
  const MergedView bare({lower, index_of({entry_of("", EntryType::opaque), file_of("z", "3")})});
  CHECK(walked(bare, "") == " z ");
}

TEST_CASE("an opaque marker without its folder's entry leaves the lower folder's mode") {
  const MergedView view({index_of({folder_of("a", 01777), file_of("a/x", "1")}),
                         index_of({entry_of("a", EntryType::opaque), file_of("a/y", "2")})});
  CHECK(view.lookup("a")->entry->mode == 01777);
  CHECK(names_in(view, "a") == "a/y@1 ");
  CHECK_FALSE(view.lookup("a/x"));
}

TEST_CASE("a file over a folder hides the folder, and a folder over a file shows itself alone") {
  const auto folder = index_of({folder_of("a"), file_of("a/x", "1")});
  const auto file = index_of({file_of("a", "2")});
  CHECK(walked(MergedView({folder, file}), "a") == "a ");
  CHECK_FALSE(MergedView({folder, file}).lookup("a/x"));
  CHECK(walked(MergedView({folder, file, index_of({folder_of("a"), file_of("a/y", "3")})}), "a") == "a a/y ");
}

TEST_CASE("a folder that only lower layers describe keeps their mode; one that none describes is implied") {
  const MergedView view(
      {index_of({folder_of("tmp", 01777)}), index_of({file_of("tmp/x", "1"), file_of("opt/y", "2")})});
  CHECK(view.lookup("tmp")->entry->mode == 01777);
  CHECK_FALSE(view.lookup("tmp")->implied);
  CHECK(view.lookup("opt")->implied);
  CHECK(view.lookup("opt")->entry->mode == 0755);
  const MergedView clash({index_of({link_of("lib", "usr/lib")}), index_of({file_of("lib/x", "1")})});
  CHECK(clash.lookup("lib")->implied);
}

TEST_CASE("symlinks are followed as inside the image") {
  const MergedView view({index_of(
      {folder_of("usr"), folder_of("usr/lib"), file_of("usr/lib/so", "1"), link_of("lib", "usr/lib"),
       link_of("abs", "/usr/lib"), link_of("up", "../../../../usr"), link_of("usr/back", "../lib/so"),
       link_of("loop", "loop2"), link_of("loop2", "loop"), link_of("dangling", "nowhere/x"), file_of("file", "2")})});
  CHECK(view.resolve("lib/so", yes).path == "usr/lib/so");
  CHECK(view.resolve("/abs/so", yes).path == "usr/lib/so");
  CHECK(view.resolve("up/back", yes).path == "usr/lib/so");
  CHECK(view.resolve("lib", no).path == "lib");
  CHECK(view.resolve("lib", no).found->entry->type == EntryType::symlink);
  CHECK(view.resolve("lib/../x", yes).path == "usr/x");
  CHECK(view.resolve("../../usr/./lib/", yes).path == "usr/lib");
  CHECK(view.resolve("dangling", yes).path == "nowhere/x");
  CHECK_FALSE(view.resolve("dangling", yes).found);
  CHECK(view.resolve("lib/new/deep", yes).path == "usr/lib/new/deep");
  CHECK(message_of([&] { view.resolve("loop/x", yes); }).find("more than 40 symbolic links") != std::string::npos);
  CHECK(message_of([&] { view.resolve("file/x", yes); }) ==
        "cannot resolve 'file/x' in the image: '/file' is no folder");
  CHECK(view.resolve_if_possible("up/back", yes)->path == "usr/lib/so");
  CHECK_FALSE(view.resolve_if_possible("loop/x", yes));
  CHECK_FALSE(view.resolve_if_possible("file/x", yes));
  CHECK_FALSE(view.lookup("lib/so"));
}

TEST_CASE("users are read from the top of the stack, through links") {
  const std::string lower = "root:x:0:0::/root:/bin/sh\n";
  const std::string upper = lower + "app:x:1000:1000::/app:/bin/sh\n";
  const auto base = index_of({file_of("etc/passwd", lower)}, {{"etc/passwd", lower}});
  CHECK(*MergedView({base}).passwd() == lower);
  CHECK(*MergedView({base, index_of({file_of("etc/passwd", upper)}, {{"etc/passwd", upper}})}).passwd() == upper);
  CHECK_FALSE(MergedView({base, index_of({entry_of("etc/passwd", EntryType::whiteout)})}).passwd());
  CHECK_FALSE(MergedView({base}).group());
  const MergedView linked(
      {index_of({link_of("etc/os-release", "../usr/lib/os-release"), file_of("usr/lib/os-release", "ID=debian\n")},
                {{"usr/lib/os-release", "ID=debian\n"}})});
  CHECK(*linked.kept_text("etc/os-release") == "ID=debian\n");
  CHECK_ERROR(MergedView({index_of({file_of("etc/passwd", "not kept")})}).passwd(), Category::build,
              "'/etc/passwd' of the image is too large, or lies too far off, to be read as '/etc/passwd'");
}

TEST_CASE("the file behind a hard link is found in its layer or below, as it was then") {
  const auto base = index_of({file_of("a", "one"), link_of("b", "a", EntryType::hardlink)});
  const MergedView view({base, index_of({file_of("a", "replaced"), link_of("c", "b", EntryType::hardlink)})});
  const auto found = view.file_behind(*view.lookup("c"));
  REQUIRE(found);
  CHECK(found->layer == 0);
  CHECK(found->entry->size == 3);
  const MergedView broken({index_of({link_of("x", "y", EntryType::hardlink), link_of("y", "x", EntryType::hardlink)})});
  CHECK_FALSE(broken.file_behind(*broken.lookup("x")));
}

TEST_CASE("a walk keeps out of folders that its visitor refuses") {
  const MergedView view({index_of({folder_of("a"), file_of("a/x", "1"), folder_of("b"), file_of("b/y", "2")})});
  std::string names;
  view.walk("", [&](const MergedView::Found& found) {
    names += found.path + " ";
    return found.path != "a";
  });
  CHECK(names == " a b b/y ");
}
