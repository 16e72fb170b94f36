#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/work_ahead.hpp"
#include "builder/steps/context_contents.hpp"
#include "builder/steps/copy_source.hpp"
#include "builder/steps/scanned_context.hpp"

namespace kiln {

// A folder on disk, filtered by its .dockerignore, that people and programs go on working in. Listed once, when first
// asked; contents are hashed when needed or ahead of it. A folder that may not be read is an error where something in
// it is asked for.
class ContextSource : public CopySource {
 public:
  ContextSource(ContextFolder folder, HashTools tools) : folder_(std::move(folder)), tools_(std::move(tools)) {}

  void read_ahead(const std::vector<std::string>& patterns) const override;
  std::optional<FileEntry> lookup(std::string_view path) const override;
  std::string resolve(std::string_view path) const override;
  void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const override;
  void digest(std::vector<FileEntry*>& files) const override;
  std::unique_ptr<ByteSource> open(const std::string& path) const override;
  std::string identity(std::string_view path) const override { return listed().files.identity(path); }
  std::string describe() const override { return folder_.description; }
  std::string why_missing(std::string_view path) const override;

 private:
  // What there is once the folder was listed.
  struct Listed {
    Listed(const ContextFolder& folder, const HashTools& tools);
    ScannedContext files;
    ContextContents contents;
  };
  Listed& listed() const;
  void hash_ahead(const std::string& pattern) const;

  const ContextFolder folder_;
  const HashTools tools_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Listed> listed_;  // stays once it is there
  mutable WorkAhead ahead_{1};              // the last member: it ends before the others do
};

}  // namespace kiln
