#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "builder/dockerfile/ast_json.hpp"
#include "builder/dockerfile/check_output.hpp"
#include "builder/dockerfile/checks.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/run_script.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any bytes as a Dockerfile: lines, heredocs, JSON forms, instructions, lint rules, reports.
namespace kiln::fuzz {

using namespace dockerfile;

void fuzz_one(std::string_view input) {
  const int line_count = static_cast<int>(std::count(input.begin(), input.end(), '\n')) + 1;
  try {
    const SyntaxTree tree = parse_syntax(input, "Dockerfile");
    int last = 0;
    for (const Node& node : tree.nodes) {
      require(node.lines.first > last && node.lines.last >= node.lines.first, "lines out of order");
      require(node.lines.last <= line_count, "lines beyond the end");
      last = node.lines.last;
    }
    ast_json(tree).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  } catch (const SyntaxError& error) {
    require(error.category() == Category::usage && !error.detail().empty(), "an error without its lines");
  }

  const PartialParse parsed = parse_partially(input, "Dockerfile");
  for (const Stage& stage : parsed.dockerfile.stages) {
    for (const Instruction& instruction : stage.instructions) {
      if (std::holds_alternative<Run>(instruction.body)) run_script(instruction);
      const auto* onbuild = std::get_if<Onbuild>(&instruction.body);
      if (!onbuild) continue;
      try {
        parse_trigger(onbuild->trigger, "a test", parsed.dockerfile.directives.escape);
      } catch (const Error& error) {
        require(error.category() == Category::usage, "another category");
      }
    }
  }
  const CheckReport report = check(input, "Dockerfile");
  require(report.error.has_value() || !parsed.error.has_value(), "check() lost an error");
  check_text(report, input, "Dockerfile");
  check_json(report, "Dockerfile").dump();
  // It lists all rules with their texts, which takes longer than all else.
  if (input.size() % 16 == 0) check_sarif(report, "Dockerfile").dump();
}

std::vector<std::string> seeds() {
  return {
      "# syntax=docker/dockerfile:1\n# escape=`\nARG V=1\nFROM --platform=$BUILDPLATFORM a:${V:-2} AS b\nRUN "
      "x `\n y\n",
      "FROM a\nRUN <<-'EOF' python3\n\tprint(1)\n\tEOF\nCOPY --chown=1:2 <<A <<B /d/\na\nA\nb\nB\n",
      "FROM a\nENV a=\"b c\" d=e\\ f\nENV g h i\nLABEL x='y' z=\nARG p q=${a%b}\nEXPOSE 80/tcp 1-9/UDP\n",
      "FROM a\nCMD [\"a\", \"\\u00e9\\n\"]\nENTRYPOINT [\"x\"\nSHELL [\"/bin/sh\", \"-c\"]\nVOLUME [\"/a\"] "
      "/b\n",
      "FROM a\nHEALTHCHECK --interval=1m30s --retries=3 CMD [\"x\"]\nONBUILD RUN <<E\nE\nSTOPSIGNAL 9\nUSER "
      "$u\n",
      "FROM a\nRUN --mount=type=cache,target=/c,\"id=a,b\" --network=none apt-get update && pip install x; "
      "rm -rf /c\n",
      "\xEF\xBB\xBF"
      "FROM a\r\nRUN a \\\r\n\r\n# c\r\n b\r\nMAINTAINER x\r\nWORKDIR y\r\n",
  };
}

std::vector<std::string> words() {
  return {"FROM ", "ONBUILD ", "RUN ",    "COPY ", "<<", "<<-EOF",   "EOF\n", "\\\n",       "\n", "[\"",
          "\"]",   "--from=",  "=",       "${",    "}",  ":-",       "'",     "\"",         "#",  " ",
          "\t",    "$x",       "escape=", "[[",    "{",  "\xC3\xA9", "\xFF",  "check=skip="};
}

}  // namespace kiln::fuzz
