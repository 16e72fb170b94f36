#include "builder/layer/file_bytes.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

struct UseWords {
  std::string_view files;
  std::string_view advice;
};

UseWords words_of(FileUse use) {
  switch (use) {
    case FileUse::copied:
      return {"the files of its layer come", "leave it out, or mount it"};
    case FileUse::written:
      return {"the files that the command left come", "remove it in the same RUN, or write it to a cache mount"};
    case FileUse::mounted:
      return {"the files of the mount come", "mount a smaller folder, or leave it out by the ignore file"};
  }
  return {};
}

}  // namespace

void FileBytes::add(std::string_view path, std::uint64_t size) {
  if (size > kMaxLayerFileBytes - bytes_) {
    const auto [files, advice] = words_of(use_);
    throw Error(Category::build, fmt::format("'/{}' has {}, with which {} to more than {} GiB; {}", printable(path),
                                             human_bytes(size), files, kMaxLayerFileBytes >> 30, advice));
  }
  bytes_ += size;
}

}  // namespace kiln
