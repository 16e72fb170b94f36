#include "registry/oci/image_config.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::oci;

namespace {

ImageConfig full_config() {
  ImageConfig image;
  image.platform = Platform::parse("linux/arm/v7");
  image.created = "1980-01-01T00:00:00Z";
  image.author = "somebody";
  image.config.user = "1000:1000";
  image.config.exposed_ports = {"6713/tcp", "53/udp"};
  image.config.env = {"PATH=/bin", "EMPTY=", "B=2", "A=1=1"};
  image.config.entrypoint = {"tini", "--"};
  image.config.cmd = {"python", "-m", "app"};
  image.config.volumes = {"/data"};
  image.config.working_dir = "/app";
  image.config.labels = {{"org.opencontainers.image.title", "x"}, {"a", ""}};
  image.config.stop_signal = "SIGINT";
  image.config.healthcheck = Healthcheck{{"CMD-SHELL", "curl -f http://localhost"}, 30000000000, 5000000000, 1, 2, 3};
  image.config.on_build = {"RUN true"};
  image.config.shell = {"/bin/bash", "-c"};
  image.config.args_escaped = true;
  image.diff_ids = {sha256_of("1"), sha256_of("2")};
  image.history = {{"1980-01-01T00:00:00Z", "RUN x", "", "buildkit", false}, {"", "ENV a=1", "me", "", true}};
  return image;
}

}  // namespace

TEST_CASE("a config with everything in it survives being written and read") {
  const ImageConfig image = full_config();
  CHECK(parse_image_config(serialise(image), "c") == image);
  CHECK(serialise(parse_image_config(serialise(image), "c")) == serialise(image));
}

TEST_CASE("the bytes of a config are pinned") {
  ImageConfig image;
  image.platform = Platform::parse("linux/amd64");
  image.created = "1980-01-01T00:00:00Z";
  image.config.env = {"PATH=/bin"};
  image.config.cmd = {"sh"};
  image.diff_ids = {sha256_of("")};
  image.history = {{"1980-01-01T00:00:00Z", "CMD [\"sh\"]", "", "", true}};
  CHECK(
      serialise(image) ==
      R"({"architecture":"amd64","config":{"Env":["PATH=/bin"],"Cmd":["sh"]},"created":"1980-01-01T00:00:00Z",)"
      R"("history":[{"created":"1980-01-01T00:00:00Z","created_by":"CMD [\"sh\"]","empty_layer":true}],"os":"linux",)"
      R"("rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}})");
}

TEST_CASE("a list that is present and empty differs from one that is absent") {
  ImageConfig image;
  image.config.entrypoint = std::vector<std::string>{};
  const ImageConfig again = parse_image_config(serialise(image), "c");
  REQUIRE(again.config.entrypoint);
  CHECK(again.config.entrypoint->empty());
  CHECK_FALSE(again.config.cmd);
}

TEST_CASE("docker's nulls count as absent") {
  const ImageConfig image = parse_image_config(
      R"({"os":"linux","architecture":"amd64","config":{"Cmd":null,"Entrypoint":null,"Labels":null,"Volumes":null,"OnBuild":null,)"
      R"("Healthcheck":null,"Env":null,"ExposedPorts":null},"history":null,"rootfs":{"type":"layers","diff_ids":null}})",
      "c");
  CHECK(image.config == ContainerConfig{});
  CHECK(image.diff_ids.empty());
  CHECK(parse_image_config(R"({"rootfs":{}})", "c").config == ContainerConfig{});
}

