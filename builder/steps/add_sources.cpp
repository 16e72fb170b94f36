#include "builder/steps/add_sources.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/steps/archive_source.hpp"
#include "builder/steps/fetched_source.hpp"

namespace kiln {

namespace {

void unpack_archive(CopyPlan& plan, const ArchiveSource& archive, const CopySource& image,
                    const std::string& destination) {
  const std::string folder = plan.unpack_folder(destination);
  const auto place = [&](const FileEntry& item) {
    FileEntry target = item;
    target.path = join_path(folder, item.path);
    return target;
  };
  // First, since the archive may replace afterwards what they lead to.
  for (const FileEntry& item : archive.entries()) {
    if (TarImport::leads_out(item)) plan.add_link(image, place(item), join_path(folder, item.link));
  }
  for (const FileEntry& item : archive.entries()) {
    if (item.path.empty()) continue;  // the folder it is unpacked into keeps its own owner and mode
    if (!TarImport::leads_out(item)) plan.add_entry(archive, place(item), item.path);
  }
}

}  // namespace

std::shared_ptr<CopySource> RemoteFetcher::fetch(const std::string& url, const std::string& checksum,
                                                 const SourceSecrets& secrets) {
  HttpClient& http = with_context([&] { return fmt::format("while fetching '{}'", shown_url(url)); },
                                  [&]() -> HttpClient& { return layers_.remote().http(); });
  return fetch_url(http, url, checksum, secrets, layers_.store().home().tmp(), layers_.pool(), layers_.cancel());
}

std::shared_ptr<CopySource> RemoteFetcher::check_out(const GitReference& reference, const GitCheckout& options) {
  // Opened to be allowed: offline nothing is fetched by git either.
  with_context([&] { return fmt::format("while fetching '{}'", reference.shown()); }, [&] { layers_.remote(); });
  TempDir folder(layers_.store().home().tmp(), "git-");
  const CheckedOut checked_out = check_out_git(reference, options, folder.path(), layers_.cancel());
  auto source = std::make_shared<FetchedSource>(std::move(folder), checked_out.folder, layers_.pool(), layers_.cancel(),
                                                fmt::format("git source '{}'", reference.shown()));
  source->add_materials({git_material(reference.remote, checked_out.commit)});
  return source;
}

void AddSources::add_local_file(const std::shared_ptr<CopySource>& source, const std::string& path,
                                const std::string& destination) {
  const std::string followed = source->resolve(path);
  const auto entry = source->lookup(followed);
  const bool is_file = entry && entry->type == EntryType::file;
  const auto archive =
      is_file ? open_archive(source->open(followed), layers_.store().home().tmp(), path, layers_.cancel()) : nullptr;
  if (!archive) return plan_.add_path(*source, path, destination);
  with_context([&] { return fmt::format("while unpacking '{}'", printable(path)); },
               [&] { unpack_archive(plan_, *archive, *options_.image, destination); });
  kept_.push_back(archive);
}

void AddSources::add(const std::string& path, const std::string& destination,
                     const std::shared_ptr<CopySource>& context) {
  if (const auto reference = parse_git_reference(path)) {
    kept_.push_back(fetcher_.check_out(*reference, {options_.keep_git_dir, options_.checksum, options_.secrets}));
    return plan_.add(*kept_.back(), ".", destination);
  }
  if (is_http_url(path)) {
    if (!options_.checksum.empty() && !oci::Digest::is_valid(options_.checksum)) {
      throw Error(Category::usage, fmt::format("--checksum '{}' is not a digest (sha256:<64 hex digits>)",
                                               printable(options_.checksum)));
    }
    const auto source = fetcher_.fetch(path, options_.checksum, options_.secrets);
    kept_.push_back(source);
    const std::string name = file_name_of_url(path);
    // What comes by HTTP stays packed unless the Dockerfile asks otherwise.
    if (options_.unpack.value_or(false)) return add_local_file(source, name, destination);
    return plan_.add_path(*source, name, destination);
  }
  if (!options_.checksum.empty()) throw Error(Category::usage, "--checksum needs a source by HTTP, HTTPS or git");
  if (!options_.unpack.value_or(true)) return plan_.add(*context, path, destination);
  // Archives are unpacked unless --unpack=false. A pattern may name archives and plain files.
  for (const std::string& match : match_sources(*context, path)) add_local_file(context, match, destination);
}

}  // namespace kiln
