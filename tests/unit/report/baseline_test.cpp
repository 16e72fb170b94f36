#include "builder/report/baseline.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

Baseline sample() {
  Baseline baseline;
  baseline.kind = BaselineKind::dockerfile;
  baseline.reference = "memory-fusion-hub/Dockerfile.legacy";
  baseline.compressed_bytes = 500;
  baseline.unpacked_bytes = 1300;
  baseline.date = "2025-01-31T12:00:00Z";
  baseline.kiln_version = "0.1.0";
  baseline.image_digest = oci::sha256_of("manifest");
  baseline.source_digest = oci::sha256_of("FROM python:3.11\n");
  baseline.layers = {{oci::sha256_of("one"), 400, 1000}, {oci::sha256_of("two"), 100, 300}};
  return baseline;
}

}  // namespace

TEST_CASE("baselines are kept image by image in one sorted file") {
  const TempDir folder;
  const fs::path file = folder.path() / kBaselinesFileName;
  CHECK(read_baselines(file).empty());
  record_baseline(file, "model-ops-coordinator", sample());
  Baseline other;
  other.kind = BaselineKind::recorded;
  other.reference = "measured by hand";
  other.compressed_bytes = 7;
  other.date = "2025-02-01";
  record_baseline(file, "affective-processing-center", other);
  other.compressed_bytes = 8;
  record_baseline(file, "affective-processing-center", other);

  const Baselines baselines = read_baselines(file);
  REQUIRE(baselines.size() == 2);
  CHECK(baselines.at("affective-processing-center").compressed_bytes == 8);
  CHECK(baselines.at("affective-processing-center").image_digest.empty());
  const Baseline& read = baselines.at("model-ops-coordinator");
  CHECK(read.reference == sample().reference);
  CHECK(read.date == sample().date);
  CHECK(read.kiln_version == "0.1.0");
  CHECK(read.image_digest == sample().image_digest);
  REQUIRE(read.layers.size() == 2);
  CHECK(read.layers[1].digest == oci::sha256_of("two"));
  CHECK(read.layers[1].unpacked_bytes == 300);
  CHECK(read_file(file) == to_json_text(baselines));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 1);
}

TEST_CASE("a mistake in the file of baselines is answered with file and line") {
  const std::string head = "{\n  \"schema_version\": 1,\n  \"baselines\": {\n    \"hub\": {\n";
  const std::string tail = "\n    }\n  }\n}\n";
  const std::string good = "      \"kind\": \"recorded\",\n      \"reference\": \"r\",\n      \"date\": \"2025-01-31\"";
  struct Case {
    std::string text;
    const char* message;
  };
  const std::vector<Case> cases = {
      {head + good + ",\n      \"compressed_bytes\": 5,\n      \"sise\": 3" + tail,
       "f.json:9: /baselines/hub/sise: unknown key 'sise'; known: kind, reference, compressed_bytes, unpacked_bytes, "
       "date, kiln_version, image_digest, source_digest, layers"},
      {head + good + ",\n      \"compressed_byte\": 5" + tail,
       "f.json:8: /baselines/hub/compressed_byte: unknown key 'compressed_byte'; did you mean 'compressed_bytes'?"},
      {head + good + tail, "f.json:4: /baselines/hub: misses 'compressed_bytes'"},
      {head + good + ",\n      \"compressed_bytes\": \"5 MB\"" + tail,
       "f.json:8: /baselines/hub/compressed_bytes: expected a whole number, not negative"},
      {head + good + ",\n      \"compressed_bytes\": 0" + tail,
       "f.json:8: /baselines/hub/compressed_bytes: expected more than 0 bytes"},
      {head + good + ",\n      \"compressed_bytes\": 5,\n      \"image_digest\": \"abc\"" + tail,
       "f.json:9: /baselines/hub/image_digest: expected a digest 'sha256:HEX'"},
      {head + good + ",\n      \"compressed_bytes\": 5,\n      \"layers\": [{\"digest\": \"\", \"bytes\": 4}]" + tail,
       "f.json:8: /baselines/hub/compressed_bytes: expected 4, the sum of the layers, got 5; run 'kiln baseline' "
       "again"},
      {head + good + ",\n      \"compressed_bytes\": 5,\n      \"kind\": \"x\"" + tail,
       "f.json:9: duplicate key 'kind'"},
      {"{\n  \"schema_version\": 2, \"baselines\": {}}",
       "f.json:2: /schema_version: expected 1, got 2; use a newer kiln"},
      {"{\n  \"schema_version\": 1\n}", "f.json:1: misses 'baselines'"},
  };
  for (const Case& c : cases) CHECK_ERROR(parse_baselines(c.text, "f.json"), Category::usage, c.message);
  CHECK_ERROR(parse_baselines("{\n,}", "f.json"), Category::usage,
              doctest::Contains("f.json:2: syntax error while parsing object key"));
  CHECK_ERROR(parse_baselines("[]", "f.json"), Category::usage, "f.json:1: expected an object");
}

TEST_CASE("recording into a damaged file leaves the file as it was") {
  const TempDir folder;
  const fs::path file = folder.path() / kBaselinesFileName;
  write_file_atomically(file, "{ not JSON");
  CHECK_ERROR(record_baseline(file, "hub", sample()), Category::usage,
              doctest::Contains("baselines.json:1: syntax error while parsing object key"));
  CHECK(read_file(file) == "{ not JSON");
}
