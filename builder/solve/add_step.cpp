#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/solve/archive_source.hpp"
#include "builder/solve/fetched_source.hpp"
#include "builder/solve/git_checkout.hpp"
#include "builder/solve/git_source.hpp"
#include "builder/solve/stage_evaluator.hpp"

namespace kiln {

namespace {

void unpack_archive(CopyPlan& plan, const ArchiveSource& archive, const std::string& destination) {
  const std::string folder = plan.unpack_folder(destination);
  for (const FileEntry& item : archive.entries()) {
    if (item.path.empty()) continue;  // the folder it is unpacked into keeps its own owner and mode
    FileEntry target = item;
    target.path = join_path(folder, item.path);
    plan.add_entry(archive, target, item.path);
  }
}

}  // namespace

// A source that is on this machine: archives are unpacked unless --unpack=false. A pattern may name archives and plain
// files.
void StageEvaluator::add_local_source(CopyPlan& plan, const std::shared_ptr<CopySource>& source,
                                      const std::string& path, const std::string& destination, KeptSources& kept) {
  for (const std::string& match : match_sources(*source, path)) add_local_file(plan, source, match, destination, kept);
}

void StageEvaluator::add_local_file(CopyPlan& plan, const std::shared_ptr<CopySource>& source, const std::string& path,
                                    const std::string& destination, KeptSources& kept) {
  const std::string followed = source->resolve(path);
  const auto entry = source->lookup(followed);
  const bool is_file = entry && entry->type == EntryType::file;
  const auto archive =
      is_file ? open_archive(source->open(followed), access_.store().home().tmp(), path, access_.cancel()) : nullptr;
  if (!archive) return plan.add_path(*source, path, destination);
  unpack_archive(plan, *archive, destination);
  kept.push_back(archive);
}

void StageEvaluator::add_url_source(CopyPlan& plan, const dockerfile::Add& add, const std::string& url,
                                    const std::string& destination, KeptSources& kept) {
  HttpClient& http = with_context([&] { return fmt::format("while fetching '{}'", shown_url(url)); },
                                  [&]() -> HttpClient& { return access_.remote().http(); });
  const auto source = fetch_url(http, url, expand(add.checksum), SourceSecrets(target_.target.secrets),
                                access_.store().home().tmp(), access_.pool(), access_.cancel());
  kept.push_back(source);
  const std::string name = file_name_of_url(url);
  // What comes by HTTP stays packed unless the Dockerfile asks otherwise.
  if (add.unpack.value_or(false)) return add_local_file(plan, source, name, destination, kept);
  plan.add_path(*source, name, destination);
}

void StageEvaluator::add_git_source(CopyPlan& plan, const dockerfile::Add& add, const GitReference& reference,
                                    const std::string& destination, KeptSources& kept) {
  // Opened to be allowed: offline nothing is fetched by git either.
  with_context([&] { return fmt::format("while fetching '{}'", reference.shown()); }, [&] { access_.remote(); });
  TempDir folder(access_.store().home().tmp(), "git-");
  const fs::path shown =
      check_out_git(reference, {add.keep_git_dir, expand(add.checksum), SourceSecrets(target_.target.secrets)},
                    folder.path(), access_.cancel());
  const auto source = std::make_shared<FetchedSource>(std::move(folder), shown, access_.pool(), access_.cancel(),
                                                      fmt::format("git source '{}'", reference.shown()));
  kept.push_back(source);
  plan.add(*source, ".", destination);
}

void StageEvaluator::add_source(CopyPlan& plan, const dockerfile::Add& add, const std::string& path,
                                const std::string& destination, const std::shared_ptr<CopySource>& context,
                                KeptSources& kept) {
  if (const auto reference = parse_git_reference(path)) return add_git_source(plan, add, *reference, destination, kept);
  if (is_http_url(path)) return add_url_source(plan, add, path, destination, kept);
  if (!add.checksum.empty()) throw Error(Category::usage, "--checksum needs a source by HTTP, HTTPS or git");
  if (!add.unpack.value_or(true)) return plan.add(*context, path, destination);
  add_local_source(plan, context, path, destination, kept);
}

}  // namespace kiln
