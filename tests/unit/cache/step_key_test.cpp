#include "builder/cache/step_key.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace kiln;

namespace {

// The grammar of step_key.hpp, written a second time.
std::string item(const std::string& bytes) { return std::to_string(bytes.size()) + ":" + bytes; }
std::string field(const std::string& name, char type, const std::string& bytes) {
  return name + " " + type + " " + item(bytes) + "\n";
}
std::string key_of(const std::string& kind, const std::string& fields) {
  return std::string(oci::sha256_of("kiln step key 2\n" + kind + "\n" + fields).hex());
}

FileEntry sample() {
  FileEntry entry;
  entry.path = "usr/bin/ping";
  entry.type = EntryType::file;
  entry.mode = 0755;
  entry.uid = 1;
  entry.gid = 2;
  entry.size = 4;
  entry.mtime = 1700000000;
  entry.content = oci::sha256_of("ping");
  entry.xattrs = {{"security.capability", std::string("\1\0\2", 3)}, {"user.a", ""}};
  return entry;
}

std::string entry_key(const FileEntry& entry) { return StepKeyBuilder("copy").entry(entry.path, entry).finish(); }

}  // namespace

// A changed digest here means that every cache in the world misses: raise kStepKeyVersion and say so.
TEST_CASE("the keys of version 2 are pinned") {
  CHECK(kStepKeyVersion == 2);
  CHECK(StepKeyBuilder("run").finish() == "9aa1d49a9872fea9609e93ef537d5bdabbe0388a367249c7ca630ca1f1d4eab6");
  CHECK(StepKeyBuilder("run")
            .text("platform", "linux/amd64")
            .list("parents", {"sha256:aa", "sha256:bb"})
            .number("user.uid", 0)
            .list("argv", {"/bin/sh", "-c", "make"})
            .finish() == "f6f9a9a4b0eb17760e29ed301dae70d7e7a45ec6db108b6ef1a4e35544e472ec");
  CHECK(entry_key(sample()) == "bf42c9458111c44c6dccd83195cdaf4f160e8a395ea4e8fe5241b81843d77c35");
}

TEST_CASE("a key is what the grammar says") {
  CHECK(StepKeyBuilder("run").finish() == key_of("run", ""));
  CHECK(StepKeyBuilder("run").text("cwd", "/a b").number("shm", -5).list("argv", {"sh", "", "x\ny"}).finish() ==
        key_of("run", field("cwd", 's', "/a b") + field("shm", 'n', "-5") +
                          field("argv", 'l', item("sh") + item("") + item("x\ny"))));
  const FileEntry entry = sample();
  CHECK(entry_key(entry) ==
        key_of("copy", field("entry", 'l',
                             item("usr/bin/ping") + item("f") + item("755") + item("1") + item("2") +
                                 item(entry.content.str()) + item("") + item("0:0") + item("security.capability") +
                                 item(std::string("\1\0\2", 3)) + item("user.a") + item(""))));
}

TEST_CASE("a key of many fields is what the grammar says, too") {
  StepKeyBuilder built("copy");
  std::string fields;
  for (int i = 0; i < 20'000; ++i) {
    built.text("entry", std::to_string(i));
    fields += field("entry", 's', std::to_string(i));
  }
  CHECK(built.finish() == key_of("copy", fields));
}

TEST_CASE("everything of an entry is in its key but size and time") {
  const std::string before = entry_key(sample());
  const auto changed = [&](const std::function<void(FileEntry&)>& change) {
    FileEntry entry = sample();
    change(entry);
    return entry_key(entry) != before;
  };
  CHECK(changed([](FileEntry& e) { e.path = "usr/bin/pong"; }));
  CHECK(changed([](FileEntry& e) { e.type = EntryType::fifo; }));
  CHECK(changed([](FileEntry& e) { e.mode = 04755; }));
  CHECK(changed([](FileEntry& e) { e.uid = 0; }));
  CHECK(changed([](FileEntry& e) { e.gid = 0; }));
  CHECK(changed([](FileEntry& e) { e.content = oci::sha256_of("pong"); }));
  CHECK(changed([](FileEntry& e) { e.link = "ping"; }));
  CHECK(changed([](FileEntry& e) { e.device_major = 1; }));
  CHECK(changed([](FileEntry& e) { e.device_minor = 1; }));
  CHECK(changed([](FileEntry& e) { e.xattrs["user.a"] = "b"; }));
  CHECK(changed([](FileEntry& e) { e.xattrs["user.b"] = ""; }));
  CHECK(changed([](FileEntry& e) { e.xattrs.clear(); }));
  CHECK_FALSE(changed([](FileEntry& e) { e.mtime = 0; }));
  CHECK_FALSE(changed([](FileEntry& e) { e.size = 0; }));
}

TEST_CASE("an entry stands at the path that is said, not at its own") {
  FileEntry elsewhere = sample();
  elsewhere.path = "other";
  CHECK(StepKeyBuilder("tree").entry("bin/ping", sample()).finish() ==
        StepKeyBuilder("tree").entry("bin/ping", elsewhere).finish());
}

TEST_CASE("a list is not its concatenation") {
  const auto key = [](const std::vector<std::string>& items) {
    return StepKeyBuilder("run").list("argv", items).finish();
  };
  CHECK(key({"ab", "c"}) != key({"a", "bc"}));
  CHECK(key({"a", ""}) != key({"a"}));
  CHECK(key({}) != key({""}));
}

TEST_CASE("the kind, the names and the types of fields count") {
  CHECK(StepKeyBuilder("run").text("a", "1").finish() != StepKeyBuilder("copy").text("a", "1").finish());
  CHECK(StepKeyBuilder("run").text("a", "1").finish() != StepKeyBuilder("run").text("b", "1").finish());
  CHECK(StepKeyBuilder("run").text("a", "1").finish() != StepKeyBuilder("run").number("a", 1).finish());
}

TEST_CASE("a key is sixty-four lower-case hex digits") {
  CHECK(is_step_key(StepKeyBuilder("run").finish()));
  CHECK_FALSE(is_step_key(""));
  CHECK_FALSE(is_step_key(std::string(64, 'A')));
  CHECK_FALSE(is_step_key("../../etc/passwd"));
}
