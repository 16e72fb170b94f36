#include "builder/steps/copy_plan.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/steps/context_source.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/steps/image_fixture.hpp"

using namespace kiln;

namespace {

// A build context in a folder.
struct Context {
  TempDir folder;
  ThreadPool pool;
  ContextSource source{{folder.path(), {}}, {pool, {}}};

  explicit Context(const std::vector<std::string>& files) {
    for (const std::string& file : files) {
      make_directories((folder.path() / file).parent_path());
      const Fd made = create_file(folder.path() / file);
      write_all(made, file, file);
    }
  }
  void hard_link(const std::string& from, const std::string& to) {
    fs::create_hard_link(folder.path() / from, folder.path() / to);
  }
  void symlink(const std::string& to, const std::string& at) { fs::create_symlink(to, folder.path() / at); }
};

// What a plan writes: "f app/a", "d app", "h app/b -> app/a".
std::vector<std::string> written(CopyPlan& plan) {
  std::vector<std::string> lines;
  for (const auto& planned : plan.finish()) {
    const FileEntry& entry = planned.entry;
    lines.push_back(std::string(1, to_letter(entry.type)) + " " + entry.path +
                    (entry.link.empty() ? "" : " -> " + entry.link));
  }
  return lines;
}

std::vector<std::string> copied(const CopySource& source, const std::string& from, const std::string& to,
                                const MergedView& image = {}, CopyOptions options = {}) {
  CopyPlan plan(image, std::move(options));
  plan.add(source, from, to);
  return written(plan);
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a folder contributes its contents, and the folders above the target are made") {
  const Context context({"src/a", "src/sub/b"});
  CHECK(copied(context.source, "src", "/app/x") ==
        Lines{"d app", "d app/x", "f app/x/a", "d app/x/sub", "f app/x/sub/b"});
}

TEST_CASE("a file goes into a folder that is there or is spelt as one") {
  const Context context({"a"});
  CHECK(copied(context.source, "a", "/app/") == Lines{"d app", "f app/a"});
  CHECK(copied(context.source, "a", "/app") == Lines{"f app"});
  CHECK(copied(context.source, "a", "/app", image_of({folder_of("app")})) == Lines{"d app", "f app/a"});
}

TEST_CASE("links of the target are followed, and --link does not see them") {
  const Context context({"a"});
  const MergedView image = image_of({folder_of("real"), link_of("app", "/real")});
  CHECK(copied(context.source, "a", "/app/", image) == Lines{"d real", "f real/a"});
  CopyOptions link;
  link.link = true;
  CHECK(copied(context.source, "a", "/app/", image, link) == Lines{"d app", "f app/a"});
}

TEST_CASE("folders and files do not take each other's place") {
  const Context context({"dir/a", "file"});
  CHECK(error_of([&] { copied(context.source, "dir", "/app", image_of({entry_of("app")})); }) ==
        "build: cannot copy the directory 'dir' to '/app', which is not a directory");
  CHECK(error_of([&] { copied(context.source, ".", "/", image_of({folder_of("file")})); }) ==
        "build: cannot replace the directory '/file' with a file");
}

TEST_CASE("what the target has is seen in every folder, also after one that it does not have") {
  const Context context({"a/new/x", "a/old/f/y", "a/old/g", "z/f"});
  const MergedView image =
      image_of({folder_of("a"), folder_of("a/old"), entry_of("a/old/f"), folder_of("z"), folder_of("z/f")});
  CHECK(error_of([&] { copied(context.source, "a", "/a", image); }) ==
        "build: cannot copy a directory to '/a/old/f', which is not a directory");
  CHECK(error_of([&] { copied(context.source, ".", "/", image); }) ==
        "build: cannot copy a directory to '/a/old/f', which is not a directory");
  CHECK(copied(context.source, "a", "/", image_of({folder_of("old"), entry_of("old/g")})) ==
        Lines{"d new", "f new/x", "d old", "d old/f", "f old/f/y", "f old/g"});
}

TEST_CASE("what was read ahead is what is asked for, and what failed then fails when asked") {
  Context context({"a", "dir/b", "dir/c"});
  context.source.read_ahead({"a", "missing", "dir"});
  CHECK(copied(context.source, "a", "/app") == Lines{"f app"});
  context.source.read_ahead({"d*", "a"});
  FileEntry b = *context.source.lookup("dir/b");
  CHECK(b.content.empty());
  std::vector<FileEntry*> files = {&b};
  context.source.digest(files);
  CHECK(b.content == oci::sha256_of(read_file(context.folder.path() / "dir/b")));
  const Context gone({"a"});
  fs::remove_all(gone.folder.path());
  gone.source.read_ahead({"a"});
  CHECK(error_of([&] { copied(gone.source, "a", "/app"); }).starts_with("machine: cannot open folder '"));
  fs::create_directory(gone.folder.path());
}

TEST_CASE("a source that is a link is what it leads to") {
  Context context({"dir/a"});
  context.symlink("dir/a", "link");
  CHECK(copied(context.source, "link", "/x") == Lines{"f x"});
}

TEST_CASE("names of one file stay one file within one transfer") {
  Context context({"dir/a"});
  context.hard_link("dir/a", "dir/b");
  CHECK(copied(context.source, "dir", "/x") == Lines{"d x", "f x/a", "h x/b -> x/a"});
  CopyPlan plan({}, {});
  plan.add(context.source, "dir/a", "/x/");
  plan.add(context.source, "dir/b", "/x/");
  CHECK(written(plan) == Lines{"d x", "f x/a", "f x/b"});
}

TEST_CASE("a wildcard may match nothing, a plain path may not") {
  const Context context({"a.txt", "b.md"});
  CHECK(copied(context.source, "*.txt", "/x/") == Lines{"d x", "f x/a.txt"});
  CHECK(copied(context.source, "*.rs", "/x/").empty());
  CHECK(error_of([&] { copied(context.source, "a.tx", "/x/"); }) ==
        "build: '/a.tx' is not in the build context; did you mean 'a.txt'?");
}

TEST_CASE("a wildcard needs the folder that is named before it") {
  Context context({"dir/a.txt", "file"});
  context.symlink("dir", "link");
  context.symlink("nowhere", "dangling");
  CHECK(copied(context.source, "link/*.txt", "/x/") == Lines{"d x", "f x/a.txt"});
  CHECK(copied(context.source, "dir/*.rs", "/x/").empty());
  const auto refused = [&](const char* pattern, const char* message) {
    CAPTURE(pattern);
    CHECK(error_of([&] { copied(context.source, pattern, "/x/"); }) == std::string("build: ") + message);
  };
  refused("dirr/*.txt", "'/dirr' is not in the build context; did you mean 'dir'?");
  refused("dir/e/f*/g", "'/dir/e' is not in the build context");
  refused("file/*", "'/file' of the build context is not a folder, so no wildcard below it can match");
  refused("dangling/*", "'/dangling' leads by a link to '/nowhere', which is not in the build context");
  refused("dangling", "'/dangling' leads by a link to '/nowhere', which is not in the build context");
}

TEST_CASE("--parents says where the folder before its wildcard is missing") {
  const Context context({"dir/a.txt"});
  CopyOptions options;
  options.parents = true;
  CopyPlan plan({}, options);
  plan.add(context.source, "dir/*.rs", "/x/");
  CHECK(plan.notes().empty());
  plan.add(context.source, "nope/*.rs", "/x/");
  CHECK(plan.notes() ==
        std::vector<std::string>{"--parents 'nope/*.rs' matches nothing: '/nope' is not in the build context"});
}

TEST_CASE("--parents keeps what is behind the pivot, which may have wildcards") {
  const Context context({"a/b/c/x", "a/b2/c/y"});
  CopyOptions parents;
  parents.parents = true;
  CHECK(copied(context.source, "a/b/c/x", "/o/", {}, parents) ==
        Lines{"d o", "d o/a", "d o/a/b", "d o/a/b/c", "f o/a/b/c/x"});
  CHECK(copied(context.source, "a/b*/./c/*", "/o/", {}, parents) == Lines{"d o", "d o/c", "f o/c/x", "f o/c/y"});
}

TEST_CASE("--exclude leaves out what is inside of a folder") {
  const Context context({"dir/a", "dir/b.log"});
  CopyOptions options;
  options.excludes = {"*.log"};
  CHECK(copied(context.source, "dir", "/x", {}, options) == Lines{"d x", "f x/a"});
}

TEST_CASE("owner and mode go to folders that are made, too") {
  const Context context({"a"});
  CopyOptions options;
  options.owner = Ownership{7, 8};
  options.change_mode = parse_chmod("0700");
  options.made_directory_mode = octal_chmod("0700").value();
  CopyPlan plan({}, options);
  plan.add(context.source, "a", "/x/");
  for (const auto& planned : plan.finish()) {
    CHECK(planned.entry.uid == 7);
    CHECK(planned.entry.gid == 8);
    CHECK(planned.entry.mode == 0700);
  }
}

TEST_CASE("the key of a copy does not know times") {
  Context context({"a"});
  const auto key = [&] {
    const ContextSource source({context.folder.path(), {}}, {context.pool, {}});
    CopyPlan plan({}, {});
    plan.add(source, "a", "/x");
    StepKeyBuilder built("copy");
    for (const CopyPlan::Planned& planned : plan.finish()) built.entry(planned.entry.path, planned.entry);
    return built.finish();
  };
  const auto before = key();
  fs::last_write_time(context.folder.path() / "a", fs::file_time_type::clock::now() - std::chrono::hours(100));
  CHECK(key() == before);
}

TEST_CASE("files that are more than a layer holds are refused before they are read, names of one file counted once") {
  Context context({"src/a", "src/b"});
  const fs::path holes = context.folder.path() / "src/holes";
  std::ofstream(holes) << "x";
  fs::resize_file(holes, std::uint64_t{3} << 40);
  CopyPlan plan({}, {});
  plan.add(context.source, "src", "/app/");
  CHECK(
      error_of([&] { plan.finish(); }) ==
      "build: '/app/holes' has 3.30 TB, with which the files of its layer come to more than 256 GiB; leave it out, or "
      "mount it");
}
