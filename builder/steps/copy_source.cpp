#include "builder/steps/copy_source.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

void refuse_missing(const CopySource& source, std::string_view path) {
  const std::string followed = source.resolve(path);
  const std::string through =
      followed == path ? "" : fmt::format("leads by a link to '/{}', which ", printable(followed));
  const std::string why = source.why_missing(followed);
  throw Error(Category::build, fmt::format("'/{}' {}is not in {}{}{}", printable(path), through, source.describe(),
                                           why.empty() ? "" : "; ", why));
}

FileEntry implied_directory(std::string_view path) {
  FileEntry entry;
  entry.path = std::string(path);
  entry.type = EntryType::directory;
  entry.mode = 0755;
  return entry;
}

void drop_user_attributes(FileEntry& entry) {
  std::erase_if(entry.xattrs, [](const auto& attribute) { return attribute.first.starts_with("user."); });
}

void CopySource::read_ahead(const std::vector<std::string>&) const {}

std::string CopySource::why_missing(std::string_view) const { return {}; }

std::optional<Blocked> CopySource::bring() const { return std::nullopt; }

const ImageLayers* CopySource::image_layers() const { return nullptr; }

std::string CopySource::identity(std::string_view) const { return {}; }

std::vector<FileEntry> CopySource::walk_with_digests(std::string_view path, FileUse use) const {
  std::vector<FileEntry> entries;
  walk(path, [&](const FileEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  std::vector<FileEntry*> files;
  FileBytes bytes(use);
  for (FileEntry& entry : entries) {
    if (entry.type != EntryType::file || !entry.content.empty()) continue;
    bytes.add(entry.path, entry.size);
    files.push_back(&entry);
  }
  digest(files);
  return entries;
}

void CopySource::add_file(LayerWriter& writer, const FileEntry& target, const std::string& source_path) const {
  const std::unique_ptr<ByteSource> bytes = open(source_path);
  writer.add(target, *bytes, fmt::format("'/{}' of {}", source_path, describe()));
}

InlineSource::InlineSource(std::map<std::string, std::string> files, std::uint16_t mode, std::string description)
    : files_(std::move(files)), mode_(mode), description_(std::move(description)) {}

std::optional<FileEntry> InlineSource::lookup(std::string_view path) const {
  if (path.empty()) return implied_directory("");
  const auto it = files_.find(std::string(path));
  if (it == files_.end()) return std::nullopt;
  FileEntry entry;
  entry.path = it->first;
  entry.mode = mode_;
  entry.size = it->second.size();
  entry.content = oci::sha256_of(it->second);
  return entry;
}

std::string InlineSource::resolve(std::string_view path) const { return std::string(path); }

void InlineSource::walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const {
  const auto entry = lookup(path);
  if (!entry || !visit(*entry) || !path.empty()) return;
  for (const auto& [name, text] : files_) visit(*lookup(name));
}

void InlineSource::digest(std::vector<FileEntry*>&) const {}

std::unique_ptr<ByteSource> InlineSource::open(const std::string& path) const {
  return std::make_unique<MemorySource>(files_.at(path));
}

}  // namespace kiln
