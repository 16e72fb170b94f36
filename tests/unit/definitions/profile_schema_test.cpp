#include "builder/definitions/profile_schema.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

namespace {

using kiln::extended_profile_schema;
using nlohmann::json;

TEST_CASE("keys of one's own add to kiln's, and those of neither are refused") {
  const auto schema = extended_profile_schema(R"({"properties": {"QUEUE_DEPTH": {"type": "string"}}})", "schema.json");
  CHECK(schema.validate(json{{"QUEUE_DEPTH", "10"}, {"OMP_NUM_THREADS", "2"}}).empty());
  const auto issues = schema.validate(json{{"OMP_NUM_THREDS", "2"}});
  REQUIRE(issues.size() == 1);
  CHECK(issues[0].message == "unknown key 'OMP_NUM_THREDS'; did you mean 'OMP_NUM_THREADS'?");
}

TEST_CASE("kiln's own checks hold beside keys of one's own") {
  const auto schema = extended_profile_schema(R"({"properties": {"A": {"type": "string"}}})", "schema.json");
  CHECK(schema.validate(json{{"OMP_NUM_THREADS", "many"}}).size() == 1);
  CHECK(schema.validate(json{{"machine", {{"memory", "much"}}}}).size() == 1);
}

TEST_CASE("a property of both is one's own, and still sets what the libraries read") {
  const auto schema = extended_profile_schema(
      R"({"properties": {"TORCH_CUDA_ALLOC_CONF": {"type": "string"}, "FANS": {"type": "integer", "x-kiln-sets": ["FAN"]}}})",
      "schema.json");
  CHECK(schema.validate(json{{"TORCH_CUDA_ALLOC_CONF", "anything at all"}}).empty());
  CHECK(schema.sets().at("TORCH_CUDA_ALLOC_CONF") == std::vector<std::string>{"PYTORCH_CUDA_ALLOC_CONF"});
  CHECK(schema.sets().at("GPU_VISIBLE_DEVICES") == std::vector<std::string>{"CUDA_VISIBLE_DEVICES"});
  CHECK(schema.sets().at("FANS") == std::vector<std::string>{"FAN"});
}

TEST_CASE("any key is taken where one's own schema says so") {
  const auto schema = extended_profile_schema(R"({"additionalProperties": true})", "schema.json");
  CHECK(schema.validate(json{{"WHATEVER", "x"}}).empty());
}

TEST_CASE("a keyword that kiln does not know is refused with the file's name") {
  CHECK_ERROR(extended_profile_schema(R"({"propertys": {}})", "own/schema.json"), kiln::Category::usage,
              doctest::Contains("own/schema.json"));
}

}  // namespace
