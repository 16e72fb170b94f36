#include "builder/dockerfile/ast_json.hpp"

#include <nlohmann/json.hpp>

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

TEST_CASE("the JSON holds what an instruction is, where it stands and how it was written") {
  const auto tree = parse_syntax("FROM a\nRUN --network=none <<E\nls\nE\nCMD [\"x\"]\nONBUILD COPY --link a b\n", "D");
  const nlohmann::json expected = nlohmann::json::parse(R"([
    {"instruction": "from", "flags": [], "args": ["a"], "heredocs": [], "start_line": 1, "end_line": 1,
     "original": "FROM a"},
    {"instruction": "run", "flags": ["--network=none"], "args": ["<<E"],
     "heredocs": [{"name": "E", "content": "ls\n", "expand": true, "chomp": false, "fd": 0}],
     "start_line": 2, "end_line": 4, "original": "RUN --network=none <<E"},
    {"instruction": "cmd", "flags": [], "json": ["x"], "heredocs": [], "start_line": 5, "end_line": 5,
     "original": "CMD [\"x\"]"},
    {"instruction": "onbuild", "flags": [],
     "args": [{"instruction": "copy", "flags": ["--link"], "args": ["a", "b"]}], "heredocs": [],
     "start_line": 6, "end_line": 6, "original": "ONBUILD COPY --link a b"}])");
  CHECK(ast_json(tree) == expected);
}

}  // namespace
}  // namespace kiln::dockerfile
