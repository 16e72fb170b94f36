#include "builder/dockerfile/checks.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

std::vector<std::string> found(const std::string& text, const CheckOptions& options = {}) {
  std::vector<std::string> out;
  for (const Finding& finding : check(text, "Dockerfile", options).findings) {
    out.push_back(finding.rule + ":" + std::to_string(finding.lines.first));
  }
  return out;
}

bool finds(const std::string& text, const std::string& what, const CheckOptions& options = {}) {
  const auto all = found(text, options);
  return std::find(all.begin(), all.end(), what) != all.end();
}

TEST_CASE("every rule has a name, a sentence and a page that begins with its name") {
  for (const Rule& rule : rules()) {
    CAPTURE(rule.name);
    CHECK_FALSE(rule.description.empty());
    const fs::path page = fs::path(KILN_SOURCE_DIR) / std::string(rule.page);
    REQUIRE(fs::exists(page));
    CHECK(read_file(page).substr(0, rule.name.size() + 3) == "# " + std::string(rule.name) + "\n");
  }
  CHECK(find_rule("stagenamecasing")->name == "StageNameCasing");
  CHECK(find_rule("Nope") == nullptr);
}

TEST_CASE("settings of the check directive") {
  const CheckSettings settings = parse_check_settings("skip=StageNameCasing, undefinedvar;error=true;experimental=all");
  CHECK(settings.error);
  CHECK(settings.experimental_all);
  CHECK_FALSE(settings.enables(*find_rule("UndefinedVar")));
  CHECK(settings.enables(*find_rule("InvalidDefinitionDescription")));
  CHECK_FALSE(CheckSettings{}.enables(*find_rule("InvalidDefinitionDescription")));
  CHECK(has(usage_error([] { parse_check_settings("skpi=all"); }), "did you mean 'skip'?"));
  CHECK(has(usage_error([] { parse_check_settings("error=yes"); }), "true or false, got 'yes'"));
}

TEST_CASE("a directive skips for the file, a comment for its instruction, a build arg replaces the directive") {
  const std::string body = "FROM scratch\nMAINTAINER a\n# check=skip=MaintainerDeprecated\nMAINTAINER b\n";
  CHECK(finds(body, "MaintainerDeprecated:2"));
  CHECK_FALSE(finds(body, "MaintainerDeprecated:4"));
  CHECK(found("# check=skip=all\n" + body).empty());
  CheckOptions options;
  options.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "skip=all";
  CHECK(found(body, options).empty());
}

TEST_CASE("only BuildKit's rules turn findings into a failure") {
  CHECK(check("# check=error=true\nFROM scratch\nMAINTAINER a\n", "D").fails);
  const CheckReport report = check("# check=error=true\nFROM busybox\nCMD [\"a\"]\n", "D");
  CHECK_FALSE(report.findings.empty());
  CHECK_FALSE(report.fails);
  CHECK_FALSE(check("FROM scratch\nMAINTAINER a\n", "D").fails);
}

TEST_CASE("what does not build is reported with the findings above it") {
  const CheckReport report = check("FROM scratch AS B\nNOPE\n", "D");
  REQUIRE(report.error);
  CHECK(report.error_lines == LineRange{2, 2});
  CHECK(report.findings.at(0).rule == "StageNameCasing");
  CHECK(check("FROM --platform=$NOPE scratch\n", "D").error);
  CHECK(check("FROM scratch\nLABEL a=${b:?no}\n", "D").error);
  CHECK(has(check("ARG a=${b:?no}\nFROM x:1\n", "D").error->message(), "D:1: "));
  CHECK(check("FROM scratch\nRUN <<EOF\n", "D").error_lines == LineRange{2, 2});
  CHECK(check("", "D").error);
}

TEST_CASE("variables of a base image are known, unknown or asked for") {
  const std::string text = "FROM golang:1.22\nENV P=$GOPATH/bin\n";
  CHECK(finds(text, "UndefinedVar:2"));
  CheckOptions options;
  options.base_environment = [](const std::string& image) -> std::optional<std::vector<std::string>> {
    if (image == "golang:1.22") return std::vector<std::string>{"GOPATH=/go"};
    return std::nullopt;
  };
  CHECK_FALSE(finds(text, "UndefinedVar:2", options));
  CHECK_FALSE(finds("FROM other:1\nENV P=$GOPATH/bin\n", "UndefinedVar:2", options));
  CHECK(finds("FROM scratch\nENV P=$GOPATH/bin\n", "UndefinedVar:2", options));
}

