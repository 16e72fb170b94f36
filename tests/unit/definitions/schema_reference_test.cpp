#include "builder/definitions/schema_reference.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "builder/definitions/embedded_schemas.hpp"

namespace {

namespace fs = std::filesystem;
using kiln::schema_reference;
using nlohmann::json;

// Every property below a schema that says nothing about itself, by its path.
void collect_silent_keys(const json& node, const std::string& path, std::vector<std::string>& silent) {
  if (node.contains("properties")) {
    for (const auto& [key, value] : node.at("properties").items()) {
      if (!value.contains("description") && value.value("$ref", "") != "#/$defs/compression") {
        silent.push_back(path + key);
      }
      collect_silent_keys(value, path + key + ".", silent);
    }
  }
  for (const char* choice : {"oneOf", "anyOf"}) {
    if (!node.contains(choice)) continue;
    for (const json& one : node.at(choice)) collect_silent_keys(one, path, silent);
  }
  if (node.contains("items")) collect_silent_keys(node.at("items"), path, silent);
}

TEST_CASE("the reference pages are those of the schemas") {
  const std::pair<std::string, std::string_view> pages[] = {{"fleet", kiln::embedded::fleet_schema_text()},
                                                            {"image", kiln::embedded::image_schema_text()},
                                                            {"profile", kiln::embedded::profile_schema_text()}};
  for (const auto& [name, schema] : pages) {
    CAPTURE(name);
    const fs::path file = fs::path(KILN_SOURCE_DIR) / "docs/reference" / (name + ".md");
    const std::string page = schema_reference(schema, "kiln schema " + name + " --markdown");
    if (std::getenv("KILN_GOLDEN_UPDATE")) {
      fs::create_directories(file.parent_path());
      kiln::write_all(kiln::create_file(file), page, file.string());
    }
    // Where this fails: KILN_GOLDEN_UPDATE=1 writes the pages anew.
    CHECK(kiln::read_file_if_exists(file).value_or("") == page);
  }
}

TEST_CASE("every key of the schemas says what it means") {
  for (const std::string_view text : {kiln::embedded::fleet_schema_text(), kiln::embedded::image_schema_text(),
                                      kiln::embedded::profile_schema_text()}) {
    std::vector<std::string> silent;
    collect_silent_keys(json::parse(text), "", silent);
    CHECK(silent == std::vector<std::string>{});
  }
}

TEST_CASE("a key is told with its type, default, meaning and example, and keys in objects by their path") {
  const std::string page = schema_reference(R"({
    "title": "things", "description": "What is tried.", "type": "object", "required": ["port"],
    "properties": {
      "port": {"description": "Where it listens.", "type": "integer", "minimum": 1, "maximum": 65535, "examples": [80]},
      "mode": {"description": "How.", "enum": ["slow", "fast"], "default": "slow"},
      "limits": {"description": "At most.", "type": "object", "properties": {
        "names": {"description": "Of whom.", "type": "array", "items": {"$ref": "#/$defs/name"}}}}},
    "$defs": {"name": {"type": "string", "x-kiln-expects": "letters"}}})",
                                            "kiln schema things");
  CHECK(page ==
        "# things\n\nWhat is tried.\n\nThis page is what `kiln schema things` prints.\n"
        "\n## `port`\n\nWhere it listens.\n\n- type: whole number from 1 to 65535\n"
        "- default: none: it must be said\n- example: `80`\n"
        "\n## `mode`\n\nHow.\n\n- type: `\"slow\"`, `\"fast\"`\n- default: `\"slow\"`\n"
        "\n## `limits`\n\nAt most.\n\n- type: object\n- default: none\n"
        "\n## `limits.names`\n\nOf whom.\n\n- type: list of text: letters\n- default: none\n");
}

TEST_CASE("a text that is no JSON has no reference page") {
  try {
    schema_reference("{", "kiln schema x");
    FAIL("no error");
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    CHECK(error.message() == "a schema that is no JSON has no reference page");
  }
}

}  // namespace
