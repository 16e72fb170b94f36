#include "builder/dockerfile/ports.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

using Ports = std::vector<std::string>;

TEST_CASE("ports, ranges and protocols") {
  CHECK(exposed_ports("80") == Ports{"80/tcp"});
  CHECK(exposed_ports("53/UDP") == Ports{"53/udp"});
  CHECK(exposed_ports("8000-8002") == Ports{"8000/tcp", "8001/tcp", "8002/tcp"});
  CHECK(exposed_ports("127.0.0.1:80:8080") == Ports{"8080/tcp"});
}

TEST_CASE("what is no port is refused with the reason") {
  CHECK(has(usage_error([] { exposed_ports(""); }), "no port given"));
  CHECK(has(usage_error([] { exposed_ports("http"); }), "a number up to 65535"));
  CHECK(has(usage_error([] { exposed_ports("70000"); }), "a number up to 65535"));
  CHECK(has(usage_error([] { exposed_ports("9-3"); }), "a number up to 65535"));
  CHECK(has(usage_error([] { exposed_ports("80/tpc"); }), "did you mean 'tcp'?"));
  CHECK(has(usage_error([] { exposed_ports("example:80:80"); }), "no IP address"));
}

}  // namespace
}  // namespace kiln::dockerfile
