#pragma once

#include <cstdint>
#include <string_view>

namespace kiln {

// What a layer's files may come to: more could not be unpacked again (DecompressionLimits). A file that is nothing but
// holes reaches it at once.
inline constexpr std::uint64_t kMaxLayerFileBytes = std::uint64_t{256} << 30;

// What the files are for, which says what to do about too many bytes.
enum class FileUse {
  copied,   // by a COPY or ADD
  written,  // by the command of a RUN
  mounted,  // from a context, into a RUN
};

// The bytes of a step's files as they are planned, listed or written, by what their sizes say. Error{build} naming
// `path`, before a byte of it is read, where they come to more than kMaxLayerFileBytes.
class FileBytes {
 public:
  explicit FileBytes(FileUse use) : use_(use) {}
  void add(std::string_view path, std::uint64_t size);

 private:
  FileUse use_;
  std::uint64_t bytes_ = 0;
};

}  // namespace kiln
