#include "builder/report/image_sums.hpp"

#include <doctest/doctest.h>

#include "sample_report.hpp"

using namespace kiln;
using test::digest_of;

namespace {

ReportLayer layer(const char* seed, std::uint64_t bytes) { return test::layer(seed, bytes, "Dockerfile", 1, "RUN x"); }

RecordedImage image(std::string name, std::string profile, std::vector<ReportLayer> layers,
                    std::optional<Baseline> baseline = {}) {
  return {std::move(name), std::move(profile), {}, std::move(layers), std::move(baseline)};
}

Baseline baseline(std::string reference, std::uint64_t bytes, std::vector<BaselineLayer> layers = {}) {
  Baseline value;
  value.reference = std::move(reference);
  value.compressed_bytes = bytes;
  value.layers = std::move(layers);
  return value;
}

}  // namespace

TEST_CASE("a layer is shared where another image of the run has it, and unique otherwise") {
  const auto images = images_with_sums({image("a", "", {layer("1", 100), layer("2", 10)}),
                                        image("b", "", {layer("1", 100), layer("3", 7)}), image("c", "", {})});
  REQUIRE(images.size() == 3);
  CHECK(images[0].compressed_bytes == 110);
  CHECK(images[0].unpacked_bytes == 330);
  CHECK(images[0].shared_bytes == 100);
  CHECK(images[0].unique_bytes == 10);
  CHECK(images[1].shared_bytes == 100);
  CHECK(images[1].unique_bytes == 7);
  CHECK(images[2].compressed_bytes == 0);
  CHECK_FALSE(images[2].reduction_pct);
}

TEST_CASE("a layer that profiles of one image share, and no other image has, is the image's own") {
  const auto images = images_with_sums({image("a", "big", {layer("1", 100), layer("2", 10)}),
                                        image("a", "small", {layer("1", 100), layer("2", 10)}),
                                        image("b", "big", {layer("1", 100), layer("3", 7)})});
  CHECK(images[0].shared_bytes == 100);
  CHECK(images[0].unique_bytes == 10);
  CHECK(images[1].unique_bytes == 10);
  CHECK(images[2].unique_bytes == 7);
}

TEST_CASE("a layer that one image has twice is not shared by that") {
  const auto images = images_with_sums({image("a", "", {layer("1", 5), layer("1", 5)})});
  CHECK(images[0].compressed_bytes == 10);
  CHECK(images[0].unique_bytes == 10);
  CHECK(images[0].shared_bytes == 0);
}

TEST_CASE("the fleet counts a distinct layer once") {
  const std::vector<RecordedImage> recorded = {image("a", "", {layer("1", 100)}),
                                               image("b", "", {layer("1", 100), layer("2", 50)}),
                                               image("c", "", {layer("1", 100), layer("3", 1)})};
  const ReportFleet fleet = fleet_of(recorded, images_with_sums(recorded));
  CHECK(fleet.images == 3);
  CHECK(fleet.layers == 5);
  CHECK(fleet.stored_layers == 3);
  CHECK(fleet.compressed_bytes == 351);
  CHECK(fleet.unpacked_bytes == 1053);
  CHECK(fleet.stored_bytes == 151);
  CHECK(fleet.stored_unpacked_bytes == 453);
  CHECK(fleet.compared_bytes == 0);
  CHECK(fleet.baseline_bytes == 0);
  CHECK_FALSE(fleet.reduction_pct);
  CHECK_FALSE(fleet.mean_reduction_pct);
}

TEST_CASE("before and after are compared over the images that have a baseline, shared layers once on both sides") {
  const std::vector<BaselineLayer> before_b = {{digest_of("full python"), 400, 0}, {digest_of("app b"), 100, 0}};
  const std::vector<BaselineLayer> before_c = {{digest_of("full python"), 400, 0}, {digest_of("app c"), 200, 0}};
  const std::vector<RecordedImage> recorded = {
      image("a", "", {layer("1", 100)}),
      image("b", "mainpc", {layer("1", 100), layer("2", 50)}, baseline("b/Dockerfile.legacy", 500, before_b)),
      image("b", "pc2", {layer("1", 100), layer("2", 50)}, baseline("b/Dockerfile.legacy", 500, before_b)),
      image("c", "", {layer("1", 100), layer("3", 20)}, baseline("c/Dockerfile.legacy", 600, before_c)),
  };
  const auto images = images_with_sums(recorded);
  CHECK(images[1].reduction_pct == 70.0);
  CHECK(images[3].reduction_pct == 80.0);
  const ReportFleet fleet = fleet_of(recorded, images);
  CHECK(fleet.compared_bytes == 170);
  CHECK(fleet.baseline_bytes == 700);
  CHECK(fleet.reduction_pct == 75.71);
  CHECK(fleet.mean_reduction_pct == 73.33);
}

TEST_CASE("a baseline without layers counts as a whole, once for all profiles") {
  const std::vector<RecordedImage> recorded = {
      image("b", "mainpc", {layer("1", 100)}, baseline("old", 500)),
      image("b", "pc2", {layer("1", 100)}, baseline("old", 500)),
      image("c", "", {layer("2", 100)}, baseline("older", 500)),
  };
  const ReportFleet fleet = fleet_of(recorded, images_with_sums(recorded));
  CHECK(fleet.baseline_bytes == 1000);
  CHECK(fleet.compared_bytes == 200);
  CHECK(fleet.reduction_pct == 80.0);
}

TEST_CASE("what the profiles of an image share is said in one sentence") {
  struct Case {
    std::vector<RecordedImage> images;
    std::vector<std::string> sentences;
  };
  const std::vector<ReportLayer> both = {layer("1", 1000), layer("2", 234)};
  const std::vector<Case> cases = {
      {{}, {}},
      {{image("a", "", both), image("b", "", both)}, {}},
      {{image("a", "x", both)}, {}},
      {{image("a", "x", both), image("a", "y", both)}, {"a x and y share all 2 layers, 1.23 kB"}},
      {{image("a", "x", both), image("a", "y", both), image("a", "z", both)},
       {"a x, y and z share all 2 layers, 1.23 kB"}},
      {{image("a", "x", both), image("a", "y", {layer("1", 1000), layer("3", 9)})},
       {"a x and y share 1 of 2 layers, 1.00 kB"}},
      {{image("a", "x", {layer("1", 1000)}), image("a", "y", both)}, {"a x and y share 1 of 2 layers, 1.00 kB"}},
      {{image("a", "x", {layer("1", 1000)}), image("a", "y", {layer("1", 1000)})},
       {"a x and y share all 1 layer, 1.00 kB"}},
      {{image("a", "x", {layer("1", 1)}), image("a", "y", {layer("2", 1)})}, {"a x and y share no layer"}},
  };
  for (const Case& c : cases) {
    std::vector<std::string> sentences;
    for (const ReportSharing& sharing : sharing_of(images_with_sums(c.images))) sentences.push_back(sharing.text());
    CHECK(sentences == c.sentences);
  }
}
