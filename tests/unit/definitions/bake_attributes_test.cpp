#include "builder/definitions/bake_attributes.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "builder/definitions/attribute_lists.hpp"
#include "builder/definitions/attribute_reader.hpp"
#include "builder/definitions/overrides.hpp"

using namespace kiln;
using nlohmann::json;

namespace {

const JsonSource kSource("/here/docker-bake.json", "{}");

// What a target with one attribute comes to.
TargetSpec read(const json& block) {
  TargetSpec target;
  target.name = "t";
  read_bake_target(kSource, "t", block, "").parts.apply_to(target, "/here");
  return target;
}

std::string refusal(const json& block) {
  try {
    read(block);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

json printed(const TargetSpec& target, std::string_view name) {
  for (const BakeAttribute& attribute : bake_attributes()) {
    if (attribute.name == name) return json(attribute.print(target, "/here"));
  }
  return "no such attribute";
}

const std::map<std::string, json> kValues = {
    {"description", "d"},
    {"annotations", {"a=b", "index:c=d"}},
    {"context", "app"},
    {"contexts", {{"lib", "lib"}, {"base", "target:base"}}},
    {"dockerfile", "D"},
    {"dockerfile-inline", "FROM scratch"},
    {"args", {{"A", "1"}}},
    {"labels", {{"l", "v"}}},
    {"tags", {"r.io/a:1"}},
    {"cache-from", {"type=registry,ref=r.io/c"}},
    {"cache-to", {"type=local,dest=c"}},
    {"target", "s"},
    {"secret", {{{"id", "a"}}, {{"id", "b"}, {"src", "f"}}}},
    {"ssh", {{{"id", "k"}, {"paths", {"p"}}}}},
    {"platforms", {"linux/amd64", "linux/arm64"}},
    {"output", {"type=oci,dest=x,compression=zstd"}},
    {"pull", true},
    {"no-cache", true},
    {"network", "none"},
    {"no-cache-filter", {"s"}},
    {"shm-size", "128m"},
    {"ulimits", {"nofile=1024:1024"}},
    {"call", "check"},
    {"extra-hosts", {{"h", "1.2.3.4"}}},
};

}  // namespace

TEST_CASE("every attribute is read, and printed as it was said") {
  std::set<std::string> rows;
  for (const BakeAttribute& attribute : bake_attributes()) {
    const std::string name(attribute.name);
    INFO(name);
    CHECK(rows.insert(name).second);
    REQUIRE(kValues.contains(name));
    CHECK(printed(TargetSpec{}, name).is_null());
    CHECK(printed(read({{name, kValues.at(name)}}), name) ==
          (name == "dockerfile-inline" ? json("FROM scratch") : kValues.at(name)));
  }
  CHECK(rows.size() == kValues.size());
}

TEST_CASE("every attribute that --set names is set by it as a bake file sets it") {
  for (const BakeAttribute& attribute : bake_attributes()) {
    if (attribute.set_key.empty()) continue;
    const json& value = kValues.at(std::string(attribute.name));
    for (const std::string_view key : {attribute.set_key, attribute.set_alias}) {
      if (key.empty()) continue;
      INFO(key);
      std::vector<std::string> words;
      const std::string path = "t." + std::string(key);
      if (std::holds_alternative<BakeAttribute::Pairs>(attribute.member)) {
        for (const auto& [name, member] : value.items())
          words.push_back(path + "." + name + "=" + member.get<std::string>());
      } else if (value.is_array()) {
        TargetParts parts;
        adopt_list(attribute, read({{std::string(attribute.name), value}}), parts, "/here");
        for (const std::string& text : *(parts.*std::get<BakeAttribute::Texts>(attribute.member)))
          words.push_back(path + "=" + text);
      } else {
        words.push_back(path + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
      }
      std::vector<Override> overrides;
      for (const std::string& word : words)
        overrides.push_back(*parse_override(word, [](const std::string&) { return std::nullopt; }));
      std::vector<TargetSpec> targets(1);
      targets[0].name = targets[0].image = "t";
      override_targets(targets, overrides, "/here");
      CHECK(printed(targets[0], attribute.name) == value);
    }
  }
}

TEST_CASE("values that cannot be are refused where they are read") {
  CHECK(refusal({{"ulimits", {"nofiles=1"}}}) == "ulimit 'nofiles' is not known; did you mean 'nofile'?");
  CHECK(refusal({{"shm-size", "much"}}) == "target 't': shm-size 'much' is not valid; expected a size such as 64m");
  CHECK(refusal({{"call", "outline"}}) == "target 't': call 'outline' is not valid; known: build, check, lint");
  CHECK(refusal({{"network", "bridge"}}) == "target 't': network 'bridge' is not valid; known: default, host, none");
  CHECK(refusal({{"annotations", {"x"}}}) == "--annotation 'x': expected NAME=VALUE");
  CHECK(refusal({{"extra-hosts", {{"h", ""}}}}) == "host 'h=': expected NAME:ADDRESS");
  CHECK(refusal({{"context", "-"}}) ==
        "target 't': a context or Dockerfile from standard input belongs to 'kiln build'");
}

TEST_CASE("annotations, limits, hosts and secrets are added to what is inherited, sizes replaced") {
  TargetParts parts, over;
  parts.annotations = {{"a=1"}};
  parts.ulimits = {{"nofile=1"}};
  parts.extra_hosts = {{"a", "1"}, {"b", "1"}};
  parts.shm_size = "1m";
  over.annotations = {{"b=2"}};
  over.ulimits = {{"core=0"}};
  over.extra_hosts = {{"b", "2"}};
  over.shm_size = "2m";
  parts.merge(over);
  CHECK(*parts.annotations == std::vector<std::string>{"a=1", "b=2"});
  CHECK(*parts.ulimits == std::vector<std::string>{"nofile=1", "core=0"});
  CHECK(parts.extra_hosts == std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}});
  CHECK(parts.shm_size == "2m");
}

TEST_CASE("options are one line of CSV, the type first") {
  CHECK(options_text({{"ref", "r"}, {"type", "registry"}}) == "type=registry,ref=r");
  CHECK(options_text({{"src", "a,b\"c"}}) == "\"src=a,b\"\"c\"");
}
