#include "builder/cache/step_record.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

const std::string kKey(64, 'a');

StepRecord sample() {
  StepRecord record;
  record.kind = StepKind::run;
  record.key = kKey;
  record.text = "RUN make";
  record.target = "app";
  record.file = "Dockerfile";
  record.line = 7;
  record.seconds = 1.25;
  record.created = "2026-01-01T00:00:00Z";
  record.salt = "0011";
  LayerValue layer;
  layer.diff_id = oci::sha256_of("tar");
  layer.unpacked_bytes = 3;
  layer.blobs.push_back(
      {{"application/vnd.oci.image.layer.v1.tar+gzip", oci::sha256_of("gz"), 2, {}, {}, {}}, Compression{}});
  record.layers = {layer};
  record.inputs = salted_inputs({{"command", "make"}, {"variable API_TOKEN", "hunter2"}}, record.salt);
  return record;
}

std::string differences_text(const std::vector<RawInput>& now, const StepRecord& earlier) {
  return to_text(find_differences(now, earlier));
}

}  // namespace

TEST_CASE("a record survives its JSON") {
  const StepRecord record = sample();
  const StepRecord read = parse_step_record(serialise(record), kKey, "record");
  CHECK(read.kind == record.kind);
  CHECK(read.text == record.text);
  CHECK(read.line == 7);
  CHECK(read.seconds == doctest::Approx(1.25));
  CHECK(read.layers == record.layers);
  CHECK(read.inputs.list() == record.inputs.list());
  REQUIRE(read.inputs.list().size() == 2);
  CHECK(read.inputs.list()[0].value == "make");
}

TEST_CASE("what was fetched for a step is part of its record, and a record without it knows nothing") {
  StepRecord record = sample();
  CHECK_FALSE(parse_step_record(serialise(record), kKey, "record").network);
  record.network.emplace();
  record.network->add(Download{"http://a/1", "GET", 200, 3, oci::sha256_of("abc")});
  const StepRecord read = parse_step_record(serialise(record), kKey, "record");
  REQUIRE(read.network);
  CHECK(read.network->downloads == record.network->downloads);
}

TEST_CASE("a secret's value is in no record") {
  CHECK(serialise(sample()).find("hunter2") == std::string::npos);
  const auto url = salted_inputs({{"variable INDEX", "https://me:pw@pypi.example/simple"}}, "s");
  CHECK_FALSE(url[0].value.has_value());
}

TEST_CASE("a record for another key or of another version is refused") {
  CHECK(error_of([&] { parse_step_record(serialise(sample()), std::string(64, 'b'), "record"); }) ==
        "machine: record: the record is for key aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
        "expected bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
  std::string text = serialise(sample());
  text.replace(text.find("\"version\":2"), 11, "\"version\":3");
  CHECK(error_of([&] { parse_step_record(text, kKey, "record"); }) == "machine: record: record version 3, expected 2");
  CHECK(error_of([&] { parse_step_record("{", kKey, "record"); }).starts_with("machine: record: line 1: syntax error"));
  CHECK(error_of([&] { parse_step_record("[]", kKey, "record"); }) == "machine: record: expected an object");
}

TEST_CASE("a record with a layer that is none is refused like any other that is no record") {
  std::string text = serialise(sample());
  text.replace(text.find("\"diff_id\""), 9, "\"diff_ix\"");
  text.resize(text.rfind("sum "));
  text += "sum " + std::string(oci::sha256_of(text).hex()) + "\n";
  CHECK(error_of([&] { parse_step_record(text, kKey, "record"); }) == "machine: record: misses 'diff_id'");
}

TEST_CASE("a miss is explained by the inputs that differ") {
  const StepRecord earlier = sample();
  CHECK(differences_text({{"command", "make"}, {"variable API_TOKEN", "hunter2"}}, earlier).empty());
  CHECK(differences_text({{"command", "make all"}, {"variable API_TOKEN", "hunter2"}}, earlier) ==
        "command changed from 'make' to 'make all'");
  const std::string secret = differences_text({{"command", "make"}, {"variable API_TOKEN", "hunter3"}}, earlier);
  CHECK(secret == "variable API_TOKEN changed");
  CHECK(differences_text({{"command", "make"}}, earlier) == "variable API_TOKEN is gone");
  CHECK(differences_text({{"command", "make"}, {"variable API_TOKEN", "hunter2"}, {"user", "0:0"}}, earlier) ==
        "user is new");
}

TEST_CASE("of several parent layers that differ the first is named, with what made it") {
  StepRecord earlier = sample();
  earlier.inputs = salted_inputs(
      {{"parent layer 1", "a", false}, {"parent layer 2", "b", false}, {"parent layer 3", "c", false}}, "s");
  earlier.salt = "s";
  const auto differences = find_differences(
      {{"parent layer 1", "a", false}, {"parent layer 2", "x", false, "COPY . /app"}, {"parent layer 3", "y", false}},
      earlier);
  REQUIRE(differences.size() == 1);
  CHECK(to_text(differences) == "parent layer 2 (COPY . /app) changed");
}

TEST_CASE("an input's type is the beginning of its name") {
  CHECK(input_name(InputType::parent_layer, "3") == "parent layer 3");
  CHECK(input_name(InputType::base_image) == "base image");
  for (int i = 0; i <= static_cast<int>(InputType::epoch); ++i) {
    const auto type = static_cast<InputType>(i);
    CHECK(input_type(input_name(type)) == type);
    CHECK(input_type(input_name(type, "a b")) == type);
    CHECK(input_word(input_name(type, "a b")) == input_name(type));
  }
  CHECK_FALSE(input_type("files a"));
  CHECK(input_word("files a") == "files");
}

TEST_CASE("digests of values depend on the salt") {
  const std::vector<RawInput> inputs = {{"command", "make"}};
  CHECK(salted_inputs(inputs, "a")[0].digest != salted_inputs(inputs, "b")[0].digest);
  CHECK(new_salt() != new_salt());
}

TEST_CASE("a record with any flipped bit is refused") {
  const std::string text = serialise(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    CAPTURE(flipped);
    CHECK(error_of([&] { parse_step_record(flipped, kKey, "record"); }).starts_with("machine: record"));
  }
}
