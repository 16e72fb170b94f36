#include "builder/definitions/bake/attributes.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "base/error.hpp"
#include "builder/definitions/bake/set_words.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/json_reader.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using bake::Attribute;
using bake::AttributeValues;
using hcl::Value;

namespace {

Value value_of_json(const std::string& json) { return hcl::json_value(hcl::Source("t.json", json)); }

AttributeValues read_values(const std::map<std::string, std::string>& said) {
  AttributeValues values;
  for (const auto& [name, json] : said) {
    const Attribute* attribute = bake::find_attribute(name);
    REQUIRE(attribute != nullptr);
    values.emplace(name, *bake::read_attribute(*attribute, value_of_json(json)));
  }
  bake::normalise(values);
  return values;
}

// What a target with these attributes, each written in JSON, comes to.
TargetSpec read(const std::map<std::string, std::string>& said) {
  TargetSpec target;
  target.name = "t";
  bake::apply_values(read_values(said), target, {"/base", "/here"});
  return target;
}

std::string shown(const TargetSpec& target, const Attribute& attribute) {
  const auto value = attribute.value_of(target, "/here");
  return value ? hcl::to_json_text(*value) : "";
}

// Of each attribute that kiln honours a value as it is said and printed.
const std::map<std::string, std::string> kValues = {
    {"description", R"("d")"},
    {"annotations", R"(["a=b","index:c=d"])"},
    {"context", R"("cwd://app")"},
    {"contexts", R"({"base":"target:base","lib":"cwd://lib"})"},
    {"dockerfile", R"("D")"},
    {"dockerfile-inline", R"("FROM scratch")"},
    {"args", R"({"A":"1"})"},
    {"labels", R"({"l":"v"})"},
    {"tags", R"(["r.io/a:1"])"},
    {"attest", R"([{"mode":"max","type":"provenance"},{"type":"sbom"}])"},
    {"cache-from", R"([{"ref":"r.io/c","type":"registry"}])"},
    {"cache-to", R"([{"dest":"c","type":"local"}])"},
    {"target", R"("s")"},
    {"secret", R"([{"id":"a"},{"id":"b","src":"f"}])"},
    {"ssh", R"([{"id":"k","paths":["p"]}])"},
    {"platforms", R"(["linux/amd64","linux/arm64"])"},
    {"output", R"([{"compression":"zstd","dest":"x","type":"oci"}])"},
    {"pull", "true"},
    {"no-cache", "true"},
    {"network", R"("none")"},
    {"no-cache-filter", R"(["s"])"},
    {"shm-size", R"("128m")"},
    {"ulimits", R"(["nofile=1024:1024"])"},
    {"call", R"("check")"},
    {"extra-hosts", R"({"h":"1.2.3.4"})"},
};

std::string without_scheme(std::string text) {
  for (std::size_t at = text.find("cwd://"); at != std::string::npos; at = text.find("cwd://")) text.erase(at, 6);
  return text;
}

// The words of --set that say what `value` says of an attribute under this key.
std::vector<std::string> words_for(const Attribute& attribute, std::string_view key, const Value& value) {
  using Form = Attribute::Form;
  const std::string path = "t." + std::string(key);
  std::vector<std::string> words;
  if (attribute.form == Form::pairs) {
    for (const auto& [name, member] : value.members()) words.push_back(path + "." + name + "=" + member.text());
  } else if (attribute.form == Form::texts) {
    for (const Value& item : value.items()) words.push_back(path + "=" + item.text());
  } else if (attribute.form == Form::entries) {
    for (const Value& item : bake::entries_of_list(attribute.entry, value)) {
      words.push_back(path + "=" + bake::text_of_entry(attribute.entry, item));
    }
  } else {
    words.push_back(path + "=" + (attribute.form == Form::flag ? hcl::to_json_text(value) : value.text()));
  }
  return words;
}

}  // namespace

TEST_CASE("every attribute is built or says why it is not") {
  std::set<std::string_view> names;
  std::set<int> places;
  for (const Attribute& attribute : bake::attributes()) {
    INFO(attribute.name);
    CHECK(names.insert(attribute.name).second);
    CHECK(places.insert(attribute.place).second);
    const bool is_built = kValues.contains(std::string(attribute.name));
    CHECK((attribute.apply != nullptr) == is_built);
    CHECK((attribute.value_of != nullptr) == is_built);
    CHECK(attribute.refusal.empty() == is_built);
    CHECK(bake::find_attribute(attribute.name) == &attribute);
  }
  CHECK(bake::find_attribute("tag") == nullptr);
}

TEST_CASE("what an attribute says is in the target, and told of it again") {
  for (const auto& [name, json] : kValues) {
    INFO(name);
    const Attribute& attribute = *bake::find_attribute(name);
    CHECK(shown(TargetSpec{}, attribute) == "");
    CHECK(shown(read({{name, json}}), attribute) == without_scheme(json));
  }
}

TEST_CASE("every attribute that --set names is set by it as a bake file sets it") {
  for (const Attribute& attribute : bake::attributes()) {
    if (attribute.cannot_be_set || attribute.apply == nullptr) continue;
    const std::string& json = kValues.at(std::string(attribute.name));
    for (const std::string_view key : {attribute.name, attribute.set_name}) {
      if (key.empty()) continue;
      INFO(key);
      const bake::SetWords set(words_for(attribute, key, value_of_json(json)), {{"t", "t"}},
                               [](const std::string&) { return std::nullopt; });
      std::vector<TargetSpec> targets(1);
      targets[0].name = "t";
      bake::set_in_targets(set, targets, "/here");
      CHECK(shown(targets[0], attribute) == without_scheme(json));
    }
  }
}

TEST_CASE("values that cannot be are refused") {
  CHECK_ERROR(read({{"ulimits", R"(["nofiles=1"])"}}), Category::usage,
              "ulimit 'nofiles' is not known; did you mean 'nofile'?");
  CHECK_ERROR(read({{"shm-size", R"("much")"}}), Category::usage,
              "target 't': shm-size 'much' is not valid; expected a size such as 64m");
  CHECK_ERROR(read({{"call", R"("outline")"}}), Category::usage,
              "target 't': call 'outline' is not valid; known: build, check, lint");
  CHECK_ERROR(read({{"network", R"("bridge")"}}), Category::usage,
              "target 't': network 'bridge' is not valid; known: default, host, none, recorded");
  CHECK_ERROR(read({{"annotations", R"(["x"])"}}), Category::usage, "annotation 'x': expected NAME=VALUE");
  CHECK_ERROR(read({{"extra-hosts", R"({"h": ""})"}}), Category::usage, "host 'h=': expected NAME:ADDRESS");
  CHECK_ERROR(read({{"attest", R"(["type=sbom", "type=provenance,mode=all"])"}}), Category::usage,
              "target 't': attest 'type=provenance,mode=all': mode is 'min' or 'max', got 'all'");
  CHECK_ERROR(read({{"context", R"("-")"}}), Category::usage,
              "target 't': a context or Dockerfile from standard input belongs to 'kiln build'");
}

TEST_CASE("what kiln does not honour is refused where it asks for something") {
  CHECK_ERROR(read({{"resources", R"({"memory": "1g"})"}}), Category::usage,
              "target 't': kiln does not honour 'resources': RUN steps are not limited; limit the kiln process");
  CHECK_ERROR(read({{"policy", R"([{"filename": "p.rego"}])"}}), Category::usage,
              "target 't': kiln does not honour 'policy': it knows no source policies; pin the images by digest");
  CHECK_ERROR(read({{"entitlements", R"(["device"])"}}), Category::usage,
              doctest::Contains("kiln does not honour 'entitlements'"));
  CHECK(read({{"entitlements", R"(["network.host"])"}, {"policy", "[]"}}) == read({}));
  CHECK(read({{"policy", R"(["disabled=1", {"disabled": true}])"}}) == read({}));
}

TEST_CASE("merging adds to annotations, limits, caches and maps, and replaces everything else") {
  AttributeValues values = read_values({{"annotations", R"(["a=1"])"},
                                        {"ulimits", R"(["nofile=1"])"},
                                        {"extra-hosts", R"({"a": "1", "b": "1"})"},
                                        {"cache-from", R"(["r.io/a"])"},
                                        {"tags", R"(["a"])"},
                                        {"shm-size", R"("1m")"},
                                        {"context", R"("c")"}});
  bake::merge_over(values, read_values({{"annotations", R"(["b=2"])"},
                                        {"ulimits", R"(["core=0"])"},
                                        {"extra-hosts", R"({"b": "2"})"},
                                        {"cache-from", R"(["r.io/a", "r.io/b"])"},
                                        {"tags", R"(["b"])"},
                                        {"shm-size", R"("2m")"}}));
  const auto text = [&](const char* name) { return hcl::to_json_text(values.find(name)->second); };
  CHECK(text("annotations") == R"(["a=1","b=2"])");
  CHECK(text("ulimits") == R"(["nofile=1","core=0"])");
  CHECK(text("extra-hosts") == R"({"a":"1","b":"2"})");
  CHECK(text("cache-from") == R"([{"ref":"r.io/a","type":"registry"},{"ref":"r.io/b","type":"registry"}])");
  CHECK(text("tags") == R"(["b"])");
  CHECK(text("shm-size") == R"("2m")");
  CHECK(text("context") == R"("c")");
}

TEST_CASE("an empty list of outputs takes nothing away from what inherits it") {
  AttributeValues none;
  none.emplace("output", Value::tuple({}));
  bake::normalise(none);
  AttributeValues values = read_values({{"output", R"(["out"])"}});
  bake::merge_over(values, none);
  CHECK(hcl::to_json_text(values.find("output")->second) == R"([{"dest":"out","type":"local"}])");
}

TEST_CASE("an inline Dockerfile goes over a named one") {
  const TargetSpec target = read({{"dockerfile", R"("D")"}, {"dockerfile-inline", R"("FROM x")"}});
  CHECK(target.dockerfile_inline == "FROM x");
  CHECK_FALSE(target.dockerfile);
}

TEST_CASE("paths are the definitions', but for cwd:// and what the machine gives") {
  const TargetSpec target = read({{"context", R"("app")"},
                                  {"dockerfile", R"("D")"},
                                  {"contexts", R"({"a": "lib", "b": "cwd://lib", "c": "oci-layout://img"})"},
                                  {"secret", R"(["id=s,src=f"])"},
                                  {"ssh", R"(["k=key"])"}});
  CHECK(target.context == "/base/app");
  CHECK(target.dockerfile == "/base/app/D");
  CHECK(target.contexts ==
        std::map<std::string, std::string>{{"a", "/base/lib"}, {"b", "/here/lib"}, {"c", "oci-layout:///base/img"}});
  CHECK(target.secrets.at(0).file == "/here/f");
  CHECK(target.ssh.at(0).paths.at(0) == "/here/key");
  CHECK(read({{"dockerfile", R"("cwd://D")"}}).dockerfile == "/here/D");
}

TEST_CASE("remote contexts are no folders, and a Dockerfile is looked for in them") {
  for (const char* url :
       {"https://example.com/x.git", "git@example.com:x", "ssh://x/y", "git://x/y", "github.com/a/b"}) {
    const TargetSpec target = read({{"context", hcl::to_json_text(Value::of(url))}, {"dockerfile", R"("docker/D")"}});
    CHECK(target.remote_context == url);
    CHECK_FALSE(target.context);
    CHECK(target.dockerfile == "docker/D");
  }
}

TEST_CASE("an entry's text is one line of CSV, the type first") {
  const Value entry =
      bake::entry_of_value(bake::EntryKind::output, value_of_json(R"({"dest": "a,b\"c", "type": "local"})"));
  const std::string text = bake::text_of_entry(bake::EntryKind::output, entry);
  CHECK(text == "type=local,\"dest=a,b\"\"c\"");
  CHECK(bake::entries_of_text(bake::EntryKind::output, text) == std::vector{entry});
}
