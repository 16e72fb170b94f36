#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln::oci {

namespace {

constexpr int kMostRead = 100;

bool names_platform(const Descriptor& entry) { return entry.platform && !entry.platform->is_empty(); }

class Choice {
 public:
  Choice(const Platform& platform, const ReadDocument& read, std::string_view where)
      : platform_(platform), read_(read), where_(where) {}

  std::optional<ChosenImage> among(const Index& index, int depth) {
    if (depth > kMostIndexNesting) refuse(fmt::format("indexes are nested more than {} deep", kMostIndexNesting));
    std::vector<std::pair<int, const Descriptor*>> named;
    for (const Descriptor& entry : index.manifests) {
      if (!names_platform(entry)) continue;
      if (const auto distance = platform_.distance_to(*entry.platform)) named.emplace_back(*distance, &entry);
    }
    std::stable_sort(named.begin(), named.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [distance, entry] : named) {
      if (auto found = open(*entry, depth, true)) return found;
    }
    std::optional<ChosenImage> best;
    std::optional<int> nearest;
    for (const Descriptor& entry : index.manifests) {
      if (names_platform(entry)) continue;
      auto found = open(entry, depth, false);
      if (!found) continue;
      const int distance = distance_;
      if (nearest && *nearest <= distance) continue;
      best = std::move(found);
      nearest = distance;
      if (distance == 0) break;
    }
    distance_ = nearest.value_or(0);
    return best;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Category::network, fmt::format("{}: {}", where_, why));
  }

  std::string bytes_of(const Descriptor& descriptor) {
    if (++documents_ > kMostRead) refuse(fmt::format("more than {} of its documents had to be read", kMostRead));
    return read_(descriptor);
  }

  // The image that an entry is or, being an index, holds; notes how far its platform is from the wanted one.
  std::optional<ChosenImage> open(const Descriptor& entry, int depth, bool is_known_to_match) {
    if (media_type::is_index(entry.media_type)) return among(parse_index(bytes_of(entry), where_), depth + 1);
    if (!media_type::is_manifest(entry.media_type)) return std::nullopt;
    ChosenImage image{entry, bytes_of(entry)};
    if (entry.digest.algorithm() != "sha256") image.descriptor.digest = sha256_of(image.bytes);
    distance_ = 0;
    if (is_known_to_match) return image;
    const Descriptor config = parse_manifest(image.bytes, where_).config;
    if (config.media_type != media_type::kOciConfig && config.media_type != media_type::kDockerConfig)
      return std::nullopt;
    const auto distance = platform_.distance_to(parse_image_config(bytes_of(config), where_).platform);
    if (!distance) return std::nullopt;
    distance_ = *distance;
    return image;
  }

  const Platform& platform_;
  const ReadDocument& read_;
  std::string_view where_;
  int documents_ = 0;
  int distance_ = 0;  // of what was found last
};

}  // namespace

std::optional<ChosenImage> choose_image(const Index& index, const Platform& platform, const ReadDocument& read,
                                        std::string_view where) {
  return Choice(platform, read, where).among(index, 1);
}

std::string platforms_of(const Index& index) {
  constexpr std::size_t kMostNames = 50;
  std::vector<std::string> names;
  std::size_t unnamed = 0;
  std::size_t further = 0;
  for (const Descriptor& entry : index.manifests) {
    if (!names_platform(entry)) {
      ++unnamed;
    } else if (!entry.platform->is_unknown()) {
      if (names.size() < kMostNames) {
        names.push_back(entry.platform->shown());
      } else {
        ++further;
      }
    }
  }
  if (names.empty() && unnamed == 0) return "none";
  std::string text = join(names, ", ");
  if (further > 0) text += fmt::format(", {} more", further);
  if (unnamed > 0)
    text += fmt::format("{}{} that name{} no platform", names.empty() ? "" : " and ", unnamed, unnamed == 1 ? "s" : "");
  return text;
}

}  // namespace kiln::oci
