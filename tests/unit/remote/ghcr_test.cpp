#include "registry/remote/ghcr.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("ghcr is known by its name") {
  CHECK(ghcr::is_ghcr("ghcr.io"));
  CHECK(ghcr::is_ghcr("containers.acme.ghe.com"));
  CHECK_FALSE(ghcr::is_ghcr("ghcr.io.example"));
  CHECK_FALSE(ghcr::is_ghcr("localhost:5000"));
}

TEST_CASE("what ghcr will not take is said before a byte is sent") {
  oci::Descriptor blob;
  blob.size = 10'000'000'001;
  CHECK(ghcr::upload_objection(blob, "layer of Dockerfile:7", 0)->find("layer of Dockerfile:7") == 0);
  blob.size = 6'100'000'000;
  CHECK_FALSE(ghcr::upload_objection(blob, "layer", 0).has_value());
  CHECK_FALSE(ghcr::upload_objection(blob, "layer", 20e6).has_value());
  CHECK(ghcr::upload_objection(blob, "layer", 10e6)->find("10m00s") != std::string::npos);
}

TEST_CASE("refusals are explained with the setting to change") {
  HttpResponse response;
  response.status = 403;
  response.body = R"({"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]})";
  const std::string advice = ghcr::advice(response, "acme/app");
  CHECK(advice.find("Manage Actions access") != std::string::npos);
  CHECK(advice.find("'app' of 'acme'") != std::string::npos);
  response.body = "You have exceeded a secondary rate limit";
  CHECK(ghcr::advice(response, "acme/app").find("throttles") != std::string::npos);
  response.status = 500;
  CHECK(ghcr::advice(response, "acme/app").empty());
}
