#include "builder/definitions/bake/print_checks.hpp"

#include <doctest/doctest.h>

#include "builder/definitions/bake/definition.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using namespace kiln;

namespace {

// What printing the target "app" of this text says; empty: it is printed.
std::string refusal_of_text(const std::string& text, const std::vector<std::string>& set = {}) {
  const test::Folder folder({{"docker-bake.hcl", text}});
  bake::DefinitionOptions options;
  options.working_directory = folder.path();
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {"docker-bake.hcl"};
  options.set = set;
  const bake::Definition definition = bake::Definition::load(options);
  try {
    bake::check_printed(definition, definition.select({"app"}));
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    const std::string file = folder.path() / "docker-bake.hcl:";
    return error.message().starts_with(file) ? "docker-bake.hcl:" + error.message().substr(file.size())
                                             : error.message();
  }
  return "";
}

// The same of a target with one attribute, without the place of its value.
std::string refusal_of(const std::string& attribute) {
  const std::string message = refusal_of_text("target \"app\" {\n  " + attribute + "\n}\n");
  if (message.empty()) return message;
  const std::string place = "docker-bake.hcl:2:" + std::to_string(attribute.find('=') + 5) + ": ";
  CHECK(message.substr(0, place.size()) == place);
  return message.substr(std::min(place.size(), message.size()));
}

}  // namespace

TEST_CASE("platforms that buildx takes are printed, whether kiln builds them or not") {
  for (const char* platform : {"linux/amd64", "LOCAL", "linux/arm64,linux/arm/v7", "windows(10.0.17763)/amd64",
                               "darwin", "riscv64", "x86_64", "freebsd/any"}) {
    INFO(platform);
    CHECK(refusal_of("platforms = [\"" + std::string(platform) + "\"]") == "");
  }
}

TEST_CASE("platforms that mean nothing are refused with the target") {
  CHECK(refusal_of("platforms = [\"lin ux\"]") ==
        "target 'app': platforms: 'lin ux' is no platform; expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64");
  for (const char* platform : {"linux/*", "linux/", "a/b/c/d", "nothing", "linux/amd64,x y"}) {
    INFO(platform);
    CHECK(refusal_of("platforms = [\"" + std::string(platform) + "\"]").starts_with("target 'app': platforms: "));
  }
}

TEST_CASE("a value that means nothing is told where it is said, in the target or in what it inherits") {
  const std::string mistake = "target 'app': platforms: 'lin ux' is no platform; expected OS/ARCHITECTURE[/VARIANT]";
  const std::string inherited =
      "target \"base\" {\n  platforms = [\"lin ux\"]\n}\ntarget \"app\" {\n  inherits = [\"base\"]\n}\n";
  CHECK(refusal_of_text(inherited).starts_with("docker-bake.hcl:2:15: " + mistake));
  CHECK(refusal_of_text(inherited + "target \"app\" {\n  platforms = [\"lin ux\"]\n}\n")
            .starts_with("docker-bake.hcl:8:15: " + mistake));
  CHECK(refusal_of_text("target \"app\" {\n}\n", {"app.platform=lin ux"}).starts_with(mistake));
  CHECK(refusal_of_text(inherited, {"base.platform=lin ux"}).starts_with(mistake));
}

TEST_CASE("limits, sizes and annotations that mean nothing are refused") {
  CHECK(refusal_of("ulimits = [\"nofile=1024:2048\", \"core=-1\"]") == "");
  CHECK(refusal_of("ulimits = [\"nofiles=1\"]") ==
        "target 'app': ulimits: ulimit 'nofiles' is not known; did you mean 'nofile'?");
  CHECK(refusal_of("ulimits = [\"nofile=2:1\"]") ==
        "target 'app': ulimits: ulimit 'nofile=2:1': the soft limit is above the hard limit");
  CHECK(refusal_of("shm-size = \"1.5 GiB\"") == "");
  CHECK(refusal_of("shm-size = \"much\"") == "target 'app': shm-size: 'much' is no size; expected one such as 64m");
  CHECK(refusal_of("resources = {memory = \"2g\", memory-swap = \"-1\"}") == "");
  CHECK(refusal_of("resources = {memory = \"x\"}") ==
        "target 'app': resources: 'x' is no size; expected one such as 64m");
  CHECK(refusal_of("annotations = [\"a=1\", \"index,manifest[linux/amd64]:a=1\", \"=x\", \"a=b:c\"]") == "");
  CHECK(refusal_of("annotations = [\"a\"]") == "target 'app': annotations: annotation 'a': expected NAME=VALUE");
  CHECK(refusal_of("annotations = [\"indices:a=1\"]") ==
        "target 'app': annotations: annotation 'indices:a=1': unknown place 'indices'; did you mean 'index'?");
  CHECK(refusal_of("annotations = [\"manifest[linux/amd64:a=1\"]") ==
        "target 'app': annotations: annotation 'manifest[linux/amd64:a=1': '[' is not closed");
}

TEST_CASE("standard input is no context and no Dockerfile of a bake file") {
  CHECK(refusal_of("context = \"-\"") == "target 'app': context: a bake file cannot take it from standard input");
  CHECK(refusal_of("dockerfile = \"-\"") == "target 'app': dockerfile: a bake file cannot take it from standard input");
}

TEST_CASE("an output that is a folder names it") {
  CHECK(refusal_of("output = [\"type=docker\", \"type=oci,dest=x.tar\", \"type=local,dest=out\"]") == "");
  CHECK(refusal_of("output = [\"type=local\"]") ==
        "target 'app': output: an output of the type 'local' needs a 'dest'");
  CHECK(refusal_of("output = [\"type=oci,tar=false,dest=-\"]") ==
        "target 'app': output: an output of the type 'oci' is a folder, not '-'");
  CHECK(refusal_of("output = [\"type=tar\", \"type=oci\"]") ==
        "target 'app': output: only one output can go to standard output");
}