TEST_CASE("of a build, rules about the insides of stages look at the stages that are built") {
  const std::string text = "FROM scratch AS Other\nMAINTAINER me\nLABEL a 1\nCMD a\nFROM scratch\nENV b $c\n";
  CHECK(finds(text, "LegacyKeyValueFormat:3"));
  CheckOptions options;
  options.built_stages = {1};
  for (const std::string hidden : {"LegacyKeyValueFormat:3", "JSONArgsRecommended:4"})
    CHECK_FALSE(finds(text, hidden, options));
  for (const std::string shown :
       {"StageNameCasing:1", "MaintainerDeprecated:2", "LegacyKeyValueFormat:6", "UndefinedVar:6"}) {
    CHECK(finds(text, shown, options));
  }
}

TEST_CASE("a base image for another platform is reported where the build knows of it") {
  CheckOptions options;
  options.base_mismatch = [](std::size_t stage) -> std::optional<CheckOptions::PlatformMismatch> {
    if (stage == 1) return CheckOptions::PlatformMismatch{"linux/amd64", "linux/arm64"};
    return std::nullopt;
  };
  const CheckReport report = check("ARG V=1\nFROM scratch\nFROM x:$V\n", "D", options);
  const auto found = std::find_if(report.findings.begin(), report.findings.end(),
                                  [](const Finding& finding) { return finding.rule == "InvalidBaseImagePlatform"; });
  REQUIRE(found != report.findings.end());
  CHECK(found->lines == LineRange{3, 3});
  CHECK(found->message ==
        "Base image x:1 was pulled with platform \"linux/arm64\", expected \"linux/amd64\" for current build");
}

TEST_CASE("an experimental rule that is asked for runs whatever is skipped") {
  CHECK(found("# check=skip=all;experimental=InvalidDefinitionDescription\n# what\nARG a\nFROM x AS B\n") ==
        std::vector<std::string>{"InvalidDefinitionDescription:3"});
}

TEST_CASE("names of ENV and ports of EXPOSE are judged by what they come to") {
  CHECK(finds("FROM scratch\nARG s=\nENV TOKEN$s=1\n", "SecretsUsedInArgOrEnv:3"));
  CHECK(finds("FROM scratch\nARG p=80/TCP\nEXPOSE $p\n", "ExposeProtoCasing:3"));
  CHECK_FALSE(finds("FROM scratch\nEXPOSE $p\n", "UndefinedVar:2"));
}

TEST_CASE("a mount that cannot be is an error of the check") {
  CHECK(check("FROM scratch\nRUN --mount=typ=tmpfs true\n", "D").error_lines == LineRange{2, 2});
  CHECK_FALSE(check("FROM scratch\nARG t=tmpfs\nRUN --mount=type=$t,target=/x true\n", "D").error);
}

TEST_CASE("a WORKDIR is judged by what it comes to") {
  CHECK(finds("FROM scratch\nARG d=app\nWORKDIR $d\n", "WorkdirRelativePath:3"));
  CHECK_FALSE(finds("FROM scratch\nARG d=/app\nWORKDIR $d\nWORKDIR sub\n", "WorkdirRelativePath:3"));
}

TEST_CASE("a heredoc and a mount use variables too") {
  CHECK(finds("FROM scratch\nCOPY <<EOF /f\n$a\nEOF\n", "UndefinedVar:2"));
  CHECK_FALSE(finds("FROM scratch\nCOPY <<'EOF' /f\n$a\nEOF\n", "UndefinedVar:2"));
  CHECK(finds("FROM scratch\nRUN --mount=type=cache,target=$a true\n", "UndefinedVar:2"));
}

