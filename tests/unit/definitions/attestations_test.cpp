#include "builder/definitions/attestations.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

using Words = std::vector<std::string>;

AttestationWishes wishes_of(const Words& words) { return parse_attestations(words, "--attest"); }

}  // namespace

TEST_CASE("the last word of a type is the one that counts") {
  CHECK_FALSE(wishes_of({}).any());
  CHECK(wishes_of({"type=sbom"}).sbom);
  CHECK_FALSE(wishes_of({"type=sbom", "type=sbom,disabled=true"}).any());
  CHECK(wishes_of({"type=sbom,disabled=1", "type=sbom,disabled=false"}).sbom);
  const AttestationWishes both = wishes_of({"type=provenance,mode=max", "type=sbom", "type=provenance,mode=min"});
  CHECK(both.sbom);
  REQUIRE(both.provenance);
  CHECK(both.provenance->mode == ProvenanceMode::min);
}

TEST_CASE("that a provenance is not wanted is something else than to say nothing of one") {
  CHECK_FALSE(wishes_of({"type=sbom"}).is_provenance_said);
  const AttestationWishes off = wishes_of({"type=provenance,disabled=true"});
  CHECK(off.is_provenance_said);
  CHECK_FALSE(off.provenance);
  CHECK(wishes_of({"type=provenance,mode=min"}).is_provenance_said);
}

TEST_CASE("a provenance without a mode is the whole one, as BuildKit has it") {
  CHECK(wishes_of({"type=provenance"}).provenance->mode == ProvenanceMode::max);
  CHECK(wishes_of({"type=provenance,mode=full"}).provenance->mode == ProvenanceMode::max);
}

TEST_CASE("an SBOM may have the digests of files") {
  CHECK_FALSE(wishes_of({"type=sbom"}).is_sbom_of_files);
  CHECK(wishes_of({"type=sbom,file-digests=true"}).is_sbom_of_files);
  CHECK_FALSE(wishes_of({"type=sbom,file-digests=true", "type=sbom,file-digests=0"}).is_sbom_of_files);
  CHECK_FALSE(wishes_of({"type=sbom,file-digests=true", "type=sbom,disabled=true"}).is_sbom_of_files);
  CHECK_ERROR(wishes_of({"type=sbom,file-digests=all"}), Category::usage,
              "--attest 'type=sbom,file-digests=all': 'file-digests' must be true or false, got 'all'");
}

TEST_CASE("the options of a provenance are taken") {
  const auto wish =
      wishes_of({"type=provenance,builder-id=https://ci.acme.internal/1,reproducible=true,inline-only=true,version=v1"})
          .provenance;
  REQUIRE(wish);
  CHECK(wish->builder_id == "https://ci.acme.internal/1");
  CHECK(wish->is_reproducible);
}

TEST_CASE("what an attestation cannot be is refused by name") {
  CHECK_ERROR(wishes_of({"mode=min"}), Category::usage, "--attest 'mode=min': an entry of attestation has no type");
  CHECK_ERROR(wishes_of({"type=sbm"}), Category::usage,
              "--attest 'type=sbm': unknown type 'sbm'; known: provenance, sbom");
  CHECK_ERROR(wishes_of({"type=sbom,generator=ghcr.io/acme/scanner"}), Category::usage,
              "--attest 'type=sbom,generator=ghcr.io/acme/scanner': kiln runs no generator's image: it reads the "
              "package databases of every layer itself; leave 'generator' out");
  CHECK_ERROR(wishes_of({"type=sbom,mode=max"}), Category::usage,
              "--attest 'type=sbom,mode=max': unknown option 'mode' of sbom; known: file-digests");
  CHECK_ERROR(wishes_of({"type=provenance,mode=some"}), Category::usage,
              "--attest 'type=provenance,mode=some': mode is 'min' or 'max', got 'some'");
  CHECK_ERROR(wishes_of({"type=provenance,mod=min"}), Category::usage,
              "--attest 'type=provenance,mod=min': unknown option 'mod' of provenance; did you mean 'mode'?");
  CHECK_ERROR(wishes_of({"type=provenance,version=v0.2"}), Category::usage,
              "--attest 'type=provenance,version=v0.2': kiln writes SLSA provenance v1; leave 'version' out");
  CHECK_ERROR(wishes_of({"type=provenance,reproducible=maybe"}), Category::usage,
              "--attest 'type=provenance,reproducible=maybe': 'reproducible' must be true or false, got 'maybe'");
  CHECK_ERROR(wishes_of({"type=provenance,filename=p.json"}), Category::usage,
              "--attest 'type=provenance,filename=p.json': outputs of files get no provenance; 'filename' names "
              "nothing here");
  CHECK_ERROR(wishes_of({"type=provenance,complete-materials=true"}), Category::usage,
              "--attest 'type=provenance,complete-materials=true': 'complete-materials' cannot be had; leave it out");
  CHECK_ERROR(parse_attached_as("tag", "--attest-as"), Category::usage,
              "--attest-as 'tag': expected 'referrers' or 'index'");
}

TEST_CASE("the short flags are words of --attest") {
  CHECK(attestation_word("sbom", "") == "");
  CHECK(attestation_word("sbom", "true") == "type=sbom,disabled=false");
  CHECK(attestation_word("provenance", "0") == "type=provenance,disabled=true");
  CHECK(attestation_word("provenance", "mode=min") == "type=provenance,mode=min");
}

TEST_CASE("what is inherited is what is not said") {
  CHECK(with_inherited_attestations({"type=sbom,disabled=true"}, {"type=provenance", "type=sbom"}) ==
        Words{"type=provenance", "type=sbom,disabled=true"});
  CHECK(with_inherited_attestations({}, {"type=sbom"}) == Words{"type=sbom"});
}
