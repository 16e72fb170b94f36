#include "builder/dockerfile/parser.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

using Words = std::vector<std::string>;

template <class T>
T only(const std::string& line) {
  const Dockerfile file = parse("FROM scratch\n" + line + "\n", "Dockerfile");
  REQUIRE(file.stages.size() == 1);
  REQUIRE(file.stages[0].instructions.size() == 1);
  return std::get<T>(file.stages[0].instructions[0].body);
}

std::string refusal(const std::string& line) {
  return usage_error([&] { parse("FROM scratch\n" + line + "\n", "Dockerfile"); });
}

TEST_CASE("stages, their names and the ARGs above them") {
  const Dockerfile file = parse(
      "ARG TAG=1\nfrom --platform=$BUILDPLATFORM img:$TAG as Build\nrun a\nFROM build\nCOPY --from=build /a "
      "/b\n",
      "D");
  REQUIRE(file.global_args.size() == 1);
  REQUIRE(file.stages.size() == 2);
  CHECK(file.stages[0].name == "build");
  CHECK(file.stages[0].name_as_written == "Build");
  CHECK(file.stages[0].base_name == "img:$TAG");
  CHECK(file.stages[0].platform == "$BUILDPLATFORM");
  CHECK(file.stages[0].keyword_as_written == "from");
  CHECK(file.stages[0].instructions[0].keyword == "RUN");
  CHECK(file.stages[0].instructions[0].keyword_as_written == "run");
  CHECK(file.stages[1].lines == LineRange{4, 4});
  CHECK(file.stages[1].base_name == "build");
}

TEST_CASE("a mistake names file, line, neighbours and the nearest real word") {
  try {
    parse("FROM scratch\n\nCOYP a b\n", "images/x/Dockerfile");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.message() == "images/x/Dockerfile:3: unknown instruction 'COYP'; did you mean 'COPY'?");
    CHECK(has(error.detail(), "1 |     FROM scratch"));
    CHECK(has(error.detail(), "3 | >>> COYP a b"));
  }
  CHECK(has(refusal("COPY --chonw=1 a b"), "unknown flag '--chonw' of COPY; did you mean '--chown'?"));
}

TEST_CASE("what stands before a mistake is kept for tools that report on it") {
  const auto parsed = parse_partially("FROM a AS b\nRUN c\nNOPE\nRUN d\n", "D");
  REQUIRE(parsed.error);
  CHECK(parsed.dockerfile.stages.at(0).instructions.size() == 1);
}

TEST_CASE("shell and exec forms") {
  CHECK(only<Run>("RUN echo  a").command.words == Words{"echo  a"});
  CHECK(only<Run>("RUN [\"echo\", \"a\"]").command.form == CommandForm::exec);
  CHECK(only<Cmd>("CMD []").command.words.empty());
  CHECK(only<Entrypoint>("ENTRYPOINT []x").command.form == CommandForm::shell);
  CHECK(has(refusal("RUN []"), "needs a command"));
  CHECK(has(refusal("RUN []"), "needs a command"));
  CHECK(has(refusal("SHELL bash"), "JSON form"));
}

TEST_CASE("COPY and ADD keep their flags typed and their heredocs as files") {
  const Copy copy =
      only<Copy>("COPY --from=b --chown=1:2 --chmod=u+x --link --parents --exclude=*.a --exclude=b x y /z/");
  CHECK(copy.from == "b");
  CHECK(copy.chown == "1:2");
  CHECK(copy.chmod == "u+x");
  CHECK(copy.link);
  CHECK(copy.parents);
  CHECK(copy.excludes == Words{"*.a", "b"});
  CHECK(copy.paths == Words{"x", "y"});
  CHECK(copy.destination == "/z/");

  const Add add = only<Add>("ADD --unpack=false --keep-git-dir=true --checksum=sha256:ab <<-'F' b /\n\tone\nF");
  CHECK(add.unpack == false);
  CHECK(add.keep_git_dir);
  CHECK(add.checksum == "sha256:ab");
  REQUIRE(add.files.size() == 1);
  CHECK(add.files[0].name == "F");
  CHECK(add.files[0].content == "one\n");
  CHECK_FALSE(add.files[0].expand);
  CHECK(add.paths == Words{"b"});

  CHECK(only<Copy>("COPY [\"a b\", \"/c d/\"]").destination == "/c d/");
  CHECK(has(refusal("COPY a"), "at least two arguments"));
  CHECK(has(refusal("COPY a <<EOF\nEOF"), "heredoc as its destination"));
  CHECK(has(refusal("COPY --link=yes a b"), "may be true or false, got 'yes'"));
  CHECK(has(refusal("COPY --link --link a b"), "given twice"));
  CHECK(has(refusal("COPY --from=$x a b"), "cannot hold a variable"));
}

