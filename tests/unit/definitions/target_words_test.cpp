#include "builder/definitions/target_words.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include "base/error.hpp"

using namespace kiln;

namespace {

template <class Parse>
std::string refusal(const Parse& parse) {
  try {
    parse();
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

std::string secret_refusal(const char* text) {
  return refusal([&] { parse_secret(text); });
}

}  // namespace

TEST_CASE("secrets are read as docker reads them") {
  CHECK(parse_secret("id=a,src=f", "/here") == SecretSource{"a", "/here/f", std::nullopt});
  CHECK(parse_secret("id=a,source=/f,type=file", "/here") == SecretSource{"a", "/f", std::nullopt});
  CHECK(parse_secret("id=a,env=E") == SecretSource{"a", std::nullopt, "E"});
  CHECK(parse_secret("id=a,type=env,src=E") == SecretSource{"a", std::nullopt, "E"});
  CHECK(parse_secret("id=a,type=env") == SecretSource{"a", std::nullopt, "a"});
  CHECK(parse_secret("id=a,type=file", "/here") == SecretSource{"a", "/here/a", std::nullopt});
  CHECK(parse_secret("id=a") == SecretSource{"a", std::nullopt, std::nullopt});
  CHECK(parse_secret("id=a,\"src=f,\"\"g\"\"\"", "/here").file == "/here/f,\"g\"");
}

TEST_CASE("what is no secret is told why") {
  CHECK(secret_refusal("src=f") == "a secret has no id; expected id=ID[,src=FILE|,env=NAME]");
  CHECK(secret_refusal("id") == "secret: a word without '='; expected id=ID[,src=FILE|,env=NAME]");
  CHECK(secret_refusal("id=a,scr=f") == "secret: unknown key 'scr'; did you mean 'src'?");
  CHECK(secret_refusal("id=a,type=x") == "secret 'a': unknown type 'x'; known: file, env");
  CHECK(secret_refusal("id=a,src=f,env=E") == "secret 'a' is a file or a variable: say src or env, not both");
  CHECK(secret_refusal("id=a,type=file,env=E") == "secret 'a' is a file or a variable: say src or env, not both");
  CHECK(secret_refusal("id=a,src=f,source=g") == "secret: 'src' is given twice");
  CHECK(secret_refusal("\"id=a") == "secret: missing closing quote in '\"id=a'");
  CHECK(secret_refusal("\"id=a\"x") == "secret: text behind a closing quote in '\"id=a\"x'");
}

TEST_CASE("a secret that is only an ID is the variable of that name where there is one, else the file") {
  ::setenv("KILN_TEST_SECRET", "x", 1);
  CHECK(located({"KILN_TEST_SECRET", std::nullopt, std::nullopt}).environment == "KILN_TEST_SECRET");
  ::unsetenv("KILN_TEST_SECRET");
  CHECK(located({"KILN_TEST_SECRET", std::nullopt, std::nullopt}).file == "KILN_TEST_SECRET");
  CHECK(located({"a", "/f", std::nullopt}) == SecretSource{"a", "/f", std::nullopt});
  CHECK(located({"a", std::nullopt, "E"}) == SecretSource{"a", std::nullopt, "E"});
}

TEST_CASE("agents have an ID, and sockets or keys") {
  CHECK(parse_ssh("default") == SshForward{"default", {}});
  CHECK(parse_ssh("a=/s,k", "/here") == SshForward{"a", {"/s", "/here/k"}});
  CHECK(refusal([] { parse_ssh("=/s"); }) == "ssh '=/s' has no id");
}

TEST_CASE("platforms are a list of texts with commas, each platform once") {
  const oci::Platform amd64 = oci::Platform::parse("linux/amd64"), arm64 = oci::Platform::parse("linux/arm64");
  CHECK(parse_platforms({"linux/amd64, linux/arm64", "linux/amd64"}) == std::vector{amd64, arm64});
  CHECK(parse_platforms({"local"}) == std::vector{oci::Platform::host()});
  CHECK(parse_platforms({""}).empty());
  CHECK_FALSE(refusal([] { parse_platforms({"linux/amd64,"}); }).empty());
}

TEST_CASE("hosts have a name and an address") {
  CHECK(parse_host("a:1.2.3.4") == std::pair<std::string, std::string>("a", "1.2.3.4"));
  CHECK(parse_host("a=::1") == std::pair<std::string, std::string>("a", "::1"));
  for (const char* bad : {"a", "a:", ":1"}) {
    INFO(bad);
    CHECK(refusal([&] { parse_host(bad); }) == std::string("host '") + bad + "': expected NAME:ADDRESS");
  }
  CHECK(parse_host("a:[::1]").second == "::1");
}

TEST_CASE("what would be no line of /etc/hosts is refused") {
  CHECK(refusal([] { parse_host("a:b"); }) == "host 'a:b': 'b' is no IP address");
  CHECK(refusal([] { parse_host("a:1.2.3"); }) == "host 'a:1.2.3': '1.2.3' is no IP address");
  for (const char* bad : {"a b:1.2.3.4", "a\nb:1.2.3.4", "#a:1.2.3.4"}) {
    INFO(bad);
    CHECK(refusal([&] { parse_host(bad); }).ends_with(": a name holds no spaces, control characters or '#'"));
  }
}

TEST_CASE("docker's word for its host is this machine, whose network RUN shares") {
  CHECK(parse_host("a:host-gateway") == std::pair<std::string, std::string>("a", "127.0.0.1"));
}

TEST_CASE("sizes of memory are counted in powers of 1024, whatever the unit is called") {
  CHECK(parse_memory_size("64m") == std::uint64_t{64} << 20);
  CHECK(parse_memory_size("1GiB") == std::uint64_t{1} << 30);
  CHECK(parse_memory_size("2KB") == 2048);
  CHECK(parse_memory_size("1024") == 1024);
  CHECK(parse_memory_size("1.5g") == std::uint64_t{3} << 29);
  CHECK(parse_memory_size("2 mb") == std::uint64_t{2} << 20);
  for (const char* bad : {"", "m", "1x", "-1", ".5g", "1.g", "1.2.3", "1e3", "99999999999t"}) {
    INFO(bad);
    CHECK_FALSE(parse_memory_size(bad));
  }
}
