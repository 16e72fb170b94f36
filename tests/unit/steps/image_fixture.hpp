#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "builder/layer/merged_view.hpp"

namespace kiln {

inline FileEntry entry_of(std::string path, EntryType type = EntryType::file, unsigned mode = 0644) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = static_cast<std::uint16_t>(mode);
  return entry;
}

inline FileEntry folder_of(std::string path, unsigned mode = 0755) {
  return entry_of(std::move(path), EntryType::directory, mode);
}

inline FileEntry link_of(std::string path, std::string to) {
  FileEntry entry = entry_of(std::move(path), EntryType::symlink, 0777);
  entry.link = std::move(to);
  return entry;
}

// The root file system of an image of one layer; `texts` are files kept whole, such as /etc/passwd.
inline MergedView image_of(std::vector<FileEntry> entries, std::map<std::string, std::string> texts = {}) {
  FileIndex::Parts parts;
  for (const auto& [path, text] : texts) {
    FileEntry entry = entry_of(path);
    entry.size = text.size();
    entry.content = oci::sha256_of(text);
    entries.push_back(std::move(entry));
  }
  for (FileEntry& entry : entries) {
    if (entry.type == EntryType::file && entry.content.empty()) entry.content = oci::sha256_of("");
  }
  parts.diff_id = oci::sha256_of("layer");
  parts.entries = std::move(entries);
  parts.kept = std::move(texts);
  return MergedView({std::make_shared<const FileIndex>(std::move(parts))});
}

}  // namespace kiln
