#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/solve/archive_source.hpp"
#include "builder/solve/stage_evaluator.hpp"

namespace kiln {

namespace {

bool is_url(std::string_view path) { return path.starts_with("http://") || path.starts_with("https://"); }

bool is_git(std::string_view path) {
  return path.starts_with("git://") || path.starts_with("git@") || path.starts_with("ssh://") ||
         path.substr(0, path.find_first_of("#?")).ends_with(".git");
}

}  // namespace

bool StageEvaluator::add_special_source(CopyPlan& plan, const dockerfile::Add& add, const std::string& path,
                                        const std::string& destination, const std::shared_ptr<CopySource>& context,
                                        std::vector<std::shared_ptr<CopySource>>& kept) {
  if (is_git(path)) throw Error(Category::usage, fmt::format("ADD '{}': git sources are not supported yet; clone it in a RUN", printable(path)));
  if (is_url(path)) throw Error(Category::usage, fmt::format("ADD '{}': remote sources are not supported yet; fetch it in a RUN", printable(path)));
  if (add.unpack && !*add.unpack) return false;
  bool unpacked = false;
  for (const std::string& match : match_sources(*context, path)) {
    const std::string followed = context->resolve(match);
    const auto entry = context->lookup(followed);
    const bool is_file = entry && entry->type == EntryType::file;
    const auto archive = is_file ? open_archive(context->open(followed), access_.store().home().tmp(), match, access_.cancel()) : nullptr;
    if (!archive) {
      // A pattern may name archives and plain files: each as what it is.
      plan.add(*context, match, destination);
    } else {
      for (const FileEntry& item : archive->entries()) {
        FileEntry target = item;
        target.path = join_path(canonical_entry_path(destination, "destination"), item.path);
        plan.add_entry(*archive, target, item.path);
      }
      kept.push_back(archive);
    }
    unpacked = true;
  }
  return unpacked;
}

}  // namespace kiln
