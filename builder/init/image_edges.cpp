// find_edges(): a reference of a Dockerfile is an edge where a file gives that tag to an image of the repository.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/init/proposed_image.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::init {

namespace {

bool is_bare_name(const std::string& reference) { return reference.find_first_of("/:@") == std::string::npos; }

// The name that a fleet gives an image whose reference it takes for its own: "base" and "ghcr.io/acme/base".
std::optional<std::string> own_name(const std::string& reference, const std::string& registry_and_namespace) {
  if (is_bare_name(reference)) return reference;
  const oci::Reference parsed = oci::Reference::parse(reference);
  const std::string prefix = registry_and_namespace + "/";
  if (parsed.digest || parsed.tag_or_latest() != "latest" || !parsed.name().starts_with(prefix)) return std::nullopt;
  return parsed.name().substr(prefix.size());
}

class EdgeFinder {
 public:
  EdgeFinder(std::vector<ProposedImage>& images, const std::string& registry_and_namespace,
             std::vector<std::string>& notes)
      : images_(images), registry_(registry_and_namespace), notes_(notes) {}

  void run() {
    for (ProposedImage& image : images_) {
      add_named_contexts(image);
      for (const std::string& reference : image.references) add_reference(image, reference);
    }
  }

 private:
  ProposedImage* find_image(const std::string& name) {
    const auto at = std::find_if(images_.begin(), images_.end(), [&](const auto& image) { return image.name == name; });
    return at == images_.end() ? nullptr : &*at;
  }

  // "target:NAME" of a bake or Compose file, by the name that the image has now.
  void add_named_contexts(ProposedImage& image) {
    for (auto& [name, value] : image.target.contexts) {
      if (!value.starts_with("target:") || image.is_defined) continue;
      const std::string called = value.substr(7);
      const auto parent = std::find_if(images_.begin(), images_.end(), [&](const ProposedImage& other) {
        return std::any_of(other.file_names.begin(), other.file_names.end(), [&](const auto& known) {
          return known.second == called && std::any_of(image.file_names.begin(), image.file_names.end(),
                                                       [&](const auto& own) { return own.first == known.first; });
        });
      });
      const bool is_edge = parent != images_.end() && add_edge(image, *parent, name);
      if (is_edge) value = "target:" + parent->name;
      if (!is_edge && (parent == images_.end() || parent->name == image.name)) {
        notes_.push_back(
            fmt::format("'{}' takes '{}' from the target '{}', which is no image here: left out, so that "
                        "it is taken from the registry",
                        image.name, printable(name), printable(called)));
      }
      if (!is_edge) value.clear();
    }
    std::erase_if(image.target.contexts, [](const auto& context) { return context.second.empty(); });
    if (image.is_defined) return;
    for (const auto& [name, value] : image.target.contexts) image.contexts.emplace(name, value);
  }

  // False where it would make a cycle.
  bool add_edge(ProposedImage& child, ProposedImage& parent, const std::string& reference) {
    if (child.name == parent.name) return false;
    if (is_ancestor(child.name, parent.name)) {
      notes_.push_back(
          fmt::format("'{}' is built from '{}', which is '{}' of this repository and is built from '{}': "
                      "taken from the registry, as images cannot be built from one another",
                      child.name, printable(reference), parent.name, child.name));
      return false;
    }
    child.edges[reference] = parent.name;
    parent.has_children = true;
    return true;
  }

  // Whether `image` is built from `ancestor`, as far as edges are known.
  bool is_ancestor(const std::string& ancestor, const std::string& image) {
    std::set<std::string> seen;
    const std::function<bool(const std::string&)> visit = [&](const std::string& name) {
      if (name == ancestor) return true;
      if (!seen.insert(name).second) return false;
      const ProposedImage* at = find_image(name);
      return at != nullptr &&
             std::any_of(at->edges.begin(), at->edges.end(), [&](const auto& edge) { return visit(edge.second); });
    };
    return visit(image);
  }

