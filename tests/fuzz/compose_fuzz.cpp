#include "base/temp_dir.hpp"
#include "builder/definitions/bake/resolve.hpp"
#include "builder/definitions/compose/compose_targets.hpp"
#include "builder/definitions/compose/interpolation.hpp"
#include "builder/definitions/compose/model.hpp"
#include "builder/definitions/hcl/syntax.hpp"
#include "builder/release/compose_pin.hpp"
#include "builder/release/compose_service_pins.hpp"
#include "tests/fuzz/attempt.hpp"

// Compose files, the files of variables beside them, and pinning. The first byte says what the rest is; of two files
// the second begins behind a line "====".
namespace kiln::fuzz {

namespace {

std::optional<std::string> no_value(const std::string&) { return std::nullopt; }

std::optional<std::string> some_values(const std::string& name) {
  if (name == "TAG") return "1.0";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

// Files that the input names are looked for in a folder that has none.
compose::ComposeOptions options() {
  static const TempDir folder;
  compose::ComposeOptions result{folder.path(), some_values, {}};
  result.fetched_folder = folder.path();
  return result;
}

std::vector<compose::ComposeFile> files_of(std::string_view text) {
  constexpr std::string_view kNext = "\n====\n";
  const std::size_t at = text.find(kNext);
  std::vector<compose::ComposeFile> files = {
      compose::parse_compose_file("compose.yaml", std::string(text.substr(0, at)))};
  if (at != std::string_view::npos)
    files.push_back(compose::parse_compose_file("over.yaml", std::string(text.substr(at + kNext.size()))));
  return files;
}

std::string printed(const bake::BakeConfig& config) {
  const bake::SetWords set;
  std::vector<std::string> names;
  for (const bake::BakeTarget& target : config.targets) names.push_back(target.name);
  if (names.empty()) return "";
  return bake::print_selection(bake::Resolver(config, set).select(names));
}

void take_targets(std::string_view text) {
  may_refuse(Category::usage, [&] {
    bake::BakeConfig config;
    compose::add_compose_targets(files_of(text), options(), config);
    const std::string first = printed(config);
    if (first.empty()) return;
    must_take("what is printed is no bake file", [&] {
      bake::ModuleOptions module;
      module.given = no_value;
      bake::BakeConfig again;
      bake::evaluate_module({hcl::parse_json_syntax("again.json", first)}, module, again);
      require(!printed(again).empty(), "what is printed has no targets");
    });
  });
}

// Every image but postgres is known.
std::optional<ImagePin> known(const oci::Reference& image) {
  if (image.repository == "library/postgres") return std::nullopt;
  return ImagePin(oci::sha256_of("app"));
}

void take_pins(std::string_view text) {
  const std::string original(text);
  may_refuse(Category::usage, [&] {
    const ComposePin pinned = pin_compose(original, "compose.yaml", known);
    must_take("what was pinned is refused", [&] {
      require(pin_compose(pinned.text, "compose.yaml", known).text == pinned.text, "pinned again it is another text");
      require(differ_in_pins_alone(original, pinned.text, "compose.yaml"), "more was changed than the pins");
    });
  });
}

void take_service_pins(std::string_view text) {
  may_refuse(Category::usage, [&] {
    const ServicePins pins = pin_services(files_of(text), options(), known, "a release");
    require(is_service_pins(pins.text), "pins are not known again");
    must_take("pins are no Compose file", [&] { compose::parse_compose_file("pins.yaml", pins.text); });
  });
}

void take_variables(std::string_view text) {
  may_refuse(Category::usage, [&] {
    std::map<std::string, std::string> values;
    compose::read_env_file(".env", text, some_values, values);
  });
  may_refuse(Category::usage, [&] { compose::interpolate(text, some_values); });
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 'c':
      return take_targets(text);
    case 'p':
      return take_pins(text);
    case 's':
      return take_service_pins(text);
    default:
      return take_variables(text);
  }
}

std::vector<std::string> seeds() {
  const std::string services =
      "name: shop\nx-build: &build\n  context: .\n  args: {A: \"${TAG:-1}\", B: null}\nservices:\n  app:\n    image: "
      "ghcr.io/acme/app:${TAG}\n"
      "    build:\n      <<: *build\n      dockerfile: Dockerfile\n      target: run\n      tags: [\"a/b:1\"]\n      "
      "labels: [k=v]\n"
      "      secrets: [token]\n      cache_from: [type=gha]\n      platforms: [linux/arm64]\n      "
      "additional_contexts: {base: \"service:db\"}\n"
      "  db:\n    extends: app\n    image: postgres:16\nsecrets:\n  token: {environment: TOKEN}\n";
  const std::string inline_file =
      "services:\n  a.b:\n    build:\n      dockerfile_inline: |\n        FROM scratch\n        RUN x\n      ulimits: "
      "{nofile: {soft: 1, hard: 2}}\n"
      "      shm_size: 64mb\n      ssh: [default]\n      extra_hosts: [\"a=1.2.3.4\"]\n      no_cache: true\n      "
      "network: none\n"
      "    env_file: [{path: x.env, required: false}]\n    deploy: {}\n";
  return {
      "c" + services,
      "c" + inline_file,
      "c" + services + "\n====\nservices:\n  app:\n    build: !override {context: x}\n  db: !reset null\n",
      "cservices:\n  a: {build: .}\n---\nservices:\n  b: {build: {context: \"git://x\"}}\n",
      "cinclude: [x.yaml]\nservices: {}\n",
      "p" + services,
      "pservices:\n  app: {image: 'ghcr.io/acme/b', ports: [\"80:80\"]}  # \xc3\xbc\n  c:\n    image: >-\n      x\n",
      "pservices:\r\n  a:\r\n    image: &i \"a/b:1\"\r\n  b: {image: *i}\r\n",
      "s" + services,
      "s" + inline_file,
      "vA=1\nexport B='x$y'\nC=\"${A:-z}\\n\" # c\nD: e\n",
      "v${A:?no} $$ ${TAG:+x${EMPTY-y}}"};
}

std::vector<std::string> words() {
  return {"services:\n",
          "build:",
          "image: ",
          "context: ",
          "dockerfile_inline: |\n",
          "args:",
          "extends: {service: ",
          "file: ",
          "<<: *a",
          "&a ",
          "*a",
          "!reset ",
          "!override ",
          "!!str ",
          "|-\n",
          ">+2\n",
          "? ",
          "- ",
          ": ",
          "{",
          "}",
          "[",
          "]",
          "---\n",
          "...\n",
          "\n====\n",
          "%YAML 1.2\n",
          "${",
          ":-",
          ":?",
          ":+",
          "$$",
          "\"\\u00e9\"",
          "'",
          "\t",
          "\r\n",
          "\xef\xbb\xbf",
          "null",
          "~",
          "0x10",
          "1.50",
          ".inf",
          "include: ",
          "env_file: ",
          "secrets: ",
          "ulimits: ",
          "shm_size: ",
          "additional_contexts: ",
          "platforms: ",
          "export ",
          "@sha256:",
          "postgres"};
}

}  // namespace kiln::fuzz
