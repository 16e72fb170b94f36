#include "builder/attest/provenance_attestation.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

const oci::Digest kToldImage = oci::sha256_of("image");

ProvenanceFacts told_facts() {
  ProvenanceFacts facts;
  facts.dockerfile = "Dockerfile";
  facts.platform = "linux/amd64";
  return facts;
}

}  // namespace

TEST_CASE("the key of a provenance is of what lasts, and of the mode") {
  const ProvenanceWish wish;
  const std::string key = provenance_key(told_facts(), wish);
  CHECK(key.size() == 64);
  ProvenanceFacts later = told_facts();
  later.kiln_version = "9";
  later.started = 1;
  CHECK(provenance_key(later, wish) == key);
  later.dockerfile = "other/Dockerfile";
  CHECK(provenance_key(later, wish) != key);
  ProvenanceWish least;
  least.mode = ProvenanceMode::min;
  CHECK(provenance_key(told_facts(), least) != key);
}

TEST_CASE("a provenance is attached under a key of the image and its names too") {
  const std::string key(64, 'a');
  int made = 0;
  const auto predicate = [&] {
    ++made;
    return std::string("{\"x\":1}");
  };
  const Attestation one = provenance_attestation({"pkg:docker/one"}, kToldImage, key, predicate);
  CHECK(one.key.size() == 64);
  CHECK(one.predicate_type == "https://slsa.dev/provenance/v1");
  CHECK(one.is_asked_for);
  CHECK(provenance_attestation({"pkg:docker/two"}, kToldImage, key, predicate).key != one.key);
  CHECK(provenance_attestation({"pkg:docker/one"}, oci::sha256_of("other"), key, predicate).key != one.key);
  CHECK(made == 0);
  CHECK(one.make().text ==
        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"pkg:docker/one\",\"digest\":{"
        "\"sha256\":\"" +
            std::string(kToldImage.hex()) +
            "\"}}],\"predicateType\":\"https://slsa.dev/provenance/v1\",\"predicate\":{\"x\":1}}");
  CHECK(made == 1);
}
