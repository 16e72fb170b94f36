#include "builder/definitions/checked_out_commit.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"

using namespace kiln;

namespace {

const std::string kFirst(40, 'a');
const std::string kSecond(40, 'b');

// A checkout in folder/repo.
struct Checkout {
  Checkout() { make_directories(repo() / "images/app"); }
  fs::path repo() const { return folder.path() / "repo"; }
  void write(const std::string& path, const std::string& text) const {
    make_directories((folder.path() / path).parent_path());
    write_file_atomically(folder.path() / path, text);
  }
  std::optional<std::string> commit() const { return checked_out_commit(repo() / "images/app"); }

  TempDir folder;
};

}  // namespace

TEST_CASE("the commit is that of the branch, loose before packed, or of HEAD itself") {
  const Checkout checkout;
  checkout.write("repo/.git/HEAD", "ref: refs/heads/main\n");
  CHECK_FALSE(checkout.commit());  // before the first commit
  checkout.write("repo/.git/packed-refs", "# pack-refs with: peeled\n" + kSecond + " refs/heads/mainly\n" + kFirst +
                                              " refs/heads/main\n^" + kSecond + "\n");
  CHECK(checkout.commit() == kFirst);
  checkout.write("repo/.git/refs/heads/main", kSecond + "\n");
  CHECK(checkout.commit() == kSecond);
  checkout.write("repo/.git/HEAD", kFirst + "\n");
  CHECK(checkout.commit() == kFirst);
}

TEST_CASE("a linked worktree has its own HEAD and the references of all") {
  const Checkout checkout;
  checkout.write("repo/.git", "gitdir: ../main/.git/worktrees/repo\n");
  checkout.write("main/.git/worktrees/repo/HEAD", "ref: refs/heads/topic\n");
  checkout.write("main/.git/worktrees/repo/commondir", "../..\n");
  checkout.write("main/.git/refs/heads/topic", kFirst + "\n");
  CHECK(checkout.commit() == kFirst);
}

TEST_CASE("where there is no checkout, or what it says is none of git's forms, there is no commit") {
  const Checkout checkout;
  checkout.write("repo/.git/HEAD", "ref: ../../etc/passwd\n");
  CHECK_FALSE(checkout.commit());
  checkout.write("repo/.git/HEAD", "ref: refs/heads/../../HEAD\n");
  CHECK_FALSE(checkout.commit());
  checkout.write("repo/.git/HEAD", "main\n");
  CHECK_FALSE(checkout.commit());
  CHECK_FALSE(checked_out_commit("/proc"));
}
