#include "registry/remote/docker_config.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

std::string refusal_of(const std::string& text) {
  return error_of([&] { parse_docker_config(text, "/home/me/.docker/config.json"); });
}

}  // namespace

TEST_CASE("a member of another type than docker's is refused by file and member, and no value is told") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"auths": 41})", "'auths': expected an object, got a number"},
      {R"({"auths": ["canary"]})", "'auths': expected an object, got an array"},
      {R"({"auths": {"r.example": "canary"}})", "'auths.r.example': expected an object, got a string"},
      {R"({"auths": {"r.example": {"auth": 41}}})", "'auths.r.example.auth': expected a string, got a number"},
      {R"({"auths": {"r.example": {"username": true}}})",
       "'auths.r.example.username': expected a string, got a boolean"},
      {R"({"auths": {"r.example": {"password": {"x": "canary"}}}})",
       "'auths.r.example.password': expected a string, got an object"},
      {R"({"auths": {"r.example": {"identitytoken": ["canary"]}}})",
       "'auths.r.example.identitytoken': expected a string, got an array"},
      {R"({"auths": {"r.example": {"RegistryToken": 4.1}}})",
       "'auths.r.example.RegistryToken': expected a string, got a number"},
      {R"({"auths": {"r.example": {"serveraddress": 41}}})",
       "'auths.r.example.serveraddress': expected a string, got a number"},
      {R"({"credsStore": 41})", "'credsStore': expected a string, got a number"},
      {R"({"CredsStore": {"a": "canary"}})", "'CredsStore': expected a string, got an object"},
      {R"({"credHelpers": "canary"})", "'credHelpers': expected an object, got a string"},
      {R"({"credHelpers": {"r.example": 41}})", "'credHelpers.r.example': expected a string, got a number"},
      {R"({"HttpHeaders": ["canary"]})", "'HttpHeaders': expected an object, got an array"},
      {R"({"HttpHeaders": {"X-Token": 41}})", "'HttpHeaders.X-Token': expected a string, got a number"},
      {R"({"proxies": "canary"})", "'proxies': expected an object, got a string"},
      {R"({"proxies": {"default": "canary"}})", "'proxies.default': expected an object, got a string"},
      {R"({"proxies": {"default": {"httpProxy": 41}}})",
       "'proxies.default.httpProxy': expected a string, got a number"},
  };
  for (const auto& [text, reason] : cases) {
    CAPTURE(text);
    CHECK(refusal_of(text) == "machine: '/home/me/.docker/config.json': " + reason + "; correct it, or take it out");
  }
  CHECK(refusal_of("[]") == "machine: '/home/me/.docker/config.json' is no JSON object");
  CHECK(refusal_of("\"canary\"") == "machine: '/home/me/.docker/config.json' is no JSON object");
}

TEST_CASE("null counts as absent, and members that docker does not know may be anything") {
  for (
      const char* text :
      {"null", "{}",
       R"({"auths": null, "credsStore": null, "credHelpers": null, "HttpHeaders": null, "proxies": null})",
       R"({"auths": {"r.example": null, "s.example": {"auth": null, "email": 5, "x": []}}, "credHelpers": {"r": null}})",
       R"({"proxies": {"default": null, "other": {"httpProxy": null, "x": 5}}, "features": 5, "x": [1, {"auths": 5}]})"}) {
    CAPTURE(text);
    CHECK(refusal_of(text) == "");
  }
}

TEST_CASE("a helper's answer has texts alone, and none is told") {
  const auto refusal = [](const char* text) {
    return error_of([&] { parse_helper_answer(text, "answer of 'docker-credential-x'"); });
  };
  CHECK(refusal(R"({"ServerURL": "r.example", "Username": "u", "Secret": "s", "Other": 5})") == "");
  CHECK(refusal(R"({"Username": "u", "Secret": 4711})") ==
        "machine: answer of 'docker-credential-x': 'Secret': expected a string, got number");
  CHECK(refusal(R"({"username": ["canary"]})") ==
        "machine: answer of 'docker-credential-x': 'username': expected a string, got array");
  CHECK(refusal(R"(["canary"])") == "machine: answer of 'docker-credential-x' is no JSON object");
}
