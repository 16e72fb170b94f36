#include "builder/packages/go_build_info.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any bytes as a program: nothing is thrown, and what is stated is a package's.
namespace kiln::fuzz {

namespace {

const std::string kElf =
    "\x7f"
    "ELF";
const std::string kHeader = std::string("\xff Go buildinf:\x08\x02") + std::string(16, '\0');

}  // namespace

void fuzz_one(std::string_view input) {
  PackageNotes notes;
  for (const StatedPackage& module : read_go_build_info(input, "input", notes))
    require(is_plain_word(module.name) && is_plain_word(module.version), "a module without a name or version");
}

std::vector<std::string> seeds() {
  const std::string modules = std::string(16, 's') + "mod\ta/b\tv1\ndep\tc/d\tv2\n=>\te/f\tv3\n" + std::string(16, 'e');
  const std::string version =
      "\x06"
      "go1.22";
  return {kElf + kHeader + version + static_cast<char>(modules.size()) + modules, kElf + kHeader + version + '\0', kElf,
          kElf + kHeader + kHeader + version};
}

std::vector<std::string> words() {
  return {kElf, kHeader, "go1.22", "dep\t", "mod\t", "=>\t", "\t", "\n", "\x80", "\xff", std::string(16, 's')};
}

}  // namespace kiln::fuzz
