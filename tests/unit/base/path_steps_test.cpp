#include "base/path_steps.hpp"

#include <doctest/doctest.h>

#include <map>

#include "base/text.hpp"

using namespace kiln;

namespace {

// Where a path leads with these links, the last component followed too; "(loop)" for more links than are followed.
std::string walk(std::string_view path, const std::map<std::string, std::string>& links = {}) {
  PathSteps steps(path);
  while (auto name = steps.next()) {
    auto here = steps.reached();
    here.push_back(*name);
    const auto link = links.find(join(here, "/"));
    if (link == links.end()) {
      steps.enter(*name);
    } else if (!steps.follow(link->second)) {
      return "(loop)";
    }
  }
  return join(steps.reached(), "/");
}

}  // namespace

TEST_CASE("a path is taken component by component, and '..' stops at the root") {
  CHECK(walk("a/b") == "a/b");
  CHECK(walk("/a//./b/") == "a/b");
  CHECK(walk("a/../../../b/..") == "");
  CHECK(walk("") == "");
  CHECK(walk("/") == "");
}

TEST_CASE("links are followed inside of the root, relative ones from their folder") {
  CHECK(walk("a/b/c", {{"a/b", "../x/y"}}) == "x/y/c");
  CHECK(walk("a/b/c", {{"a/b", "/x"}}) == "x/c");
  CHECK(walk("a/b", {{"a/b", "../../../etc"}}) == "etc");
  CHECK(walk("a/b/..", {{"a/b", "/x/y"}}) == "x");
  CHECK(walk("a", {{"a", "b"}, {"b", "c/d"}}) == "c/d");
}

TEST_CASE("40 links are followed and no more") {
  std::map<std::string, std::string> chain;
  for (int i = 0; i < PathSteps::kMostLinks; ++i) chain["l" + std::to_string(i)] = "l" + std::to_string(i + 1);
  CHECK(walk("l0", chain) == "l40");
  chain["l40"] = "end";
  CHECK(walk("l0", chain) == "(loop)");
  CHECK(walk("l1", chain) == "end");
  CHECK(walk("a", {{"a", "a"}}) == "(loop)");
}

TEST_CASE("the last component is known as the last, whatever stands for nothing behind it") {
  PathSteps steps("a/b/./");
  CHECK(steps.next() == "a");
  CHECK_FALSE(steps.at_last());
  CHECK(steps.next() == "b");
  CHECK(steps.at_last());
  CHECK_FALSE(steps.next().has_value());
}
