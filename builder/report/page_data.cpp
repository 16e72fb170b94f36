#include "builder/report/page_data.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/report/html_charts.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

using Json = nlohmann::ordered_json;

// What is known of one layer's files.
struct LayerFiles {
  std::shared_ptr<const FileIndex> index;
  std::shared_ptr<const DiffPackages> packages;  // nullptr: not known
};

class PageData {
 public:
  PageData(const ReportDocument& document, const LayerSources& sources) : document_(document) {
    for (std::size_t i = 0; i < document.layers.size(); ++i) numbers_[document.layers[i].layer->digest] = i;
    files_.resize(document.layers.size());
    for (const ReportImage& image : document.report.images) {
      for (std::size_t i = 0; i < image.layers.size(); ++i) {
        LayerFiles& files = files_[numbers_.at(image.layers[i].digest)];
        if (files.index || !sources.index_of) continue;
        files.index = sources.index_of(image.layers[i].diff_id);
        if (files.index && sources.packages_of) files.packages = sources.packages_of(image, i);
      }
    }
  }

  Json write(std::size_t most_files) {
    const std::uint64_t least = least_named_size(most_files);
    Json files = Json::array();
    for (const LayerFiles& layer : files_) files.push_back(layer.index ? files_of(layer, least) : Json(nullptr));
    Json result = {{"images", images()}, {"layers", layers()}};
    result["packages"] = {{"ecosystem", ecosystems_}, {"name", names_}, {"version", versions_}};
    result["files"] = std::move(files);
    result["steps"] = steps();
    return result;
  }

 private:
  Json images() const {
    Json result = Json::array();
    std::map<std::string, std::size_t> known;
    for (const ImageGroup& group : document_.groups) {
      const ReportImage& image = group.image();
      const std::string name = image.name.empty() ? image.digest.short_hex() : printable(image.name);
      const auto [at, is_new] = known.emplace(name, result.size());
      if (is_new) result.push_back({{"name", name}, {"groups", Json::array()}});
      Json profiles = Json::array(), digests = Json::array(), layers = Json::array();
      for (const ReportImage* member : group.members) {
        profiles.push_back(printable(member->profile));
        digests.push_back(member->digest.short_hex());
      }
      for (const ReportLayer& layer : image.layers) layers.push_back(numbers_.at(layer.digest));
      result[at->second]["groups"].push_back({{"profiles", std::move(profiles)},
                                              {"digests", std::move(digests)},
                                              {"layers", std::move(layers)},
                                              {"bytes", image.compressed_bytes},
                                              {"unpacked", image.unpacked_bytes}});
    }
    return result;
  }

  Json layers() const {
    Json result = Json::array();
    for (const DistinctLayer& entry : document_.layers) {
      result.push_back({{"bytes", entry.layer->bytes},
                        {"unpacked", entry.layer->unpacked_bytes},
                        {"place", shown_place(entry.layer->file, entry.layer->line)},
                        {"text", shortened(shown_layer(entry.layer->text), 400)},
                        {"use", css_class(entry.use)},
                        {"digest", entry.layer->digest.short_hex()}});
    }
    return result;
  }

  // Those that ran at a known time, and the targets that had them.
  Json steps() const {
    std::map<std::string, std::size_t> known;
    std::vector<std::string> names;
    const auto number_of = [&](const std::string& target) {
      const auto [found, is_new] = known.emplace(printable(target), names.size());
      if (is_new) names.push_back(found->first);
      return found->second;
    };
    const auto milliseconds_of = [](double seconds) { return std::llround(seconds * 1000); };
    Json of = Json::array(), place = Json::array(), text = Json::array(), outcome = Json::array(), why = Json::array(),
         started = Json::array(), ended = Json::array();
    for (const ReportStep& step : document_.report.steps) {
      if (!step.started || !step.ended) continue;
      Json targets = {number_of(step.image)};
      for (const std::string& other : step.shared_with) targets.push_back(number_of(other));
      of.push_back(std::move(targets));
      place.push_back(shown_place(step.file, step.line));
      text.push_back(shortened(shown_instruction(step.text), 240));
      outcome.push_back((step.outcome == StepOutcome::hit ? 0 : step.outcome == StepOutcome::built ? 1 : 2));
      why.push_back(step.outcome == StepOutcome::hit ? "from " + printable(step.from) : shown_reason(step.reason));
      started.push_back(milliseconds_of(*step.started));
      ended.push_back(milliseconds_of(*step.ended));
    }
    return {{"names", std::move(names)},     {"of", std::move(of)},           {"place", std::move(place)},
            {"text", std::move(text)},       {"outcome", std::move(outcome)}, {"why", std::move(why)},
            {"started", std::move(started)}, {"ended", std::move(ended)}};
  }

