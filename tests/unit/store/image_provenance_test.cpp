#include "registry/store/image_provenance.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "registry/store/garbage.hpp"

using namespace kiln;

namespace {

const oci::Digest kMadeImage = oci::sha256_of("image");
const std::string kMadeKey(64, 'a');

}  // namespace

TEST_CASE("how an image was made is kept until it is made in another way") {
  const TempDir folder;
  const ContentStore store(HomeLayout::open(folder.path()));
  CHECK_FALSE(provenance_of_image(store, kMadeImage));
  keep_provenance(store, kMadeImage, {kMadeKey, "{\"a\":1}"});
  CHECK(provenance_of_image(store, kMadeImage) == ImageProvenance{kMadeKey, "{\"a\":1}"});
  CHECK(keeps_provenance(store, kMadeImage, kMadeKey));
  CHECK_FALSE(keeps_provenance(store, kMadeImage, std::string(64, 'b')));
  CHECK_FALSE(provenance_of_image(store, oci::sha256_of("other")));
  keep_provenance(store, kMadeImage, {std::string(64, 'b'), "{}"});
  CHECK(provenance_of_image(store, kMadeImage) == ImageProvenance{std::string(64, 'b'), "{}"});
  forget_provenance(store, kMadeImage);
  CHECK_FALSE(provenance_of_image(store, kMadeImage));
  forget_provenance(store, kMadeImage);
}

TEST_CASE("how an image was made goes with the image") {
  const TempDir folder;
  ContentStore store(HomeLayout::open(folder.path()));
  const oci::Descriptor image = store.put("image", "type");
  keep_provenance(store, image.digest, {kMadeKey, "{}"});
  keep_provenance(store, oci::sha256_of("gone"), {kMadeKey, "{}"});
  collect_garbage(
      store, [] { return std::set<oci::Digest>(); }, DryRun::no);
  CHECK(provenance_of_image(store, image.digest));  // this process uses it
  CHECK_FALSE(provenance_of_image(store, oci::sha256_of("gone")));
}

TEST_CASE("a damaged file of how an image was made is none") {
  const TempDir folder;
  const ContentStore store(HomeLayout::open(folder.path()));
  make_directories(store.home().provenance());
  const fs::path file = store.home().provenance() / std::string(kMadeImage.hex());
  for (const std::string& text :
       {std::string(), kMadeKey, kMadeKey + "\n", kMadeKey + "\n\n", kMadeKey + "\n{}", "x" + kMadeKey + "\n{}\n"}) {
    write_file_atomically(file, text);
    CHECK_FALSE(provenance_of_image(store, kMadeImage));
  }
}
