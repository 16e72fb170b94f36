#include "builder/dockerfile/variables.hpp"

#include "builder/dockerfile/parser.hpp"
#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

const PlatformParts kBuild{"linux", "amd64", ""};
const PlatformParts kTarget{"linux", "arm", "v7"};

Arg arg(const std::string& text) { return std::get<Arg>(parse_trigger("ARG " + text, "test").body); }

TEST_CASE("platform ARGs serve FROM, and a build arg overrides them") {
  const GlobalScope global({{"BUILDARCH", "riscv64"}}, kBuild, kTarget, "");
  CHECK(global.find("TARGETPLATFORM") == "linux/arm/v7");
  CHECK(global.find("TARGETVARIANT") == "v7");
  CHECK(global.find("BUILDVARIANT") == "");
  CHECK(global.find("BUILDARCH") == "riscv64");
  CHECK(global.find("TARGETSTAGE") == "default");
  CHECK_FALSE(global.find("nope"));
}

TEST_CASE("global ARGs see those above them; without a value they are unset") {
  GlobalScope global({{"b", "given"}}, kBuild, kTarget, "");
  global.declare(arg("a=1 b=2 c=${a}$b d"));
  CHECK(global.find("c") == "1given");
  CHECK_FALSE(global.find("d"));
}

TEST_CASE("an ARG of a stage takes the build arg, its default, the global value, in this order") {
  GlobalScope global({{"given", "G"}, {"undeclared", "U"}}, kBuild, kTarget, "");
  global.declare(arg("shared=S given=x"));
  StageScope stage(global, {"PATH=/bin"});
  CHECK_FALSE(stage.find("shared"));
  CHECK_FALSE(stage.find("TARGETARCH"));
  stage.declare(arg("shared TARGETARCH given=y own=${PATH}:$shared none"));
  CHECK(stage.find("shared") == "S");
  CHECK(stage.find("TARGETARCH") == "arm");
  CHECK(stage.find("given") == "G");
  CHECK(stage.find("own") == "/bin:S");
  CHECK_FALSE(stage.find("none"));
  CHECK_FALSE(stage.find("undeclared"));
  CHECK(stage.is_declared("none"));
  CHECK_FALSE(stage.is_declared("undeclared"));
}

TEST_CASE("of ENV and ARG the later one counts, and an ARG without a value counts for nothing") {
  const GlobalScope global({{"x", "arg"}}, kBuild, kTarget, "");
  StageScope stage(global, {"y=image"});
  stage.declare(arg("x y"));
  CHECK(stage.find("y") == "image");
  CHECK(stage.find("x") == "arg");
  stage.set_env("x", "env");
  CHECK(stage.find("x") == "env");
  stage.declare(arg("x"));
  CHECK(stage.find("x") == "arg");
}

TEST_CASE("variables that no image's config could hold are refused") {
  const GlobalScope global({}, kBuild, kTarget, "");
  StageScope stage(global, {});
  const std::string large(3 << 20, 'a');
  for (int i = 0; i < 9; ++i) stage.set_env("same", large);
  for (int i = 0; i < 4; ++i) stage.set_env("v" + std::to_string(i), large);
  CHECK(has(usage_error([&] { stage.set_env("v4", large); }), "the variables of a stage may hold 16.8 MB"));
}

TEST_CASE("what a secret is made into, and the parts of a word that it stands in, count as secrets") {
  GlobalScope global({{"DB_PASSWORD", "hunter2:secret//x"}}, kBuild, kTarget, "");
  global.declare(arg("DB_PASSWORD BASE=${DB_PASSWORD#h} URL=https://$DB_PASSWORD"));
  StageScope stage(global, {});
  const SecretValues& secrets = global.secrets();
  CHECK(secrets.masked("unter2:secret//x secret") == "*** secret");
  stage.declare(arg("BASE URL OTHER=${BASE/secret/known}"));
  CHECK(secrets.masked("unter2:known//x known") == "*** known");
  stage.expand_value("$OTHER");
  CHECK(secrets.masked("known") == "known");
  stage.expand("/srv/$OTHER");
  CHECK(secrets.masked("unter2, known, unter2:known/x, secret") == "***, ***, ***, secret");
  global.expand("$URL");
  CHECK(secrets.masked("https secret") == "https ***");
}

TEST_CASE("an ARG that speaks to the builder is no variable") {
  const GlobalScope global({{"BUILDKIT_SBOM_SCAN_STAGE", "true"}}, kBuild, kTarget, "");
  StageScope stage(global, {});
  stage.declare(arg("BUILDKIT_SBOM_SCAN_STAGE"));
  CHECK_FALSE(stage.find("BUILDKIT_SBOM_SCAN_STAGE"));
  CHECK(stage.declared_args().at(0).value == "true");
}

TEST_CASE("a stage built on another one starts with its variables") {
  const GlobalScope global({}, kBuild, kTarget, "");
  StageScope base(global, {});
  base.declare(arg("a=1"));
  StageScope child = base;
  child.set_env("b", "2");
  CHECK(child.find("a") == "1");
  CHECK(child.declared_args().size() == 1);
  CHECK(child.environment() == std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", "2"}});
  CHECK_FALSE(base.find("b"));
}

TEST_CASE("the environment of a parent's image is laid over what its ARGs left") {
  const GlobalScope global({{"a", "given"}}, kBuild, kTarget, "");
  StageScope child(global, {});
  child.set_env("a", "env");
  child.declare(arg("a=arg"));
  child.declare(arg("only=kept"));
  CHECK(child.find("a") == "given");
  child.set_environment({"a=env"});
  CHECK(child.find("a") == "env");
  CHECK(child.find("only") == "kept");
}

TEST_CASE("proxy build args reach RUN in both spellings") {
  const auto out = proxy_environment({{"http_proxy", "http://p"}, {"NO_PROXY", "a"}, {"other", "x"}});
  CHECK(out == std::vector<std::pair<std::string, std::string>>{
                   {"HTTP_PROXY", "http://p"}, {"http_proxy", "http://p"}, {"NO_PROXY", "a"}, {"no_proxy", "a"}});
}

TEST_CASE("an entry of a config's environment is replaced where it stands") {
  std::vector<std::string> environment{"A=1", "AB=2"};
  set_environment_entry(environment, "A", "3");
  set_environment_entry(environment, "C", "");
  CHECK(environment == std::vector<std::string>{"A=3", "AB=2", "C="});
}

TEST_CASE("heredocs expand with quotes as text and a backslash as escape whatever the directive says") {
  const GlobalScope global({}, kBuild, kTarget, "", '`');
  const StageScope stage(global, {"x=1"});
  CHECK(stage.expand("\"$x\" \\$x", Quotes::literal).text == "\"1\" $x");
  CHECK(stage.expand("`$x").text == "$x");
}

}  // namespace
}  // namespace kiln::dockerfile
