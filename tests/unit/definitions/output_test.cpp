#include "builder/definitions/output.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

TEST_CASE("an output says type, destination and options") {
  const Output output = parse_output("type=oci,dest=out,tar=false,name=a:1");
  CHECK(output.type == OutputType::oci);
  CHECK(output.destination == "out");
  CHECK_FALSE(output.as_tar);
  CHECK(output.names == std::vector<std::string>{"a:1"});
}

TEST_CASE("a name that an image is to get holds no digest") {
  CHECK(error_of([&] { parse_output("type=image,name=a:1@sha256:" + std::string(64, '0')); }) ==
        "usage: image reference 'a:1@sha256:" + std::string(64, '0') +
            "': a name that an image is to get holds no digest, which the image decides; write "
            "'docker.io/library/a:1'");
}

TEST_CASE("a bare path is a folder, and '-' a tar on standard output") {
  CHECK(parse_output("out").type == OutputType::local);
  CHECK(parse_output("-").type == OutputType::tar);
  CHECK(parse_output("a=b").destination == "a=b");
}

TEST_CASE("docker without a destination is loaded, other archives go to standard output") {
  CHECK(parse_output("type=docker").load);
  CHECK_FALSE(parse_output("type=docker,dest=-").load);
  CHECK(parse_output("type=oci").destination == "-");
  CHECK(error_of([&] { parse_output("type=local"); }) == "usage: --output type=local needs dest=FOLDER");
}

TEST_CASE("options of BuildKit that kiln does not have are taken where they are off, and refused with the reason") {
  CHECK_NOTHROW(parse_output("type=image,registry.insecure=false"));
  CHECK(error_of([&] { parse_output("type=image,registry.insecure=true"); }) ==
        "usage: --output: 'registry.insecure' is refused: registries on loopback are asked over http, others as "
        "docs/registries.md says");
  CHECK(error_of([&] { parse_output("type=image,push-by-digest=true"); }) ==
        "usage: --output: push-by-digest=true goes with push=true");
}

TEST_CASE("an output's annotations keep the case of their keys") {
  const Output output = parse_output("type=image,annotation-index.Org=a");
  REQUIRE(output.annotations.size() == 1);
  CHECK(output.annotations[0].key == "Org");
}

TEST_CASE("an unknown type or option is refused with the nearest one") {
  CHECK(error_of([&] { parse_output("type=ocj,dest=x"); }) ==
        "usage: --output: unknown type 'ocj'; did you mean 'oci'?");
  CHECK(error_of([&] { parse_output("type=oci,dst=x"); }) ==
        "usage: --output: unknown option 'dst'; did you mean 'dest'?");
}

TEST_CASE("each type takes its own options, and refuses those of others by name") {
  struct Row {
    const char* option;
    const char* types;  // that take it
  };
  const Row rows[] = {
      {"tar=true", "docker, oci"},
      {"name=a:1", "docker, image, oci, registry"},
      {"push=true", "image, registry"},
      {"name-canonical=true", "image, registry"},
      {"store=true", "image, registry"},
      {"unpack=true", "image, registry"},
      {"compression=zstd", "docker, image, oci, registry"},
      {"compression-level=3", "docker, image, oci, registry"},
      {"force-compression=true", "docker, image, oci, registry"},
      {"oci-mediatypes=true", "docker, image, oci, registry"},
      {"rewrite-timestamp=true", "docker, image, oci, registry"},
      {"annotation.a=b", "docker, image, oci, registry"},
      {"platform-split=true", "local, tar"},
      {"dest=x", "docker, local, oci, tar"},
  };
  const std::vector<std::string> types = {"cacheonly", "docker", "image", "local", "oci", "registry", "tar"};
  for (const Row& row : rows) {
    const std::string option = row.option;
    const std::string key = option.substr(0, option.find('='));
    for (const std::string& type : types) {
      CAPTURE(type + " " + option);
      const bool has_place = type != "cacheonly" && type != "image" && type != "registry" && key != "dest";
      const std::string text = "type=" + type + (has_place ? ",dest=x," : ",") + option;
      const bool is_taken = (", " + std::string(row.types) + ",").find(", " + type + ",") != std::string::npos;
      CHECK(error_of([&] { parse_output(text); }) ==
            (is_taken ? "" : "usage: --output type=" + type + ": '" + key + "' is an option of " + row.types));
    }
  }
}

TEST_CASE("an option that stands twice is refused, but for names") {
  CHECK(error_of([&] { parse_output("type=oci,dest=a,DEST=b"); }) == "usage: --output: 'dest' is given twice");
  CHECK(error_of([&] { parse_output("type=image,type=oci"); }) == "usage: --output: 'type' is given twice");
  CHECK(parse_output("type=image,name=a:1,name=b:1").names.size() == 2);
}

TEST_CASE("the order of options changes nothing, and a registry is pushed to") {
  CHECK(parse_output("dest=x,type=oci").destination == "x");
  CHECK(error_of([&] { parse_output("push=false,type=registry"); }) ==
        "usage: --output: type=registry pushes; for an image that is not pushed say type=image");
  CHECK(error_of([&] { parse_output("type=image,compression=uncompressed,compression-level=3"); }) ==
        "usage: compression 'uncompressed' has no levels, got 3");
}
