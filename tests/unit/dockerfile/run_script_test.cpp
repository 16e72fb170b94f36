#include "builder/dockerfile/run_script.hpp"

#include "builder/dockerfile/parser.hpp"
#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

RunScript script(const std::string& text) { return run_script(parse_trigger(text, "test")); }

TEST_CASE("a heredoc that is the whole command is the script") {
  CHECK(script("RUN <<-EOF\n\techo a\n\techo b\nEOF").words.at(0) == "echo a\necho b\n");
}

TEST_CASE("a heredoc that begins with an interpreter becomes a file") {
  const RunScript out = script("RUN <<prog\n#!/usr/bin/python3\nprint(1)\nprog");
  CHECK(out.words.empty());
  REQUIRE(out.file);
  CHECK(out.file->name == "prog");
  CHECK(out.file->content == "#!/usr/bin/python3\nprint(1)\n");
}

TEST_CASE("heredocs of a longer command are left to the shell") {
  CHECK(script("RUN cat <<A <<B > f\n1\nA\n2\nB").words.at(0) == "cat <<A <<B > f\n1\nA\n2\nB");
  CHECK(script("RUN echo a").words.at(0) == "echo a");
}

TEST_CASE("the exec form is left alone") {
  const RunScript out = script("RUN [\"a\", \"<<B\"]");
  CHECK(out.form == CommandForm::exec);
  CHECK(out.words.size() == 2);
}

}  // namespace
}  // namespace kiln::dockerfile
