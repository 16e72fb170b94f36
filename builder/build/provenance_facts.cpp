#include "builder/build/provenance_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/credentials.hpp"
#include "base/secret_values.hpp"
#include "builder/definitions/checked_out_commit.hpp"
#include "builder/steps/fetched_source.hpp"

namespace kiln {

namespace {

constexpr const char* kSourceLabel = "org.opencontainers.image.source";

bool is_fetched(const TargetSpec& target) {
  return std::any_of(target.fetched_from.begin(), target.fetched_from.end(),
                     [](const FetchedContext& context) { return context.name.empty(); });
}

// Relative to the context; of a file elsewhere the name alone.
std::string shown_dockerfile(const TargetSpec& target) {
  if (target.dockerfile_inline) return "";
  const fs::path file = target.dockerfile.value_or(fs::path(target.dockerfile_name));
  if (is_fetched(target) && file.is_relative()) return file.lexically_normal().generic_string();
  if (!target.context) return file.filename().generic_string();
  const fs::path context = fs::absolute(*target.context).lexically_normal();
  const fs::path relative = fs::absolute(file).lexically_normal().lexically_relative(context);
  const bool is_inside_context = !relative.empty() && *relative.begin() != "..";
  return (is_inside_context ? relative : file.filename()).generic_string();
}

ProvenanceSource source_of_fetched(const FetchedContext& context) {
  const bool is_file = context.digest.starts_with("sha256:");
  if (is_file) return {shown_url(context.source), context.digest};
  if (context.digest.empty()) return {without_url_credentials(context.source), ""};
  const Material commit = git_material(context.source, context.digest);
  return {commit.uri, commit.digest};
}

ProvenanceSource source_of_context(const TargetSpec& target, const Fleet& fleet) {
  for (const FetchedContext& context : target.fetched_from) {
    if (context.name.empty()) return source_of_fetched(context);
  }
  ProvenanceSource source;
  const auto label = target.labels.find(kSourceLabel);
  source.uri = !fleet.settings.source.empty() || label == target.labels.end() ? fleet.settings.source : label->second;
  source.uri = without_url_credentials(source.uri);
  return source;
}

std::map<std::string, ProvenanceSource> named_contexts(const TargetSpec& target, const Materials& materials) {
  constexpr std::string_view kImage = "docker-image://";
  std::map<std::string, ProvenanceSource> contexts;
  for (const auto& [name, value] : target.contexts) {
    ProvenanceSource& context = contexts[name];
    if (!value.starts_with(kImage)) continue;
    context.uri = image_material(value.substr(kImage.size()), {}, target.platform()).uri;
    const auto is_it = [&](const Material& material) { return material.uri == context.uri; };
    const auto found = std::find_if(materials.begin(), materials.end(), is_it);
    if (found != materials.end()) context.digest = found->digest;
  }
  for (const FetchedContext& context : target.fetched_from) {
    if (!context.name.empty()) contexts[context.name] = source_of_fetched(context);
  }
  return contexts;
}

bool is_run(const HeardStep& step) { return step.view.text.starts_with("RUN "); }

const std::vector<HeardStep>& steps_of(const TargetSpec& target, const StepsOfTargets& heard) {
  static const std::vector<HeardStep> none;
  const auto found = heard.find({target.name, target.platform().str()});
  return found == heard.end() ? none : found->second;
}

}  // namespace

ProvenanceFacts provenance_facts(const PlannedTarget& planned, const SecretValues& secrets, const Fleet& fleet,
                                 const Materials& materials) {
  const TargetSpec& target = planned.target;
  const auto shown = [&](const std::string& text) { return without_url_credentials(secrets.masked(text)); };
  ProvenanceFacts facts;
  facts.dockerfile = shown_dockerfile(target);
  facts.target = target.stage;
  facts.image = target.image;
  if (target.profile) facts.profile = target.profile->name;
  facts.platform = target.platform().str();
  facts.builder_platform = oci::Platform::host().str();
  for (const auto& [name, value] : target.args) {
    if (!looks_like_secret(name)) facts.args[name] = shown(value);
  }
  facts.contexts = named_contexts(target, materials);
  facts.source = source_of_context(target, fleet);
  for (const SecretSource& secret : target.secrets) facts.secrets.push_back(secret.id);
  for (const SshForward& ssh : target.ssh) facts.ssh.push_back(ssh.id);
  for (const Material& material : materials) facts.materials.insert({shown(material.uri), material.digest});
  return facts;
}

void add_commit(ProvenanceFacts& facts, const TargetSpec& target, const Fleet& fleet) {
  if (is_fetched(target)) return;
  const bool is_definitions = fleet.front_end == FrontEnd::image_definitions;
  const auto folder = is_definitions ? std::optional(fleet.folder) : target.context;
  const auto commit = folder && !folder->empty() ? checked_out_commit(*folder) : std::nullopt;
  if (commit) facts.source.digest = git_material("", *commit).digest;
}

StepsOfTargets steps_of_targets(std::vector<HeardStep> heard) {
  StepsOfTargets steps;
  for (HeardStep& one : heard) {
    std::vector<HeardStep>& own = steps[{one.view.target, one.view.platform}];
    own.push_back(std::move(one));
  }
  return steps;
}

std::vector<ProvenanceStep> provenance_steps(const Plan& plan, std::size_t number, const StepsOfTargets& heard) {
  std::vector<ProvenanceStep> steps;
  const std::set<std::size_t> needed = plan.closure({number});
  for (const std::size_t other : plan.order()) {
    if (!needed.count(other)) continue;
    const TargetSpec& target = plan.targets[other]->target;
    const std::string dockerfile = shown_dockerfile(target);
    for (const HeardStep& one : steps_of(target, heard)) {
      ProvenanceStep& step = steps.emplace_back();
      step.target = target.name;
      step.stage = one.view.stage;
      const bool is_own = one.view.file == target.dockerfile_name;
      step.file = is_own ? dockerfile : fs::path(one.view.file).filename().generic_string();
      step.line = one.view.line;
      step.text = one.view.text;
      step.key = one.result.key;
      step.is_hit = one.result.outcome == StepOutcome::hit;
      // Of a cache its kind alone: where it is may be a path.
      step.from =
          one.result.from == kFromThisRun ? one.result.from : one.result.from.substr(0, one.result.from.find(' '));
      for (const LayerValue& layer : one.result.layers) step.diff_ids.push_back(layer.diff_id);
      step.is_run = is_run(one);
      step.network = one.result.network;
    }
  }
  return steps;
}

std::string network_of_steps(const Plan& plan, std::size_t number, const StepsOfTargets& heard) {
  bool has_record = false, has_gap = false, is_logged = false;
  for (const std::size_t other : plan.closure({number})) {
    for (const HeardStep& step : steps_of(plan.targets[other]->target, heard)) {
      if (!is_run(step)) continue;
      const std::optional<NetworkRecord>& network = step.result.network;
      has_record = has_record || network;
      has_gap = has_gap || !network;
      is_logged = is_logged || (network && network->promise == NetworkPromise::logged);
    }
  }
  if (!has_record) return "";
  return has_gap ? "incomplete" : std::string(to_string(is_logged ? NetworkPromise::logged : NetworkPromise::recorded));
}

}  // namespace kiln
