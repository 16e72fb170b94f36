#include "builder/steps/context_source.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/steps/copy_plan.hpp"
#include "builder/steps/link_resolution.hpp"

namespace kiln {

namespace {

constexpr std::size_t kNone = ScannedContext::kNone;
constexpr std::uint64_t kMaxBytesAhead = std::uint64_t{64}
                                         << 20;  // a larger file would hold up a build that ends early

}  // namespace

ContextSource::Listed::Listed(const ContextFolder& folder, const HashTools& tools)
    : files(folder, tools), contents(folder.root, files.tree(), tools, folder.writers) {
  files.forget_contents();
}

ContextSource::Listed& ContextSource::listed() const {
  const std::lock_guard lock(mutex_);
  if (!listed_) listed_ = std::make_unique<Listed>(folder_, tools_);
  return *listed_;
}

void ContextSource::read_ahead(const std::vector<std::string>& patterns) const {
  ahead_.add([this, patterns] {
    listed();
    for (const std::string& pattern : patterns) hash_ahead(pattern);
  });
}

void ContextSource::hash_ahead(const std::string& pattern) const {
  std::vector<std::size_t> numbers;
  for (const std::string& match : match_sources(*this, pattern)) {
    walk(resolve(match), [&](const FileEntry& entry) {
      if (entry.type == EntryType::file && entry.size <= kMaxBytesAhead)
        numbers.push_back(listed().files.find(entry.path));
      return true;
    });
  }
  listed().contents.read_ahead(numbers, [this] { return ahead_.is_stopping(); });
}

std::optional<FileEntry> ContextSource::lookup(std::string_view path) const {
  if (path.empty()) return implied_directory("");
  const auto& [files, contents] = listed();
  const std::size_t number = files.find(path);
  if (number == kNone) {
    files.refuse_below_unreadable(path);
    return std::nullopt;
  }
  return contents.is_gone(number) ? std::nullopt : std::optional(files.tree().entries[number]);
}

std::string ContextSource::resolve(std::string_view path) const {
  return resolve_links(path, LastLink::follow, [this](std::string_view at) { return lookup(at); });
}

void ContextSource::walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const {
  const auto& [files, contents] = listed();
  if (path.empty() && !visit(implied_directory(""))) return;
  files.walk(path, [&, &files = files, &contents = contents](std::size_t number) {
    if (contents.is_gone(number)) return true;
    const FileEntry& entry = files.tree().entries[number];
    const bool go_below = visit(entry);
    if (go_below && entry.is_directory()) files.refuse_below_unreadable(entry.path);
    return go_below;
  });
}

void ContextSource::digest(std::vector<FileEntry*>& files) const {
  Listed& all = listed();
  std::vector<std::size_t> numbers;
  numbers.reserve(files.size());
  for (const FileEntry* file : files) numbers.push_back(all.files.find(file->path));
  std::vector<LivingFiles::Content> contents = all.contents.read(numbers);
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i]->content = std::move(contents[i].digest);
    files[i]->size = contents[i].size;
  }
}

std::unique_ptr<ByteSource> ContextSource::open(const std::string& path) const {
  const auto& [files, contents] = listed();
  const std::size_t number = files.find(path);
  if (number == kNone) {
    throw Error(Category::build, fmt::format("'/{}' is not in {}", printable(path), folder_.description));
  }
  return contents.open(number);
}

std::string ContextSource::why_missing(std::string_view path) const {
  if (folder_.ignore.ignores(path))
    return fmt::format("'{}' is excluded by the ignore file of the context", printable(path));
  std::vector<std::string> siblings;
  const std::string folder(parent_path(path));
  walk(folder, [&](const FileEntry& entry) {
    if (entry.path == folder) return true;
    siblings.push_back(entry.path);
    return false;
  });
  return near_question(path, siblings);
}

}  // namespace kiln