  void add_reference(ProposedImage& image, const std::string& reference) {
    const std::optional<std::string> own = own_name(reference, registry_);
    ProposedImage* parent = parent_of(image, reference, own);
    const bool is_edge = parent != nullptr && add_edge(image, *parent, reference);
    if (image.is_defined) return;
    if (is_edge) {
      if (own != parent->name) image.contexts[reference] = "target:" + parent->name;
    } else if (own && is_bare_name(reference)) {
      // In a fleet a name without a tag is an image of the fleet.
      image.contexts[reference] = "docker-image://docker.io/library/" + reference + ":latest";
    } else if (own) {
      image.contexts[reference] = "docker-image://" + oci::Reference::parse(reference).str();
    }
    if (parent == nullptr) say_what_it_looks_like(image, reference);
  }

  ProposedImage* parent_of(const ProposedImage& image, const std::string& reference,
                           const std::optional<std::string>& own) {
    ProposedImage* best = nullptr;
    TagMatch best_match = TagMatch::none;
    for (ProposedImage& other : images_) {
      if (other.name == image.name) continue;
      for (const KnownTag& tag : other.tags) {
        const TagMatch match = match_tag(tag, reference);
        if (match <= best_match) continue;
        best = &other;
        best_match = match;
      }
    }
    if (best_match == TagMatch::exact || best_match == TagMatch::unknown_tag) return best;
    if (best_match == TagMatch::other_tag) {
      notes_.push_back(
          fmt::format("'{}' is built from '{}': '{}' of this repository gets other tags of that name, so it "
                      "is taken from the registry",
                      image.name, printable(reference), best->name));
      return nullptr;
    }
    // Without a tag that a file says, the name of the image is what FROM says.
    ProposedImage* named = own ? find_image(*own) : nullptr;
    const bool is_taken = named != nullptr && named->name != image.name && (named->tags.empty() || named->is_defined);
    const bool is_of_hub = is_bare_name(reference) && is_official_image(reference) && !(named && named->is_defined);
    return is_taken && !is_of_hub ? named : nullptr;
  }

  void say_what_it_looks_like(const ProposedImage& image, const std::string& reference) {
    const oci::Reference parsed = oci::Reference::parse(reference);
    if (parsed.digest || parsed.repository.starts_with("library/")) return;
    const ProposedImage* other = find_image(parsed.repository.substr(parsed.repository.rfind('/') + 1));
    if (other == nullptr || other->name == image.name || !other->tags.empty()) return;
    notes_.push_back(
        fmt::format("'{}' is built from '{}', which may be '{}' of this repository: no file says so. If it "
                    "is, add \"contexts\": {{\"{}\": \"target:{}\"}} to images/{}/image.json",
                    image.name, printable(reference), other->name, printable(reference), other->name, image.name));
  }

  std::vector<ProposedImage>& images_;
  const std::string& registry_;
  std::vector<std::string>& notes_;
};

bool names_cuda(const std::string& reference) {
  const std::string lower = to_lower(reference);
  return lower.find("cuda") != std::string::npos || lower.starts_with("nvcr.io/");
}

// An image is for a GPU where what it is built from is.
void mark_gpu_images(std::vector<ProposedImage>& images) {
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (ProposedImage& image : images) {
      if (image.is_gpu || !image.planned) continue;
      const PlannedTarget& planned = *image.planned;
      std::size_t stage = planned.final_stage;
      while (const auto* base = std::get_if<StageBase>(&planned.bases[stage])) stage = base->stage;
      const auto* base = std::get_if<ImageBase>(&planned.bases[stage]);
      if (base == nullptr) continue;
      const auto edge = image.edges.find(base->reference);
      const bool is_gpu = edge == image.edges.end()
                              ? names_cuda(base->reference)
                              : std::any_of(images.begin(), images.end(), [&](const ProposedImage& other) {
                                  return other.name == edge->second && other.is_gpu;
                                });
      has_changed = has_changed || is_gpu;
      image.is_gpu = is_gpu;
    }
  }
}

}  // namespace

void find_edges(std::vector<ProposedImage>& images, const std::string& registry_and_namespace,
                std::vector<std::string>& notes) {
  EdgeFinder(images, registry_and_namespace, notes).run();
  for (ProposedImage& image : images) image.is_gpu = image.is_defined && image.target.device == Device::gpu;
  mark_gpu_images(images);
}

}  // namespace kiln::init
