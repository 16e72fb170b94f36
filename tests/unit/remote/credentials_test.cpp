#include "registry/remote/credentials.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "base/base64.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

struct Places {
  TempDir folder;
  CredentialEnvironment environment;
  Places() {
    environment.docker_config = folder.path() / "docker/config.json";
    environment.auth_files = {folder.path() / "auth.json"};
  }
  void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<Credentials> find(std::string_view registry, std::string_view repository = "") {
    return CredentialStore(environment, CancelToken()).find(registry, repository);
  }
  std::string failing(std::string_view registry) {
    try {
      find(registry);
    } catch (const Error& error) {
      CHECK(error.message().find("canary") == std::string::npos);
      return error.message();
    }
    FAIL("expected an error");
    return {};
  }
};

std::string auths(const std::string& key, const std::string& user, const std::string& password) {
  return R"({"auths":{")" + key + R"(":{"auth":")" + base64_encoded(user + ":" + password) + R"("}}})";
}

// docker-credential-fake on PATH: keeps one login in a file beside it.
struct FakeHelper {
  explicit FakeHelper(const fs::path& folder) : before(std::getenv("PATH")) {
    fs::create_directories(folder);
    std::ofstream(folder / "docker-credential-fake")
        << "#!/bin/sh\nF=" << folder.native()
        << "/kept\ncase $1 in\n"
           "store) cat > $F;;\n"
           "erase) rm $F;;\n"
           "get) read K; if [ \"$K\" = broken.example ]; then echo canary; exit 3; fi\n"
           "  if [ -f $F ]; then cat $F; else echo 'credentials not found in native keychain'; exit 1; "
           "fi;;\nesac\n";
    fs::permissions(folder / "docker-credential-fake", fs::perms::owner_all);
    ::setenv("PATH", (folder.native() + ":" + before).c_str(), 1);
  }
  ~FakeHelper() { ::setenv("PATH", before.c_str(), 1); }
  std::string before;
};

}  // namespace

TEST_CASE("credentials are looked for in their order") {
  Places places;
  CHECK_FALSE(places.find("r.example").has_value());
  places.write(places.environment.auth_files[0], auths("r.example", "auth", "p:w"));
  CHECK(places.find("r.example")->username == "auth");
  CHECK(places.find("r.example")->password == "p:w");
  places.write(places.environment.docker_config, auths("r.example", "config", "x"));
  CHECK(places.find("r.example")->username == "config");
  CHECK(places.find("r.example")->source == places.environment.docker_config.native());
  places.environment.docker_auth_config = auths("r.example", "variable", "x");
  CHECK(places.find("r.example")->source == "DOCKER_AUTH_CONFIG");
  places.environment.flags = Credentials{"flag", "x", "", "", "flags"};
  CHECK(places.find("r.example")->username == "flag");
}

TEST_CASE("another registry's credentials are not used") {
  Places places;
  places.write(places.environment.docker_config, auths("r.example", "u", "p"));
  for (const char* registry : {"r.example.evil", "evil.r.example", "r.exampl", "r.example:5000"}) {
    CAPTURE(registry);
    CHECK_FALSE(places.find(registry).has_value());
  }
}

TEST_CASE("docker hub is known by its old key, and keys may be urls") {
  Places places;
  places.write(places.environment.docker_config, auths("https://index.docker.io/v1/", "hub", "p"));
  CHECK(places.find("docker.io")->username == "hub");
  places.write(places.environment.docker_config, auths("https://r.example:5000/v2/", "u", "p"));
  CHECK(places.find("r.example:5000")->username == "u");
}

TEST_CASE("auth.json may have keys for parts of a registry") {
  Places places;
  places.write(places.environment.auth_files[0], R"({"auths":{"r.example":{"auth":")" + base64_encoded("all:x") +
                                                     R"("},"r.example/acme/app":{"auth":")" + base64_encoded("app:x") +
                                                     R"("}}})");
  CHECK(places.find("r.example", "acme/app")->username == "app");
  CHECK(places.find("r.example", "acme/application")->username == "all");
}

