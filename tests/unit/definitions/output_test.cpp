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
