#include "base/error.hpp"
#include "builder/definitions/bake/resolve.hpp"
#include "builder/definitions/hcl/syntax.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any bytes as a bake file in each of HCL's syntaxes: it is refused as a mistake of what was written, or it is
// evaluated within its bounds, and what is printed of it is read again to the same.
namespace kiln::fuzz {

namespace {

std::string printed(const hcl::Document& document) {
  bake::ModuleOptions options;
  options.given = [](const std::string&) { return std::nullopt; };
  bake::BakeConfig config;
  bake::evaluate_module({document}, options, config);
  const bake::SetWords set;
  std::vector<std::string> names;
  for (const bake::BakeTarget& target : config.targets) names.push_back(target.name);
  if (names.empty()) return "";
  return bake::print_selection(bake::Resolver(config, set).select(names));
}

template <class Body>
void may_refuse(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    require(error.category() == Category::usage, "another category");
    require(!error.message().empty(), "an error without a message");
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  for (const bool is_json : {false, true}) {
    may_refuse([&] {
      const std::string text(input);
      const hcl::Document document =
          is_json ? hcl::parse_json_syntax("fuzz.json", text) : hcl::parse_native("fuzz.hcl", text);
      const std::string first = printed(document);
      if (first.empty() || first.find("timestamp") != std::string::npos) return;
      std::string again;
      may_refuse([&] { again = printed(hcl::parse_json_syntax("again.json", first)); });
      require(!again.empty(), "what is printed is no bake file");
    });
  }
}

std::vector<std::string> seeds() {
  return {
      "variable \"TAG\" {\n  default = \"latest\"\n}\ntarget \"app\" {\n  tags = [\"a/b:${TAG}\"]\n}\n",
      "target \"app\" {\n  matrix = { v = [1, 2] }\n  name = \"app-${v}\"\n  args = { V = v, W = upper(\"x\") }\n}\n",
      "function \"f\" {\n  params = [a]\n  variadic_params = b\n  result = [for x in b: \"${a}-${x}\"]\n}\n"
      "target \"t\" {\n  tags = f(\"q\", \"r\")\n  dockerfile-inline = <<-EOT\n    FROM scratch\n    %{ if true ~}\n   "
      " RUN x\n"
      "    %{ endif ~}\n  EOT\n}\n",
      "target \"a\" {\n  inherits = [\"b\"]\n  labels = {for k, v in {x = 1}: k => v...}\n}\ntarget \"b\" {\n"
      "  tags = [1 > 2 ? \"x\" : \"y\", [{z = 1}][*].z[0]]\n}\n",
      R"({"variable": {"V": [{"default": "q"}]}, "target": {"app": [{"tags": ["x/app:${V}"]}, {"args": {"A": "1"}}]}})",
      R"({"target": {"a": {"args": {"X": "${regex_replace("a1", "[0-9]+", "")}"}, "cache-from": ["type=gha"]}}})",
  };
}

std::vector<std::string> words() {
  return {"${",
          "}",
          "%{ if ",
          "%{ for x in ",
          "%{ endif }",
          "<<-EOT\n",
          "EOT\n",
          "[for x in ",
          "{for k, v in ",
          " => ",
          "...",
          "[*]",
          ".*",
          " ? ",
          " : ",
          "&&",
          "==",
          "target \"x\" {\n",
          "matrix = ",
          "inherits = [\"x\"]\n",
          "null",
          "\"",
          "\\u",
          "format(\"%s\", ",
          "range(",
          "regexall(",
          "jsondecode(",
          "target.a.tags",
          "1e9",
          "\n",
          "{\"target\":",
          "[{"};
}

}  // namespace kiln::fuzz
