#include "builder/report/layer_packages.hpp"

#include <set>

#include "base/text.hpp"
#include "builder/packages/database_search.hpp"
#include "builder/packages/layer_files.hpp"

namespace kiln {

namespace {

bool tells_of_packages(const FileEntry& entry) {
  if (entry.type != EntryType::file || entry.size > kMaxDatabaseBytes) return false;
  return entry.path.starts_with("var/lib/dpkg/") || database_kind_by_name(entry.path).has_value();
}

}  // namespace

std::shared_ptr<const DiffPackages> LayerPackages::find(const ReportImage& image, std::size_t number) {
  const auto [found, is_new] = known_.try_emplace(image.layers.at(number).digest);
  if (is_new) found->second = read(image, number);
  return found->second;
}

std::shared_ptr<const DiffPackages> LayerPackages::read(const ReportImage& image, std::size_t number) {
  const ReportLayer& layer = image.layers[number];
  const auto index = indexes_.find(layer.diff_id);
  if (!index || !store_.has(layer.digest)) return nullptr;
  std::set<std::string> paths;
  std::uint64_t bytes = 0;
  for (const FileEntry& entry : index->entries()) {
    if (!tells_of_packages(entry) || bytes + entry.size > kMaxReadBytes) continue;
    bytes += entry.size;
    paths.insert(entry.path);
  }
  if (paths.empty()) return std::make_shared<const DiffPackages>();
  oci::Descriptor blob;
  blob.digest = layer.digest;
  blob.size = layer.bytes;
  const std::map<std::string, std::string> texts = read_layer_files(store_, pool_, blob, *index, paths, cancel_);
  std::vector<std::shared_ptr<const FileIndex>> below;
  for (std::size_t i = 0; i < number; ++i) {
    if (auto lower = indexes_.find(image.layers[i].diff_id)) below.push_back(std::move(lower));
  }
  return std::make_shared<const DiffPackages>(packages_of_diff(
      index->entries(), MergedView(std::move(below)), [&](const std::string& path) -> std::optional<std::string> {
        const auto text = texts.find(path);
        return text == texts.end() ? std::nullopt : std::optional(text->second);
      }));
}

}  // namespace kiln
