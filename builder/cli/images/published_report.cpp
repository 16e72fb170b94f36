#include "builder/cli/images/published_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "builder/definitions/name_template.hpp"
#include "builder/layer/index_layer.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln::cli {

namespace {

// What a report calls the image of one of several platforms: "app (linux/arm64)".
struct NameInReport {
  std::string image;
  std::optional<oci::Platform> platform;
};

NameInReport name_in_report(const std::string& name) {
  const std::size_t open = name.rfind(" (");
  if (open == std::string::npos || !name.ends_with(')')) return {name, std::nullopt};
  return {name.substr(0, open), oci::Platform::parse(name.substr(open + 2, name.size() - open - 3))};
}

bool has_host(const std::string& word) {
  const std::string first = word.substr(0, word.find('/'));
  return first.size() < word.size() && (first == "localhost" || first.find_first_of(".:[") != std::string::npos);
}

// The name that each image of the report has at a registry; empty where the fleet does not publish it.
class PublishedNames {
 public:
  PublishedNames(const PublishedWords& words, const std::string& word, const BuildReport& now) : word_(word) {
    if (word.starts_with(':')) {
      published_ = all_published_images(words, word.substr(1));
      return;
    }
    if (word.find('{') != std::string::npos) return;
    const bool is_one = std::all_of(now.images.begin(), now.images.end(), [&](const ReportImage& image) {
      return name_in_report(image.name).image == name_in_report(now.images.front().name).image &&
             image.profile == now.images.front().profile;
    });
    if (!is_one) {
      throw Error(Category::usage,
                  fmt::format("--against '{}' names one image, and the report has {}; write ':TAG' for the fleet's own "
                              "repositories, or 'HOST/NAMESPACE/{{image}}:TAG'",
                              printable(word), now.images.size()));
    }
  }

  std::optional<oci::Reference> of(const ReportImage& image) const {
    const std::string name = name_in_report(image.name).image;
    if (word_.starts_with(':')) {
      for (const PublishedImage& published : published_) {
        if (published.image == name && published.profile == image.profile) return published.reference;
      }
      return std::nullopt;
    }
    if (word_.find('{') == std::string::npos) return oci::Reference::parse(word_);
    return oci::Reference::parse(render_template(
        word_, {{"image", name}, {"profile", image.profile.empty() ? std::nullopt : std::optional(image.profile)}}));
  }

 private:
  std::string word_;
  std::vector<PublishedImage> published_;
};

std::vector<std::string> made_by(const oci::ImageConfig& config) {
  std::vector<std::string> lines;
  for (const oci::HistoryEntry& entry : config.history) {
    if (!entry.empty_layer) lines.push_back(oci::instruction_of(entry));
  }
  lines.resize(lines.size() == config.diff_ids.size() ? lines.size() : 0);
  lines.resize(config.diff_ids.size());
  return lines;
}

// A line of history as its Dockerfile had it, as far as that can be told: without the shell, and without BuildKit's
// mark, behind which a part may stand.
std::string instruction_in_dockerfile(std::string line) {
  constexpr std::string_view kShell = "RUN /bin/sh -c ", kMark = " # buildkit";
  if (line.starts_with(kShell)) line.replace(0, kShell.size(), "RUN ");
  if (const std::size_t mark = line.rfind(kMark); mark != std::string::npos) line.erase(mark, kMark.size());
  return line;
}

// How this machine's report tells layers and the lines of history that made them.
class KnownLines {
 public:
  KnownLines(const ContentStore& store, const BuildReport& now) {
    for (const ReportImage& image : now.images) {
      for (const ReportLayer& layer : image.layers) layers_.emplace(layer.digest, &layer);
      add_history(store, image);
    }
  }

  bool has(const oci::Digest& layer) const { return layers_.contains(layer); }

  void tell(ReportLayer& layer, const std::string& made_by) const {
    const ReportLayer* known = nullptr;
    if (const auto found = layers_.find(layer.digest); found != layers_.end()) known = found->second;
    if (const auto found = lines_.find(made_by); known == nullptr && found != lines_.end()) known = found->second;
    layer.file = known == nullptr ? "" : known->file;
    layer.line = known == nullptr ? 0 : known->line;
    layer.text = known == nullptr ? instruction_in_dockerfile(made_by) : known->text;
  }