TEST_CASE("identity and registry tokens are read") {
  Places places;
  places.write(places.environment.docker_config,
               R"({"auths":{"a":{"identitytoken":"it"},"b":{"registrytoken":"rt"},"c":{}}})");
  CHECK(places.find("a")->identity_token == "it");
  CHECK(places.find("b")->registry_token == "rt");
  CHECK_FALSE(places.find("c").has_value());
}

TEST_CASE("GITHUB_TOKEN counts for ghcr.io alone") {
  Places places;
  places.environment.github_token = "t";
  CHECK(places.find("ghcr.io")->source == "GITHUB_TOKEN");
  CHECK(places.find("ghcr.io")->username == "x-access-token");
  CHECK_FALSE(places.find("r.example").has_value());
}

TEST_CASE("a file that cannot be understood is an error that quotes nothing of it") {
  Places places;
  for (const char* text :
       {"{\"auths\": canary", R"({"auths":{"r.example":{"auth":"canary)", R"({"auths":{"r":"canary\q"}})",
        "[\"canary\"]", R"({"auths":["canary"]})", R"({"auths":{"r.example":"canary"}})",
        R"({"auths":{"r.example":{"auth":"canary!!"}}})", R"({"auths":{"r.example":{"auth":5}}})",
        R"({"auths":{"other.example":{"auth":5}}})", R"({"auths":{"r.example":{"auth":"OmNhbmFyeQ=="}}})"}) {
    places.write(places.environment.docker_config, text);
    CHECK(places.failing("r.example").find("config.json") != std::string::npos);
  }
}

TEST_CASE("helpers are asked, and their failures told without what they printed") {
  Places places;
  FakeHelper helper(places.folder.path() / "bin");
  places.write(
      places.environment.docker_config,
      R"({"credHelpers":{"r.example":"fake","broken.example":"fake","gone.example":"gone","evil.example":"../x"}})");
  CHECK_FALSE(places.find("r.example").has_value());
  CHECK(places.failing("broken.example").find("exit code 3") != std::string::npos);
  places.failing("gone.example");
  CHECK(places.failing("evil.example").find("not the name of a credential helper") != std::string::npos);
  std::ofstream(places.folder.path() / "bin/kept") << R"({"Username":"u","Secret":"canary)";
  CHECK(places.failing("r.example").find("missing closing quote") != std::string::npos);
  std::ofstream(places.folder.path() / "bin/kept") << R"({"ServerURL":"r.example","Username":"<token>","Secret":"s"})";
  CHECK(places.find("r.example")->identity_token == "s");
}

TEST_CASE("a store comes before what stands beside it, and what stands there counts where the store has nothing") {
  Places places;
  FakeHelper helper(places.folder.path() / "bin");
  const std::string login = R"("auths":{"r.example":{"auth":")" + base64_encoded("old:x") + R"("}})";
  const fs::path& file = places.environment.docker_config;
  places.write(file, R"({"credsStore":"fake",)" + login + "}");
  CHECK(places.find("r.example")->username == "old");
  places.write(file, R"({"credsStore":"gone",)" + login + "}");
  CHECK(places.find("r.example")->username == "old");
  CHECK(places.failing("other.example").find("docker-credential-gone") != std::string::npos);
  std::ofstream(places.folder.path() / "bin/kept") << R"({"ServerURL":"r.example","Username":"new","Secret":"s"})";
  places.write(file, R"({"credsStore":"fake",)" + login + "}");
  CHECK(places.find("r.example")->username == "new");
  places.write(file, R"({"credsStore":"fake","credHelpers":{"r.example":""},)" + login + "}");
  CHECK(places.find("r.example")->username == "old");
}

