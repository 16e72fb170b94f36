#include "builder/definitions/target_parts.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using kiln::TargetParts;
using Texts = std::vector<std::string>;

namespace {

kiln::TargetSpec applied(const TargetParts& parts) {
  kiln::TargetSpec target;
  target.name = "t";
  parts.apply_to(target, "/here");
  return target;
}

}  // namespace

TEST_CASE("what was not said changes nothing") {
  kiln::TargetSpec target;
  target.context = "/c";
  target.tags = {"x"};
  target.network = "none";
  const kiln::TargetSpec before = target;
  TargetParts{}.apply_to(target, "/here");
  CHECK(target == before);
}

TEST_CASE("merging replaces single values and lists, joins maps, and adds to caches, secrets and keys") {
  TargetParts parts, over;
  parts.context = "a";
  parts.args = {{"A", "1"}, {"B", "1"}};
  parts.tags = Texts{"a"};
  parts.cache_from = Texts{"a"};
  over.args = {{"B", "2"}};
  over.tags = Texts{"b"};
  over.cache_from = Texts{"a", "b"};
  over.no_cache = false;
  parts.merge(over);
  CHECK(parts.context == "a");
  CHECK(parts.args == std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}});
  CHECK(parts.tags == Texts{"b"});
  CHECK(parts.cache_from == Texts{"a", "b"});
  CHECK(parts.no_cache == false);
}

TEST_CASE("an inline Dockerfile goes over a named one") {
  TargetParts parts;
  parts.dockerfile = "D";
  parts.dockerfile_inline = "FROM x";
  CHECK(applied(parts).dockerfile_inline == "FROM x");
  CHECK_FALSE(applied(parts).dockerfile);
}

TEST_CASE("remote contexts are no folders, and a Dockerfile is looked for in them") {
  for (const char* url :
       {"https://example.com/x.git", "git@example.com:x", "ssh://x/y", "git://x/y", "github.com/a/b"}) {
    TargetParts parts;
    parts.context = url;
    parts.dockerfile = "docker/D";
    CHECK(applied(parts).remote_context == url);
    CHECK_FALSE(applied(parts).context);
    CHECK(applied(parts).dockerfile == "docker/D");
  }
}