TEST_CASE("rules about the finished image look at the target and what it is built on") {
  const std::string text =
      "FROM busybox:1 AS base\nUSER app\nHEALTHCHECK CMD [\"a\"]\nFROM base\nCMD [\"a\"]\n"
      "FROM busybox:1 AS other\nUSER 0:0\nENTRYPOINT [\"a\"]\n";
  CHECK(found(text) == std::vector<std::string>{"RootAtRunTime:7", "NoHealthcheck:8"});
  CheckOptions options;
  options.target = "base";
  CHECK(found(text, options).empty());
  CHECK(found("FROM busybox:1\nCMD [\"a\"]\n") == std::vector<std::string>{"RootAtRunTime:2", "NoHealthcheck:2"});
  CHECK(found("FROM busybox:1\nRUN true\n").empty());
}

TEST_CASE("a base image without a version floats, unless it is scratch, a stage, a digest or of this fleet") {
  CheckOptions options;
  options.fleet_images = {"base-python"};
  CHECK(finds("FROM python\n", "FloatingTag:1"));
  CHECK(finds("FROM ghcr.io:443/acme/python:latest\n", "FloatingTag:1"));
  CHECK(found("FROM python:3.11 AS a\nFROM a\nFROM scratch\nFROM base-python\nFROM x@sha256:00\n", options).empty());
}

TEST_CASE("a URL with a password is found wherever the image would hold it, and not shown") {
  for (const char* line : {"ENV A=https://u:hunter2@h/", "LABEL a=https://u:hunter2@h", "ARG A=ssh://u:hunter2@h/",
                           "CMD [\"x\", \"http://hunter2@h\"]", "ENTRYPOINT x http://u:hunter2@h",
                           "HEALTHCHECK CMD x http://u:hunter2@h", "ARG A\nENV B=$A"}) {
    CAPTURE(line);
    CheckOptions options;
    if (std::string_view(line) == "ARG A\nENV B=$A") options.build_args = {{"A", "http://u:hunter2@proxy:3128"}};
    const std::string text = std::string("FROM scratch\n") + line + "\n";
    CHECK(finds(text, "PasswordInUrl:2", options));
  }
  for (const char* line : {"ENV A=https://h/u:p@x", "ENV A=ssh://git@h/", "ADD https://u:hunter2@h/ /a",
                           "RUN x https://u:hunter2@h/", "ARG A"}) {
    CAPTURE(line);
    CHECK_FALSE(finds(std::string("FROM scratch\n") + line + "\n", "PasswordInUrl:2"));
  }
}

TEST_CASE("the root of the context is ignored only where everything in it is") {
  CheckOptions options;
  options.ignore = IgnoreMatcher({"*", "!src"});
  CHECK_FALSE(finds("FROM scratch\nCOPY . /\n", "CopyIgnoredFile:2", options));
  CHECK(finds("FROM scratch\nCOPY docs /\n", "CopyIgnoredFile:2", options));
  CHECK_FALSE(finds("FROM scratch\nCOPY /src/a /\n", "CopyIgnoredFile:2", options));
}

}  // namespace
}  // namespace kiln::dockerfile

TEST_CASE("a rule that the directive names and there is not is told, with the nearest") {
  const auto notes = [](const std::string& text, const std::string& given) {
    kiln::dockerfile::CheckOptions options;
    if (!given.empty()) options.build_args["BUILDKIT_DOCKERFILE_CHECK"] = given;
    return kiln::dockerfile::check(text, "Dockerfile", options).notes;
  };
  CHECK(notes("# check=skip=StageNameCasing,all\nFROM scratch\n", "").empty());
  CHECK(notes("# syntax=docker/dockerfile:1\n# check=skip=StageNameCase;experimental=Nothing\nFROM scratch\n", "") ==
        std::vector<std::string>{
            "Dockerfile:2: check=skip: there is no rule 'stagenamecase'; did you mean 'StageNameCasing'?",
            "Dockerfile:2: check=experimental: there is no rule 'nothing'"});
  CHECK(notes("# check=skip=y\nFROM scratch\n", "skip=x") ==
        std::vector<std::string>{"BUILDKIT_DOCKERFILE_CHECK: check=skip: there is no rule 'x'"});
}
