#include "builder/packages/go_build_info.hpp"

#include <doctest/doctest.h>

#include "builder/packages/package_url.hpp"

using namespace kiln;

namespace {

std::string text_with_length(const std::string& text) {
  std::string result;
  for (std::size_t length = text.size(); true; length >>= 7) {
    result += static_cast<char>((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    if (length <= 0x7f) return result + text;
  }
}

// A program as the Go linker leaves it, as far as it is looked at.
std::string go_program(const std::string& modules, const std::string& version = "go1.22.1", char flags = 2) {
  const std::string sentinel(16, '\x01');
  std::string header = "\xff Go buildinf:";
  header += '\x08';
  header += flags;
  header.resize(32, '\0');
  return std::string(
             "\x7f"
             "ELF") +
         std::string(1000, 'x') + header + text_with_length(version) +
         text_with_length(modules.empty() ? "" : sentinel + modules + sentinel) + "rest";
}

const std::string kModules =
    "path\tgithub.com/acme/app/cmd\nmod\tgithub.com/acme/app\tv1.2.3\th1:aaa=\ndep\tgithub.com/BurntSushi/"
    "toml\tv0.3.1\t"
    "h1:bbb=\ndep\tgithub.com/old/name\tv1.0.0\n=>\tgithub.com/new/name\tv1.1.0\th1:ccc=\nbuild\t-compiler=gc\n";

std::vector<std::string> urls(const std::string& program, std::vector<std::string>* told = nullptr) {
  PackageNotes notes;
  std::vector<std::string> found;
  for (const StatedPackage& package : read_go_build_info(program, "app", notes))
    found.push_back(package_url(package, {}));
  if (told != nullptr) *told = notes.all();
  return found;
}

using Urls = std::vector<std::string>;

}  // namespace

TEST_CASE("the modules of a Go program are its packages, and what replaces one in its place") {
  CHECK(urls(go_program(kModules)) == Urls{"pkg:golang/github.com/acme/app@v1.2.3", "pkg:golang/stdlib@1.22.1",
                                           "pkg:golang/github.com/burntsushi/toml@v0.3.1",
                                           "pkg:golang/github.com/new/name@v1.1.0"});
  CHECK(urls(go_program("mod\tgithub.com/acme/app\t(devel)\t\n", "go1.25rc1 X:rangefunc")) ==
        Urls{"pkg:golang/stdlib@1.25rc1"});
  CHECK(urls(go_program("")) == Urls{"pkg:golang/stdlib@1.22.1"});
}

TEST_CASE("a replacement by a folder has no version and is left out") {
  CHECK(urls(go_program("dep\tgithub.com/old/name\tv1.0.0\n=>\t./fork\t\n")) == Urls{"pkg:golang/stdlib@1.22.1"});
}

TEST_CASE("a magic that leads to nothing is passed over, as in the tools that read it") {
  const std::string program = go_program(kModules);
  const std::string constant = std::string(
                                   "\x7f"
                                   "ELF") +
                               "\xff Go buildinf:" + std::string(40, 'y');
  CHECK(urls(constant).empty());
  CHECK(urls(constant + program).size() == 4);
}

TEST_CASE("what is no Go program of this form states nothing") {
  CHECK(urls("").empty());
  CHECK(urls("#!/bin/sh\n" + go_program(kModules)).empty());
  CHECK(urls(go_program(kModules, "go1.17", 0)).empty());  // pointers to the texts
  CHECK(urls(go_program(kModules, "devel")).empty());
}

TEST_CASE("a Go program that is cut anywhere or says odd things is no fault") {
  const std::string program = go_program(kModules);
  for (std::size_t size = 0; size < program.size(); ++size) urls(program.substr(0, size));
  std::string endless = program.substr(0, 4 + 1000 + 32) + std::string(20, '\xff');
  CHECK(urls(endless).empty());
  Urls told;
  CHECK(urls(go_program("dep\tgithub.com/a b\tv1\ndep\nmod\n\t\t\t\n"), &told) == Urls{"pkg:golang/stdlib@1.22.1"});
  CHECK(told == Urls{"'app': the name 'github.com/a b' is none of a package"});
}
