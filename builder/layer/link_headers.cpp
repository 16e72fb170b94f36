#include "builder/layer/link_headers.hpp"

namespace kiln {

namespace {

void take_header(FileEntry& file, const FileEntry& header) {
  file.uid = header.uid;
  file.gid = header.gid;
  if (file.type == EntryType::symlink) return;
  file.mode = header.mode;
  file.mtime = header.mtime;
}

}  // namespace

void LinkHeaders::add(std::vector<FileEntry>& entries, std::size_t target, const FileEntry& header,
                      std::size_t number) {
  const auto earlier = files_.find(target);
  const std::size_t file = earlier == files_.end() ? target : earlier->second;
  files_[number] = file;
  take_header(entries[file], header);
}

void LinkHeaders::settle(std::vector<FileEntry>& entries) const {
  for (const auto& [number, file] : files_) take_header(entries[number], entries[file]);
}

}  // namespace kiln
