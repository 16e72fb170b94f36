#include "builder/steps/source_secrets.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

// Secrets with these names, each with its own name as value.
SourceSecrets secrets(const std::vector<std::string>& names) {
  std::vector<SecretSource> list;
  for (const std::string& name : names) {
    const std::string variable = "KILN_TEST_" + std::to_string(list.size());
    ::setenv(variable.c_str(), name.c_str(), 1);
    list.push_back({name, std::nullopt, variable});
  }
  return SourceSecrets(std::move(list));
}

std::vector<std::string> headers(const SourceSecrets& given, const char* remote) {
  std::vector<std::string> lines;
  for (const auto& header : given.git_headers(remote)) lines.push_back(header.url + " " + header.header);
  return lines;
}

std::string refusal_of(const SecretSource& secret, Category category) {
  try {
    read_secret(secret);
  } catch (const Error& error) {
    CHECK(error.category() == category);
    return error.message();
  }
  return {};
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("git is authorised by the most particular secret for a repository's host") {
  const char* remote = "https://host:8443/repo.git";
  CHECK(headers(secrets({"GIT_AUTH_TOKEN"}), remote) ==
        Lines{"https://host:8443/ Authorization: basic eC1hY2Nlc3MtdG9rZW46R0lUX0FVVEhfVE9LRU4="});
  CHECK(headers(secrets({"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER"}), remote) ==
        Lines{"https://host:8443/ Authorization: GIT_AUTH_HEADER"});
  CHECK(headers(secrets({"GIT_AUTH_HEADER", "GIT_AUTH_HEADER.HOST"}), remote) ==
        Lines{"https://host:8443/ Authorization: GIT_AUTH_HEADER.HOST"});
  CHECK(headers(secrets({"GIT_AUTH_HEADER.host", "GIT_AUTH_HEADER.host:8443"}), remote) ==
        Lines{"https://host:8443/ Authorization: GIT_AUTH_HEADER.host:8443"});
}

TEST_CASE("a secret for another host goes to that one, and none to a protocol without headers") {
  CHECK(headers(secrets({"GIT_AUTH_HEADER.other"}), "http://host/repo.git") ==
        Lines{"https://other/ Authorization: GIT_AUTH_HEADER.other"});
  CHECK(headers(secrets({"GIT_AUTH_HEADER"}), "ssh://host/repo").empty());
  CHECK(headers(secrets({"GIT_AUTH_HEADER"}), "git@host:repo").empty());
  CHECK(headers(secrets({"HTTP_AUTH_TOKEN_host", "OTHER"}), "https://host/repo.git").empty());
}

TEST_CASE("user name and password of a URL count where no secret does") {
  const char* remote = "http://a%40da:p%3Aw@host/repo.git";
  CHECK(headers({}, remote) == Lines{"http://host/ Authorization: Basic YUBkYTpwOnc="});
  CHECK(headers(secrets({"GIT_AUTH_HEADER"}), remote) == Lines{"http://host/ Authorization: GIT_AUTH_HEADER"});
  CHECK(without_user(remote) == "http://host/repo.git");
  CHECK(without_user("http://host/a@b") == "http://host/a@b");
  CHECK_FALSE(user_authorization("http://host/a@b"));
}

TEST_CASE("a file of a host is authorised by that host's secrets") {
  const auto of = [](const std::vector<std::string>& names, const char* url) {
    return secrets(names).http_authorization(Url::parse(url)).value_or("none");
  };
  CHECK(of({"HTTP_AUTH_TOKEN_host"}, "https://host/f") == "Bearer HTTP_AUTH_TOKEN_host");
  CHECK(of({"HTTP_AUTH_HEADER_host"}, "https://host:81/f") == "HTTP_AUTH_HEADER_host");
  CHECK(of({"HTTP_AUTH_HEADER_host", "HTTP_AUTH_TOKEN_host"}, "https://host/f") == "Bearer HTTP_AUTH_TOKEN_host");
  CHECK(of({"HTTP_AUTH_TOKEN_::1"}, "http://[::1]/f") == "Bearer HTTP_AUTH_TOKEN_::1");
  CHECK(of({"HTTP_AUTH_TOKEN_host", "GIT_AUTH_TOKEN"}, "https://host.example/f") == "none");
}

TEST_CASE("a secret that cannot be read is told without its value") {
  const TempDir folder;
  const fs::path file = folder.path() / "secret";
  write_all(create_file(file), "x", "secret");
  fs::resize_file(file, (500 << 10) + 1);
  CHECK(refusal_of({"id", file, {}}, Category::build) ==
        "secret 'id': '" + file.native() + "' is larger than 512000 bytes");
  CHECK(refusal_of({"id", folder.path(), {}}, Category::usage) ==
        "secret 'id': '" + folder.path().native() + "' is a folder, expected a file");
  CHECK(refusal_of({"id", folder.path() / "none", {}}, Category::usage).ends_with("is not there"));
  CHECK(refusal_of({"id", "/dev/zero", {}}, Category::usage).starts_with("secret 'id': '/dev/zero' cannot be read: "));
  CHECK(read_secret({"id", "/dev/null", {}}).empty());
  CHECK(refusal_of({"id", {}, "KILN_TEST_NOT_SET"}, Category::usage) ==
        "secret 'id': the environment variable 'KILN_TEST_NOT_SET' is not set");
  ::setenv("KILN_TEST_BAD", "S3CRET\nmore", 1);
  const SourceSecrets bad({{"GIT_AUTH_TOKEN", {}, "KILN_TEST_BAD"}});
  CHECK(error_of([&] { bad.git_headers("https://host/repo.git"); }) ==
        "usage: secret 'GIT_AUTH_TOKEN': expected one line of text without control characters");
}

TEST_CASE("a kept origin shows that there were credentials, and not which") {
  CHECK(with_masked_user("https://ada:pw@host/r.git") == "https://xxxxx:xxxxx@host/r.git");
  CHECK(with_masked_user("ssh://git@host/r") == "ssh://xxxxx@host/r");
  CHECK(with_masked_user("https://:pw@host/r.git") == "https://:xxxxx@host/r.git");
  CHECK(with_masked_user("https://host/r.git") == "https://host/r.git");
  CHECK(with_masked_user("git@host:acme/r") == "git@host:acme/r");
}
