#include <filesystem>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/layer/unpack.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/tar_inputs.hpp"

// Any bytes as a tar that is unpacked to the disk, which nothing outside of its folder may feel. A few hundred inputs a
// second; what reads the tar alone is in layer_tar_fuzz.cpp.
namespace kiln::fuzz {

namespace {

void unpack(const std::string& tar, UnpackTo to) {
  const TempDir dir;
  const fs::path folder = dir.path() / "in";
  fs::create_directory(folder);
  write_file_atomically(dir.path() / "outside", "untouched", Durability::ephemeral);
  UnpackOptions options;
  options.to = to;
  options.ownership = false;
  options.devices = false;
  options.overlay_xattrs = OverlayXattrs::user;
  MemorySource source(tar);
  try {
    unpack_tar(source, "input", folder, {}, options);
  } catch (const Error& error) {
    require(error.category() == Category::build || error.category() == Category::machine, "another category");
  }
  std::size_t names = 0;
  for (const auto& item : fs::directory_iterator(dir.path())) names += item.path().empty() ? 0 : 1;
  require(names == 2 && read_file(dir.path() / "outside") == "untouched", "something outside the folder was touched");
}

}  // namespace

void fuzz_one(std::string_view input) {
  const std::string tar = sealed_tar(input);
  unpack(tar, UnpackTo::overlay_lower);
  unpack(tar, UnpackTo::plain_tree);
}

std::vector<std::string> seeds() { return tar_seeds(); }

std::vector<std::string> words() { return tar_words(); }

}  // namespace kiln::fuzz
