#include "registry/store/image_provenance.hpp"

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostProvenanceBytes = std::size_t{16} << 20;
constexpr std::size_t kKeyDigits = 64;

fs::path provenance_file(const ContentStore& store, const oci::Digest& image) {
  return store.home().provenance() / std::string(image.hex());
}

}  // namespace

std::optional<ImageProvenance> provenance_of_image(const ContentStore& store, const oci::Digest& image) {
  const auto text = read_note(provenance_file(store, image), kMostProvenanceBytes);
  if (!text || text->size() < kKeyDigits + 3 || (*text)[kKeyDigits] != '\n' || text->back() != '\n')
    return std::nullopt;
  return ImageProvenance{text->substr(0, kKeyDigits), text->substr(kKeyDigits + 1, text->size() - kKeyDigits - 2)};
}

bool keeps_provenance(const ContentStore& store, const oci::Digest& image, const std::string& key) {
  const auto kept = provenance_of_image(store, image);
  return kept && kept->key == key;
}

void keep_provenance(const ContentStore& store, const oci::Digest& image, const ImageProvenance& provenance) {
  if (provenance.predicate.size() + kKeyDigits + 2 > kMostProvenanceBytes) return forget_provenance(store, image);
  try {
    make_directories(store.home().provenance());
    write_file_atomically(provenance_file(store, image), provenance.key + "\n" + provenance.predicate + "\n",
                          Durability::ephemeral);
  } catch (const Error& error) {
    // Without it a later push tells nothing of the image, which is no reason for a build to fail.
    if (error.category() != Category::machine) throw;
  }
}

void forget_provenance(const ContentStore& store, const oci::Digest& image) {
  std::error_code unwritable;
  fs::remove(provenance_file(store, image), unwritable);
}

}  // namespace kiln
