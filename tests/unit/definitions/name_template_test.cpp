#include "builder/definitions/name_template.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using kiln::render_template;

namespace {

using Values = std::map<std::string, std::optional<std::string>>;
const Values kValues = {{"image", "hub"}, {"profile", "pc2"}, {"git", std::nullopt}};

std::string refusal(const char* text) {
  try {
    render_template(text, kValues);
  } catch (const kiln::Error& error) {
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("placeholders are replaced") {
  CHECK(render_template("{image}-{profile}", kValues) == "hub-pc2");
  CHECK(render_template("x", kValues) == "x");
  CHECK(render_template("{image}{image}", kValues) == "hubhub");
}

TEST_CASE("a placeholder without a value takes one separator with it") {
  CHECK(render_template("{image}-{git}", kValues) == "hub");
  CHECK(render_template("{git}-{image}", kValues) == "hub");
  CHECK(render_template("{image}/{git}/x", kValues) == "hub/x");
  CHECK(render_template("{git}", kValues).empty());
}

TEST_CASE("an unknown placeholder is answered with the nearest") {
  CHECK(refusal("{imag}") == "unknown placeholder '{imag}' in '{imag}'; did you mean 'image'?");
  CHECK(refusal("{image") == "'{image' has a '{' without '}'");
  CHECK(refusal("image}") == "'image}' has a '}' without '{'");
}

TEST_CASE("a template tells which placeholders it uses") {
  CHECK(kiln::template_uses("{date}-{git}", "git"));
  CHECK_FALSE(kiln::template_uses("git", "git"));
}

TEST_CASE("templates of tags have to make tags") {
  CHECK_NOTHROW(kiln::check_tag_template("{image}.{profile}-{date}-{git}"));
  CHECK_ERROR(kiln::check_tag_template("{date}/x"), kiln::Category::usage, "'{date}/x' makes no valid tag");
}