  // The size from which on files have names, so that not more than `most` have.
  std::uint64_t least_named_size(std::size_t most) const {
    std::vector<std::uint64_t> sizes;
    for (const LayerFiles& layer : files_) {
      if (!layer.index) continue;
      for (const FileEntry& entry : layer.index->entries()) {
        if (entry.type == EntryType::file && entry.size > 0) sizes.push_back(entry.size);
      }
    }
    if (sizes.size() <= most) return 1;
    const auto last = sizes.begin() + static_cast<std::ptrdiff_t>(most);
    std::nth_element(sizes.begin(), last, sizes.end(), std::greater<>());
    return *last + 1;
  }

  // 1 + the number of the package in the page's table; 0 for none.
  std::size_t package_number(const LayerFiles& layer, std::size_t entry) {
    if (!layer.packages || entry >= layer.packages->owners.size()) return 0;
    const std::optional<std::size_t> owner = layer.packages->owners[entry];
    if (!owner) return 0;
    const StatedPackage& stated = layer.packages->packages.at(*owner).stated;
    const auto [found, is_new] = packages_.try_emplace({stated.ecosystem, stated.name, stated.version}, names_.size());
    if (is_new) {
      ecosystems_.push_back(to_string(stated.ecosystem));
      names_.push_back(printable(stated.name));
      versions_.push_back(printable(stated.version));
    }
    return 1 + found->second;
  }

  Json files_of(const LayerFiles& layer, std::uint64_t least) {
    Json depths = Json::array(), sizes = Json::array(), packages = Json::array();
    std::string rests;
    std::map<std::size_t, std::pair<std::size_t, std::uint64_t>> smaller;
    std::vector<std::string> before;
    const std::vector<FileEntry>& entries = layer.index->entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const FileEntry& entry = entries[i];
      if (entry.type != EntryType::file || entry.size == 0) continue;
      const std::size_t package = package_number(layer, i);
      if (entry.size < least) {
        auto& [count, bytes] = smaller[package];
        ++count;
        bytes += entry.size;
        continue;
      }
      const std::string path = printable(entry.path);
      const std::vector<std::string_view> names = split(path, '/');
      std::vector<std::string> parts(names.begin(), names.end() - 1);
      std::size_t depth = 0;
      while (depth < std::min(parts.size(), before.size()) && parts[depth] == before[depth]) ++depth;
      std::size_t skipped = 0;
      for (std::size_t part = 0; part < depth; ++part) skipped += parts[part].size() + 1;
      if (!depths.empty()) rests += '\n';
      rests += path.substr(skipped);
      depths.push_back(depth);
      sizes.push_back(entry.size);
      packages.push_back(package);
      before = std::move(parts);
    }
    Json rest = Json::array();
    for (const auto& [package, sum] : smaller) rest.push_back({package, sum.first, sum.second});
    return {{"depth", std::move(depths)},
            {"rest", std::move(rests)},
            {"size", std::move(sizes)},
            {"package", std::move(packages)},
            {"smaller", std::move(rest)}};
  }

  const ReportDocument& document_;
  std::map<oci::Digest, std::size_t> numbers_;  // of distinct layers
  std::vector<LayerFiles> files_;
  std::map<std::tuple<Ecosystem, std::string, std::string>, std::size_t> packages_;
  std::vector<std::string_view> ecosystems_;
  std::vector<std::string> names_;
  std::vector<std::string> versions_;
};

}  // namespace

std::string page_data_json(const ReportDocument& document, const LayerSources& sources,
                           const PageDataOptions& options) {
  return json_text(PageData(document, sources).write(options.most_files));
}

std::string deflated_base64(std::string_view bytes) {
  constexpr int kLevel = 9;
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(kLevel), &libdeflate_free_compressor);
  if (!compressor) throw Error(Category::machine, "no memory for a compressor");
  std::string result(libdeflate_zlib_compress_bound(compressor.get(), bytes.size()), '\0');
  result.resize(libdeflate_zlib_compress(compressor.get(), bytes.data(), bytes.size(), result.data(), result.size()));
  return base64_encoded(result);
}

}  // namespace kiln