TEST_CASE("ENV, LABEL and ARG") {
  const Env env = only<Env>("ENV a=1 b=\"2 3\" c=4\\ 5");
  REQUIRE(env.pairs.size() == 3);
  CHECK(env.pairs[1].value == "\"2 3\"");
  CHECK(env.pairs[2].value == "4\\ 5");
  CHECK_FALSE(env.pairs[0].legacy);
  const Label label = only<Label>("LABEL key some text");
  REQUIRE(label.pairs.size() == 1);
  CHECK(label.pairs[0].legacy);
  CHECK(label.pairs[0].value == "some text");
  const Arg arg = only<Arg>("ARG a b= c=\"d e\"");
  REQUIRE(arg.definitions.size() == 3);
  CHECK_FALSE(arg.definitions[0].default_value);
  CHECK(arg.definitions[1].default_value == "");
  CHECK(arg.definitions[2].default_value == "\"d e\"");
  CHECK(has(refusal("ENV a"), "no value"));
  CHECK(has(refusal("ENV a=1 b"), "no '=' in 'b'"));
  CHECK(has(refusal("ENV =1"), "may not be empty"));
  CHECK(has(refusal("ARG =1"), "may not be empty"));
}

TEST_CASE("HEALTHCHECK in all its forms") {
  const auto check = only<Healthcheck>(
      "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=300ms --start-interval=1s --retries=4 CMD "
      "a b");
  CHECK(check.interval_ns == 90'000'000'000);
  CHECK(check.timeout_ns == 1'500'000'000);
  CHECK(check.start_period_ns == 300'000'000);
  CHECK(check.start_interval_ns == 1'000'000'000);
  CHECK(check.retries == 4);
  CHECK(check.command.words == Words{"a b"});
  CHECK(only<Healthcheck>("HEALTHCHECK NONE").disabled);
  CHECK(only<Healthcheck>("HEALTHCHECK CMD [\"a\"]").command.form == CommandForm::exec);
  CHECK(has(refusal("HEALTHCHECK --interval=1us CMD a"), "at least 1ms"));
  CHECK(has(refusal("HEALTHCHECK --interval=5 CMD a"), "needs a duration"));
  CHECK(has(refusal("HEALTHCHECK --retries=-1 CMD a"), "at least 0"));
  CHECK(has(refusal("HEALTHCHECK NONE a"), "takes no arguments"));
  CHECK(has(refusal("HEALTHCHECK GET /"), "unknown HEALTHCHECK type 'GET'"));
}

TEST_CASE("RUN's flags") {
  const Run run = only<Run>("RUN --mount=type=cache,target=/c --mount=target=/x --network=none --security=insecure a");
  REQUIRE(run.mounts.size() == 2);
  CHECK(run.mounts[0].text == "type=cache,target=/c");
  REQUIRE(run.mounts[1].plain);
  CHECK(run.mounts[1].plain->target == "/x");
  CHECK(run.network == NetworkMode::none);
  CHECK(run.security == SecurityMode::insecure);
  CHECK(only<Run>("RUN a").network == NetworkMode::build);
  CHECK(has(refusal("RUN --network=bridge a"), "no value 'bridge'"));
  CHECK(has(refusal("RUN --mount=type=bind,from=$x a"), "cannot hold a variable"));
  CHECK(has(refusal("RUN --mount a"), "needs a value"));
}

TEST_CASE("ONBUILD keeps its trigger as text, which parses later") {
  const Onbuild onbuild = only<Onbuild>("OnBuild  RUN <<EOF\nls\nEOF");
  CHECK(onbuild.trigger == "RUN <<EOF\nls\nEOF");
  const Instruction trigger = parse_trigger(onbuild.trigger, "image 'ghcr.io/acme/base'");
  CHECK(trigger.keyword == "RUN");
  CHECK(trigger.heredocs.at(0).content == "ls\n");
  CHECK(trigger.lines == LineRange{});
  CHECK(has(refusal("ONBUILD ONBUILD RUN a"), "may not trigger ONBUILD"));
  CHECK(has(refusal("ONBUILD from x"), "FROM may not be an ONBUILD trigger"));
  CHECK(has(refusal("ONBUILD"), "needs an instruction"));
  CHECK(has(usage_error([] { parse_trigger("RUN a\nRUN b", "image 'x'"); }), "of image 'x'"));
}

TEST_CASE("instructions that want exactly one argument, or one at least") {
  for (const char* line : {"USER", "WORKDIR", "MAINTAINER", "STOPSIGNAL"})
    CHECK(has(refusal(line), "exactly one argument"));
  for (const char* line : {"EXPOSE", "VOLUME", "LABEL", "ENV", "ARG", "HEALTHCHECK", "SHELL"}) {
    CHECK(has(refusal(line), "at least one argument"));
  }
  CHECK(has(refusal("VOLUME [\"\"]"), "may not be empty"));
  CHECK(has(refusal("USER --x a"), "takes no flags"));
}

TEST_CASE("FROM's form and place") {
  CHECK(has(usage_error([] { parse("FROM a b\n", "D"); }), "FROM IMAGE [AS NAME]"));
  CHECK(has(usage_error([] { parse("FROM a AS 1b\n", "D"); }), "invalid stage name '1b'"));
  CHECK(has(usage_error([] { parse("RUN a\nFROM b\n", "D"); }), "D:1: RUN stands before the first FROM"));
  CHECK(has(usage_error([] { parse("ARG a\n", "D"); }), "holds no FROM"));
}

}  // namespace
}  // namespace kiln::dockerfile