TEST_CASE("what is no image config is refused by its name") {
  for (const char* bad :
       {"", "[]", "{}", R"({"rootfs":[]})", R"({"rootfs":{"diff_ids":["x"]}})", R"({"rootfs":{"diff_ids":"x"}})",
        R"({"rootfs":{},"config":{"Env":["a",1]}})", R"({"rootfs":{},"config":{"Env":"a"}})",
        R"({"rootfs":{},"config":{"Labels":{"a":1}}})", R"({"rootfs":{},"config":{"ExposedPorts":["80"]}})",
        R"({"rootfs":{},"config":{"Healthcheck":{"Interval":"1s"}}})", R"({"rootfs":{},"config":1})",
        R"({"rootfs":{},"history":{}})", R"({"rootfs":{},"history":[{"empty_layer":1}]})",
        R"({"rootfs":{},"rootfs":{}})", R"({"rootfs":{},"config":{"User":"a","User":"b"}})"}) {
    CAPTURE(bad);
    try {
      parse_image_config(bad, "config 'c'");
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.category() == Category::network);
      CHECK(error.message().starts_with("config 'c'"));
    }
  }
}

TEST_CASE("values that are no UTF-8 are written as docker writes them, replaced") {
  ImageConfig image;
  image.config.env = {"A=\xff"};
  CHECK(parse_image_config(serialise(image), "c").config.env == std::vector<std::string>{"A=\uFFFD"});
}

TEST_CASE("a variable is set where it stands, and found by its whole name") {
  std::vector<std::string> env{"PATH=/bin", "PATHS=x", "E="};
  CHECK(env_value(env, "PATH") == "/bin");
  CHECK(env_value(env, "PATHS") == "x");
  CHECK(env_value(env, "E") == "");
  CHECK_FALSE(env_value(env, "PAT"));
  CHECK_FALSE(env_value(env, "path"));
  set_env(env, "PATHS", "y=z");
  set_env(env, "NEW", "");
  CHECK(env == std::vector<std::string>{"PATH=/bin", "PATHS=y=z", "E=", "NEW="});
}

TEST_CASE("chain IDs are those of the specification") {
  const Digest a = sha256_of("a"), b = sha256_of("b"), c = sha256_of("c");
  CHECK(chain_id({}).empty());
  CHECK(chain_id({a}) == a);
  const Digest ab = sha256_of(a.str() + " " + b.str());
  CHECK(chain_id({a, b}) == ab);
  CHECK(chain_id({a, b, c}) == sha256_of(ab.str() + " " + c.str()));
  CHECK(chain_id(ab, c) == chain_id({a, b, c}));
}

TEST_CASE("an instruction is told without the values of its build arguments") {
  const auto told = [](std::string created_by) { return instruction_of({"", std::move(created_by), "", "", false}); };
  CHECK(told("RUN |1 TOKEN=abc /bin/sh -c make # buildkit") == "RUN /bin/sh -c make # buildkit");
  CHECK(told("|2 A=1 B=x=y z /bin/sh -c make") == "/bin/sh -c make");
  CHECK(told("RUN |1 A=in /a/folder /bin/sh -c make") == "RUN /bin/sh -c make");
  CHECK(told("RUN |2 A= B= /bin/bash -c make") == "RUN /bin/bash -c make");
  CHECK(told("RUN |1 A=nothing that is a shell") == "RUN ");
  CHECK(told("RUN /bin/sh -c a | b") == "RUN /bin/sh -c a | b");
  CHECK(told("RUN |x A=1 /bin/sh") == "RUN |x A=1 /bin/sh");
  CHECK(told("COPY a b # buildkit") == "COPY a b # buildkit");
  CHECK(told("") == "");
}

TEST_CASE("a config of 16 MiB is read, and a larger one is refused") {
  const auto config = [](std::size_t bytes) {
    const std::string before =
        R"({"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"a":")";
    const std::string behind = "\"}}}";
    return before + std::string(bytes - before.size() - behind.size(), 'x') + behind;
  };
  constexpr std::size_t kMost = std::size_t{16} << 20;
  CHECK(parse_image_config(config(kMost), "config").config.labels.at("a").size() > kMost - 200);
  CHECK_ERROR(parse_image_config(config(kMost + 1), "config"), Category::network,
              "config: 16777217 bytes of JSON, more than the 16777216 allowed");
}