 private:
  // A report from elsewhere has no image here; then only equal layers are known.
  void add_history(const ContentStore& store, const ReportImage& image) {
    if (!store.has(image.digest)) return;
    const std::string where = "manifest of '" + image.name + "'";
    const oci::Manifest manifest = oci::parse_manifest(store.read(image.digest), where);
    if (!store.has(manifest.config.digest)) return;
    const std::vector<std::string> lines =
        made_by(oci::parse_image_config(store.read(manifest.config.digest), "config of '" + image.name + "'"));
    if (lines.size() != image.layers.size()) return;
    for (std::size_t i = 0; i < lines.size(); ++i) lines_.emplace(lines[i], &image.layers[i]);
  }

  std::map<oci::Digest, const ReportLayer*> layers_;
  std::map<std::string, const ReportLayer*> lines_;
};

// A layer that is only in the older image.
struct OldLayer {
  oci::Descriptor blob;
  oci::Digest diff_id;
  RemoteRepository source;
};

void look_into(RegistrySession& session, ThreadPool& pool, std::vector<OldLayer> layers, const CancelToken& cancel) {
  std::stable_sort(layers.begin(), layers.end(),
                   [](const OldLayer& a, const OldLayer& b) { return a.blob.size < b.blob.size; });
  std::uint64_t fetched = 0;
  for (const OldLayer& layer : layers) {
    if (!session.store().has(layer.blob.digest)) {
      fetched += layer.blob.size;
      if (fetched > kMostFetchedBytes) return;
      fetch_blob(session.remote(), session.store(), layer.blob, layer.source, &session.transfers());
    }
    index_layer(session.store(), pool, layer.blob, layer.diff_id, cancel);
  }
}

}  // namespace

bool names_published_images(const std::string& word) {
  if (fs::exists(word)) return false;
  if (word.starts_with(':')) {
    if (!oci::is_valid_tag(word.substr(1)))
      throw Error(Category::usage,
                  fmt::format("--against '{}': '{}' is no tag", printable(word), printable(word.substr(1))));
    return true;
  }
  if (!word.ends_with(".json") && has_host(word)) return true;
  throw Error(Category::usage,
              fmt::format("--against '{}': there is no such file; images of a registry are ':TAG', at the fleet's own "
                          "repositories, 'HOST/NAMESPACE/{{image}}:TAG' or 'HOST/REPOSITORY:TAG'",
                          printable(word)));
}

BuildReport published_report(RegistrySession& session, ThreadPool& pool, const PublishedWords& words,
                             const std::string& word, const BuildReport& now, const CancelToken& cancel) {
  const PublishedNames names(words, word, now);
  const KnownLines known(session.store(), now);
  BuildReport report;
  std::vector<OldLayer> old_layers;
  std::set<oci::Digest> seen;
  for (const ReportImage& image : now.images) {
    const std::optional<oci::Reference> reference = names.of(image);
    if (!reference || !resolve_image(session.remote(), *reference)) continue;
    const PulledImage pulled = pull_image(session.remote(), session.store(), *reference,
                                          name_in_report(image.name).platform.value_or(oci::Platform::host()),
                                          PullWhat::manifests, &session.transfers(), OtherPlatform::take);
    const std::vector<std::string> lines = made_by(pulled.config);
    if (lines.size() != pulled.parsed.layers.size()) {
      throw Error(Category::network, fmt::format("image '{}': its manifest has {} layers and its config {}",
                                                 reference->str(), pulled.parsed.layers.size(), lines.size()));
    }
    ReportImage& old = report.images.emplace_back();
    old.name = image.name;
    old.profile = image.profile;
    old.digest = pulled.manifest.digest;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const oci::Descriptor& blob = pulled.parsed.layers[i];
      ReportLayer& layer = old.layers.emplace_back();
      layer.digest = blob.digest;
      layer.diff_id = pulled.config.diff_ids[i];
      layer.bytes = blob.size;
      known.tell(layer, lines[i]);
      old.compressed_bytes += blob.size;
      if (!known.has(blob.digest) && seen.insert(blob.digest).second)
        old_layers.push_back({blob, layer.diff_id, pulled.source});
    }
  }
  look_into(session, pool, std::move(old_layers), cancel);
  return report;
}

}  // namespace kiln::cli
