#include "builder/solve/machine_check.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace kiln;

namespace {

// The first bytes of a program.
std::string elf(char machine, char bits = 2, char order = 1, char type = 3) {
  std::string head(64, '\0');
  head.replace(0, 4,
               "\x7f"
               "ELF");
  head[4] = bits;
  head[5] = order;
  head[order == 1 ? 16 : 17] = type;
  head[order == 1 ? 18 : 19] = machine;
  return head;
}

FileEntry entry(std::string path, EntryType type, std::string link = "") {
  FileEntry made;
  made.path = std::move(path);
  made.type = type;
  made.mode = 0755;
  made.link = std::move(link);
  if (type == EntryType::file) made.content = oci::sha256_of(made.path);
  return made;
}

MergedView view_of(std::vector<FileEntry> entries) {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("tar");
  parts.entries = std::move(entries);
  return MergedView({std::make_shared<const FileIndex>(std::move(parts))});
}

}  // namespace

TEST_CASE("a program's machine is told in the words of platforms") {
  CHECK(elf_machine(elf(62)) == "amd64");
  CHECK(elf_machine(elf('\xb7')) == "arm64");
  CHECK(elf_machine(elf(40, 1)) == "arm");
  CHECK(elf_machine(elf(3, 1)) == "386");
  CHECK(elf_machine(elf('\xf3')) == "riscv64");
  CHECK(elf_machine(elf('\xf3', 1)) == "ELF machine 243");
  CHECK(elf_machine(elf(21)) == "ppc64le");
  CHECK(elf_machine(elf(21, 2, 2)) == "ppc64");
  CHECK(elf_machine(elf(22, 2, 2)) == "s390x");
  CHECK(elf_machine(elf(99)) == "ELF machine 99");
}

TEST_CASE("what is no program has no machine") {
  CHECK_FALSE(elf_machine(""));
  CHECK_FALSE(elf_machine("#!/bin/sh\necho a script of some length\n"));
  CHECK_FALSE(
      elf_machine(std::string("\x7f"
                              "ELF")));
  constexpr char kRelocatable = 1;
  CHECK_FALSE(elf_machine(elf(62, 2, 1, kRelocatable)));
}

TEST_CASE("amd64 runs 386, and nothing else runs a foreign program") {
  CHECK(runs_on("amd64", "amd64"));
  CHECK(runs_on("386", "amd64"));
  CHECK_FALSE(runs_on("amd64", "386"));
  CHECK_FALSE(runs_on("amd64", "arm64"));
  CHECK_FALSE(runs_on("arm", "arm64"));
  CHECK_FALSE(runs_on("ELF machine 99", "amd64"));
  CHECK(runs_on("amd64", "wasm"));
}

TEST_CASE("a program is found as execve and PATH find it, through links") {
  const MergedView view =
      view_of({entry("app/tool", EntryType::file), entry("bin", EntryType::symlink, "usr/bin"),
               entry("usr/bin/dash", EntryType::file), entry("usr/bin/sh", EntryType::symlink, "dash"),
               entry("usr/sbin/dash", EntryType::directory)});
  oci::ContainerConfig config;
  config.working_dir = "/app";
  config.env = {"PATH=/nowhere:/usr/bin/dash:/usr/sbin:/bin"};
  CHECK(find_program(view, config, "/bin/sh") == "/bin/sh");
  CHECK(find_program(view, config, "./tool") == "/app/./tool");
  CHECK(find_program(view, config, "dash") == "/bin/dash");
  CHECK(find_program(view, config, "tool").empty());
  CHECK(find_program(view, config, "/app/tool/below").empty());
  CHECK(find_program(view, config, "").empty());
}

TEST_CASE("a script's first line names its interpreter, and what env is asked to find") {
  using Words = std::vector<std::string>;
  CHECK(shebang_programs("#!/bin/sh -e\nexit\n") == Words{"/bin/sh"});
  CHECK(shebang_programs("#! /usr/bin/env python3\n") == Words{"/usr/bin/env", "python3"});
  CHECK(shebang_programs("#!/usr/bin/env -S LANG=C python3 -u\n") == Words{"/usr/bin/env", "python3"});
  CHECK(shebang_programs("#!").empty());
  CHECK(shebang_programs("echo").empty());
}
