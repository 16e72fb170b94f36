#pragma once

#include <optional>
#include <string_view>

#include "base/atomic_file.hpp"

namespace kiln {

// What a word of the command line names for output. A file appears when it is whole, as AtomicFile has it; a device or
// a pipe (/dev/null, /dev/stdout) is written to as bytes come, and stays what it is.
class OutputFile {
 public:
  explicit OutputFile(fs::path target);

  void write(std::string_view bytes);
  // Publishes a file. Without it there is none; what a device or a pipe took stays taken.
  void commit();

 private:
  fs::path target_;
  std::optional<AtomicFile> file_;
  Fd stream_;
};

void write_output_file(const fs::path& target, std::string_view bytes);

}  // namespace kiln