TEST_CASE("a helper that does not answer in time, or prints without an end, is left and named") {
  Places places;
  FakeHelper helper(places.folder.path() / "bin");
  for (const char* program : {"silent", "endless"}) {
    const fs::path path = places.folder.path() / "bin" / (std::string("docker-credential-") + program);
    std::ofstream(path) << "#!/bin/sh\nexec " << (program == std::string("silent") ? "sleep 1000" : "yes canary")
                        << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  places.write(places.environment.docker_config,
               R"({"credHelpers":{"silent.example":"silent","endless.example":"endless"}})");
  CHECK_ERROR(places.find("endless.example"), Category::machine,
              "program 'docker-credential-endless' printed more than 1.05 MB");
  const Credentials login{"u", "canary", "", "", ""};
  CHECK_ERROR(store_credentials(places.environment, "endless.example", login, CancelToken()), Category::machine,
              "program 'docker-credential-endless' printed more than 1.05 MB");
  places.environment.helper_seconds = 0.1;
  CHECK_ERROR(places.find("silent.example"), Category::machine,
              "credential helper 'docker-credential-silent' did not answer 'get' within 0.1s; run it by hand to see "
              "what it waits for");
  CHECK_ERROR(store_credentials(places.environment, "silent.example", login, CancelToken()), Category::machine,
              doctest::Contains("did not answer 'store' within 0.1s"));
  CHECK_ERROR(erase_credentials(places.environment, "silent.example", CancelToken()), Category::machine,
              doctest::Contains("did not answer 'get' within 0.1s"));
}

TEST_CASE("a login is written with mode 0600, keeps the rest of the file, and can be taken back") {
  Places places;
  places.write(places.environment.docker_config,
               R"({"zeta":1,"auths":{"other":{"auth":"b3RoZXI6eA=="}},"alpha":{"x":[1,2]}})");
  store_credentials(places.environment, "r.example", Credentials{"u", "p", "", "", ""}, CancelToken());
  struct stat info;
  REQUIRE(::stat(places.environment.docker_config.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(places.find("r.example")->password == "p");
  CHECK(places.find("other")->username == "other");
  const std::string text = read_file(places.environment.docker_config);
  CHECK(text.find("zeta") < text.find("alpha"));
  CHECK(erase_credentials(places.environment, "r.example", CancelToken()));
  CHECK_FALSE(erase_credentials(places.environment, "r.example", CancelToken()));
  CHECK_FALSE(places.find("r.example").has_value());
  CHECK(places.find("other")->username == "other");
}

TEST_CASE("the first login makes the file and its folder") {
  Places places;
  store_credentials(places.environment, "docker.io", Credentials{"u", "p", "", "", ""}, CancelToken());
  CHECK(read_file(places.environment.docker_config).find("https://index.docker.io/v1/") != std::string::npos);
  CHECK(places.find("docker.io")->username == "u");
}

TEST_CASE("a login does not write over a file that cannot be understood") {
  Places places;
  const std::string text = R"({"auths":"mine"})";
  places.write(places.environment.docker_config, text);
  const std::string refusal = fmt::format("'{}': 'auths': expected an object, got a string; correct it, or take it out",
                                          places.environment.docker_config.native());
  CHECK_ERROR(store_credentials(places.environment, "r.example", {"u", "p", "", "", ""}, CancelToken()),
              Category::machine, refusal.c_str());
  CHECK_ERROR(erase_credentials(places.environment, "r.example", CancelToken()), Category::machine, refusal.c_str());
  CHECK(read_file(places.environment.docker_config) == text);
}

TEST_CASE("a login goes to the helper that the file names") {
  Places places;
  FakeHelper helper(places.folder.path() / "bin");
  places.write(places.environment.docker_config, R"({"credsStore":"fake"})");
  CHECK(store_credentials(places.environment, "r.example", Credentials{"u", "p", "", "", ""}, CancelToken()) ==
        "docker-credential-fake");
  CHECK(places.find("r.example")->password == "p");
  CHECK(read_file(places.environment.docker_config).find("r.example") == std::string::npos);
  CHECK(erase_credentials(places.environment, "r.example", CancelToken()));
  CHECK_FALSE(places.find("r.example").has_value());
}

TEST_CASE("a config file that is a link stays one") {
  Places places;
  places.write(places.folder.path() / "real.json", "{}");
  fs::create_directories(places.environment.docker_config.parent_path());
  fs::create_symlink(places.folder.path() / "real.json", places.environment.docker_config);
  store_credentials(places.environment, "r.example", Credentials{"u", "p", "", "", ""}, CancelToken());
  CHECK(fs::is_symlink(places.environment.docker_config));
  CHECK(read_file(places.folder.path() / "real.json").find("r.example") != std::string::npos);
}
