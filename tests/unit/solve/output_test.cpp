#include "builder/solve/output.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace kiln;

TEST_CASE("an output says type, destination and options") {
  const Output output = parse_output("type=oci,dest=out,tar=false,name=a:1");
  CHECK(output.type == OutputType::oci);
  CHECK(output.destination == "out");
  CHECK_FALSE(output.as_tar);
  CHECK(output.names == std::vector<std::string>{"a:1"});
}

TEST_CASE("a bare path is a folder, and '-' a tar on standard output") {
  CHECK(parse_output("out").type == OutputType::local);
  CHECK(parse_output("-").type == OutputType::tar);
}

TEST_CASE("an unknown type or option is refused with the nearest one") {
  CHECK_THROWS_AS(parse_output("type=ocj,dest=x"), Error);
  CHECK_THROWS_AS(parse_output("type=oci,dst=x"), Error);
}
