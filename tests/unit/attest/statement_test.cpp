#include "builder/attest/statement.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("a statement names what it is about by digest and holds the predicate as it is") {
  const oci::Digest image = oci::sha256_of("image");
  const Statement statement =
      make_statement({"pkg:docker/ghcr.io/acme/app?platform=linux%2Famd64", "pkg:docker/acme/app"}, image,
                     kProvenancePredicate, R"({"z": 1, "a": {"b": [true]}})");
  CHECK(statement.predicate_type == "https://slsa.dev/provenance/v1");
  const std::string hex(image.hex());
  CHECK(statement.text ==
        R"({"_type":"https://in-toto.io/Statement/v1","subject":[)"
        R"({"name":"pkg:docker/ghcr.io/acme/app?platform=linux%2Famd64","digest":{"sha256":")" +
            hex + R"("}},{"name":"pkg:docker/acme/app","digest":{"sha256":")" + hex +
            R"("}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"z":1,"a":{"b":[true]}}})");
}

TEST_CASE("an image without a name is called as BuildKit calls it") {
  const Statement statement = make_statement({}, oci::sha256_of("image"), kSpdxPredicate, "{}");
  CHECK(statement.text.find(R"("subject":[{"name":"_",)") != std::string::npos);
}

TEST_CASE("a subject's name has no tag") {
  CHECK(subject_name("ghcr.io/acme/app", oci::Platform::parse("linux/arm/v7")) ==
        "pkg:docker/ghcr.io/acme/app?platform=linux%2Farm%2Fv7");
  CHECK(subject_name("127.0.0.1:5000/app", oci::Platform::parse("linux/amd64")) ==
        "pkg:docker/127.0.0.1:5000/app?platform=linux%2Famd64");
}
