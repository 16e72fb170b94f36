#include "builder/steps/users.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/steps/image_fixture.hpp"

using namespace kiln;

namespace {
MergedView image() {
  return image_of({}, {{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002::/home/app:/bin/sh\n"},
                       {"etc/group", "root:x:0:\nwheel:x:10:root,app\napp:x:1002:\n"}});
}
}  // namespace

TEST_CASE("a process has its own group and those that list its user") {
  const ResolvedUser app = resolve_user("app", image());
  CHECK(app.uid == 1001);
  CHECK(app.gid == 1002);
  CHECK(app.home == "/home/app");
  CHECK(app.groups == std::vector<std::uint32_t>{10, 1002});
  CHECK(resolve_user("", image()).groups == std::vector<std::uint32_t>{0, 10});
}

TEST_CASE("a user's number is its entry's, or itself") {
  CHECK(find_uid("app:wheel", image()) == 1001);
  CHECK(find_uid("1234", image()) == 1234);
  CHECK_FALSE(find_uid("nobody-here", image()));
}

TEST_CASE("a group that is named is the only one") {
  CHECK(resolve_user("app:wheel:more", image()).gid == 10);
  CHECK(resolve_user("5:6:7", image()).gid == 6);
  const ResolvedUser app = resolve_user("app:wheel", image());
  CHECK(app.gid == 10);
  CHECK(app.groups == std::vector<std::uint32_t>{10});
}

TEST_CASE("numbers need no entry, and names do") {
  const ResolvedUser number = resolve_user("1234", image());
  CHECK(number.uid == 1234);
  CHECK(number.gid == 0);
  CHECK(error_of([&] { resolve_user("nobody-here", image()); }) ==
        "build: user 'nobody-here' is not in the image's /etc/passwd; known: root, app");
  CHECK(error_of([&] { resolve_user("app:nobody-here", image()); }) ==
        "build: group 'nobody-here' is not in the image's /etc/group");
}

TEST_CASE("a number is an id, also where an entry has it for a name") {
  const MergedView view = image_of(
      {}, {{"etc/passwd", "10:x:5:6::/:/bin/sh\nten:x:10:11::/:/bin/sh\n"}, {"etc/group", "10:x:7:\nten:x:10:\n"}});
  const ResolvedUser user = resolve_user("10", view);
  CHECK(user.uid == 10);
  CHECK(user.gid == 11);
  CHECK(resolve_user("ten:10", view).gid == 10);
  CHECK(resolve_owner("10:10", view).uid == 10);
  CHECK(resolve_owner("ten:ten", view).gid == 10);
}

TEST_CASE("a number that no runtime takes is refused, and one with a sign is one") {
  CHECK(error_of([&] { resolve_user("2147483648", image()); }) ==
        "build: user '2147483648': expected a number up to 2147483647");
  CHECK(error_of([&] { resolve_user("+2147483648", image()); }) ==
        "build: user '+2147483648': expected a number up to 2147483647");
  CHECK(error_of([&] { resolve_user("7:4294967296", image()); }) ==
        "build: group '4294967296': expected a number up to 2147483647");
  CHECK(resolve_user("2147483647", image()).uid == 2147483647);
  CHECK(resolve_user("+5", image()).uid == 5);
  CHECK(resolve_owner("+5:+6", image()).gid == 6);
}

TEST_CASE("an owner that is unknown is root in an image, which is said, and an error in an empty one") {
  const ResolvedOwner owner = resolve_owner("nobody-here:nor-here", image());
  CHECK(owner.uid == 0);
  CHECK(owner.gid == 0);
  CHECK(owner.notes ==
        std::vector<std::string>{"--chown: user 'nobody-here' is not in the image's /etc/passwd, so it is 0",
                                 "--chown: group 'nor-here' is not in the image's /etc/group, so it is 0"});
  CHECK(resolve_owner("app:4294967295", image()).notes ==
        std::vector<std::string>{"--chown: group '4294967295' is not in the image's /etc/group, so it is 1002"});
  CHECK(resolve_owner("app:wheel", image()).notes.empty());
  CHECK(error_of([&] { resolve_owner("nobody-here", MergedView()); }) ==
        "build: --chown: user 'nobody-here' cannot be looked up: the image has no /etc/passwd");
}

TEST_CASE("an owner's number counts for the group too") {
  CHECK(resolve_owner("7", MergedView()).gid == 7);
  CHECK(resolve_owner("7:8", MergedView()).gid == 8);
  CHECK(resolve_owner("app", image()).gid == 1002);
  CHECK(resolve_owner("7:", MergedView()).gid == 7);
  CHECK(resolve_owner("app:", image()).gid == 1002);
  CHECK(resolve_owner(":8", MergedView()).gid == 8);
  CHECK(resolve_owner("app:wheel", image()).gid == 10);
}

TEST_CASE("an owner of numbers alone needs no file, and a name is not looked for in one that is too large") {
  FileEntry passwd = entry_of("etc/passwd");
  FileEntry group = entry_of("etc/group");
  passwd.size = group.size = (1 << 20) + 1;
  const MergedView image = image_of({group, passwd});
  CHECK(resolve_owner("7:8", image).uid == 7);
  CHECK(resolve_owner("7:8", image).gid == 8);
  CHECK(resolve_owner("7", image).gid == 7);
  CHECK(error_of([&] { resolve_owner("app", image); }) ==
        "build: '/etc/passwd' of the image is too large, or lies too far off, to be read as '/etc/passwd'");
  CHECK(error_of([&] { resolve_owner("7:app", image); }) ==
        "build: '/etc/group' of the image is too large, or lies too far off, to be read as '/etc/group'");
}

TEST_CASE("a user is not looked for in a file of more than 1 MiB") {
  FileEntry passwd = entry_of("etc/passwd");
  FileEntry group = entry_of("etc/group");
  passwd.size = group.size = (1 << 20) + 1;
  CHECK(error_of([&] {
          resolve_user("app", image_of({group, passwd}));
        }) == "build: '/etc/passwd' of the image is too large, or lies too far off, to be read as '/etc/passwd'");
  CHECK(error_of([&] { resolve_user("7:wheel", image_of({group})); }) ==
        "build: '/etc/group' of the image is too large, or lies too far off, to be read as '/etc/group'");
  CHECK(kMaxKeptFileBytes == 1 << 20);
}
