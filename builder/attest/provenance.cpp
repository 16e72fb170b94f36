#include "builder/attest/provenance.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace kiln {

namespace {

using nlohmann::ordered_json;

// SLSA's DigestSet.
ordered_json digest_set(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return {{digest.substr(0, colon), digest.substr(colon + 1)}};
}

ordered_json resource(const std::string& uri, const std::string& digest) {
  ordered_json result = {{"uri", uri}};
  if (!digest.empty()) result["digest"] = digest_set(digest);
  return result;
}

void add_text(ordered_json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

ordered_json names_as_ids(const std::vector<std::string>& names) {
  ordered_json list = ordered_json::array();
  for (const std::string& name : names) list.push_back({{"id", name}});
  return list;
}

ordered_json external_parameters(const ProvenanceFacts& facts, ProvenanceMode mode) {
  ordered_json source = ordered_json::object();
  add_text(source, "uri", facts.source.uri);
  if (!facts.source.digest.empty()) source["digest"] = digest_set(facts.source.digest);
  add_text(source, "path", facts.dockerfile);
  ordered_json request = ordered_json::object();
  add_text(request, "target", facts.target);
  add_text(request, "image", facts.image);
  add_text(request, "profile", facts.profile);
  add_text(request, "platform", facts.platform);
  ordered_json contexts = ordered_json::array();
  for (const auto& [name, context] : facts.contexts) {
    ordered_json entry = {{"name", name}};
    if (!context.uri.empty()) entry.update(resource(context.uri, context.digest));
    contexts.push_back(std::move(entry));
  }
  if (!contexts.empty()) request["contexts"] = std::move(contexts);
  if (mode == ProvenanceMode::max) {
    request["args"] = facts.args;
    if (!facts.secrets.empty()) request["secrets"] = names_as_ids(facts.secrets);
    if (!facts.ssh.empty()) request["ssh"] = names_as_ids(facts.ssh);
  }
  return {{"configSource", std::move(source)}, {"request", std::move(request)}};
}

ordered_json step_json(const ProvenanceStep& step, bool tells_network) {
  ordered_json result = ordered_json::object();
  add_text(result, "target", step.target);
  add_text(result, "stage", step.stage);
  add_text(result, "file", step.file);
  if (step.line > 0) result["line"] = step.line;
  result["text"] = step.text;
  add_text(result, "key", step.key);
  result["outcome"] = step.is_hit ? "hit" : "built";
  if (step.is_hit) add_text(result, "from", step.from);
  ordered_json diff_ids = ordered_json::array();
  for (const oci::Digest& diff_id : step.diff_ids) diff_ids.push_back(diff_id.str());
  result["diffIds"] = std::move(diff_ids);
  if (step.network) {
    result["network"] = ordered_json(step.network->to_json());
  } else if (step.is_run && tells_network) {
    result["network"] = "not recorded";
  }
  return result;
}

ordered_json dependencies(const ProvenanceFacts& facts) {
  Materials materials = facts.materials;
  const auto add = [&](const ProvenanceSource& source) {
    if (!source.uri.empty() && !source.digest.empty()) materials.insert({source.uri, source.digest});
  };
  add(facts.source);
  for (const auto& [name, context] : facts.contexts) add(context);
  ordered_json list = ordered_json::array();
  for (const Material& material : materials) list.push_back(resource(material.uri, material.digest));
  return list;
}

ordered_json metadata(const ProvenanceFacts& facts, const ProvenanceWish& wish) {
  ordered_json result = ordered_json::object();
  if (wish.mode == ProvenanceMode::max) {
    if (facts.started) result["startedOn"] = format_rfc3339(*facts.started);
    if (facts.finished) result["finishedOn"] = format_rfc3339(*facts.finished);
  }
  if (wish.is_reproducible) result["kiln_reproducible"] = true;
  return result;
}

}  // namespace

std::string provenance_json(const ProvenanceFacts& facts, const ProvenanceWish& wish) {
  ordered_json internal = {{"builderPlatform", facts.builder_platform}};
  add_text(internal, "network", facts.network);
  if (wish.mode == ProvenanceMode::max) {
    ordered_json steps = ordered_json::array();
    for (const ProvenanceStep& step : facts.steps) steps.push_back(step_json(step, !facts.network.empty()));
    internal["steps"] = std::move(steps);
  }
  ordered_json builder = {{"id", wish.builder_id.empty() ? kBuilderId : wish.builder_id}};
  if (!facts.kiln_version.empty()) builder["version"] = {{"kiln", facts.kiln_version}};
  const ordered_json provenance = {
      {"buildDefinition",
       {{"buildType", kBuildType},
        {"externalParameters", external_parameters(facts, wish.mode)},
        {"internalParameters", std::move(internal)},
        {"resolvedDependencies", dependencies(facts)}}},
      {"runDetails", {{"builder", std::move(builder)}, {"metadata", metadata(facts, wish)}}}};
  return json_text(provenance);
}

std::string lasting_provenance(const ProvenanceFacts& facts, const ProvenanceWish& wish) {
  ProvenanceFacts lasting = facts;
  lasting.source.digest.clear();
  lasting.steps.clear();
  lasting.kiln_version.clear();
  lasting.builder_platform.clear();
  lasting.started.reset();
  lasting.finished.reset();
  ProvenanceWish without_builder = wish;
  without_builder.builder_id.clear();
  return provenance_json(lasting, without_builder);
}

}  // namespace kiln
