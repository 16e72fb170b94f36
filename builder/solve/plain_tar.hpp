#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "builder/layer/file_entry.hpp"

namespace kiln {

// Writes a tar archive to a descriptor, entry after entry, by libarchive: for what leaves kiln as an archive and is no layer.
// Owners are numeric, times whole seconds. Error{machine} naming the destination.
class PlainTar {
 public:
  PlainTar(int fd, std::string destination);
  PlainTar(const PlainTar&) = delete;
  PlainTar& operator=(const PlainTar&) = delete;
  ~PlainTar();

  void add_directory(const std::string& path);
  void begin_file(const std::string& path, std::uint64_t size);
  void begin_entry(const FileEntry& entry);
  void write(std::string_view bytes);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
