#include "builder/packages/layer_density.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

const oci::Digest kBlob = oci::sha256_of("blob");

FileIndex index_of(std::uint64_t bytes, std::vector<Frame> frames) {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("diff");
  parts.unpacked_bytes = bytes;
  if (!frames.empty()) parts.blobs.push_back({kBlob, std::move(frames)});
  return FileIndex(std::move(parts));
}

oci::Descriptor blob_of(std::uint64_t size) { return {"layer", kBlob, size, {}, {}, {}}; }

}  // namespace

TEST_CASE("a run of a tar weighs what its frames weigh, and all runs together the blob") {
  const LayerDensity density(index_of(3000, {{100, 1000}, {900, 1000}, {500, 1000}}), blob_of(1500));
  CHECK(density.compressed_bytes(0, 1000) == doctest::Approx(100));
  CHECK(density.compressed_bytes(500, 1000) == doctest::Approx(50 + 450));
  CHECK(density.compressed_bytes(500, 2000) == doctest::Approx(50 + 900 + 250));
  CHECK(density.compressed_bytes(0, 3000) == doctest::Approx(1500));
  CHECK(density.compressed_bytes(2900, 5000) == doctest::Approx(50));
  CHECK(density.compressed_bytes(3000, 10) == 0);
  const LayerDensity with_more(index_of(2000, {{100, 1000}, {100, 1000}}), blob_of(220));
  CHECK(with_more.compressed_bytes(0, 1000) == doctest::Approx(110));
}

TEST_CASE("where frames are not known all of a layer weighs alike") {
  const LayerDensity density(index_of(3000, {}), blob_of(600));
  CHECK(density.compressed_bytes(1000, 1000) == doctest::Approx(200));
  CHECK(LayerDensity(index_of(0, {}), blob_of(30)).compressed_bytes(0, 0) == 0);
}
