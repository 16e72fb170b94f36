#include "builder/build/policy_gate.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "base/error.hpp"
#include "builder/build/built_packages.hpp"
#include "builder/policy/base_checks.hpp"
#include "builder/policy/base_use.hpp"
#include "builder/policy/definition_checks.hpp"
#include "builder/steps/users.hpp"

namespace kiln {

namespace {

// Which target takes which base, and how.
using UseKey = std::tuple<std::string, std::string, std::string, bool>;

UseKey key_of(const BaseUse& use) { return {use.subject.target, use.name(), use.platform.str(), use.is_stage_base}; }

}  // namespace

PolicyGate::PolicyGate(Workshop& shop, const Plan& plan, const PolicyRules& rules)
    : shop_(shop), plan_(plan), rules_(rules) {
  if (rules_.any()) inspector_ = std::make_unique<PolicyInspector>(shop);
}

void PolicyGate::check_definitions(const std::vector<std::size_t>& wanted) {
  if (!rules_.any()) return;
  const std::set<std::size_t> needed = plan_.closure({wanted.begin(), wanted.end()});
  uses_ = bases_used(plan_, needed);
  for (const BaseUse& use : uses_) check_base(rules_, use, *inspector_, findings_);
  for (const std::size_t number : needed) check_run_lines_of(number, needed_stages(*plan_.targets[number]));
  for (const std::size_t number : wanted) check_start(rules_, plan_, number, *inspector_, findings_);
}

void PolicyGate::check_run_lines_of(std::size_t target, const std::set<std::size_t>& stages) {
  if (!rules_.run_network) return;
  std::set<std::size_t>& known = stages_[target];
  std::set<std::size_t> fresh;
  std::set_difference(stages.begin(), stages.end(), known.begin(), known.end(), std::inserter(fresh, fresh.end()));
  check_run_lines(*rules_.run_network, *plan_.targets[target], fresh, findings_);
  known.merge(fresh);
}

void PolicyGate::check_what_was_taken() {
  if (!rules_.any_about_bases() && !rules_.run_network) return;
  inspector_->look_at_build();
  std::map<UseKey, BaseUse> taken;
  std::set<std::string> names;
  for (const TakenBase& base : shop_.bases().taken()) {
    if (const auto* stage = std::get_if<StageBase>(&base.meaning)) {
      check_run_lines_of(base.target, {stage->stage});
    } else if (const auto* image = std::get_if<FleetBase>(&base.meaning)) {
      check_run_lines_of(image->target, {plan_.targets[image->target]->final_stage});
    }
    auto use = base_use(*plan_.targets[base.target], base.meaning, base.platform, base.is_stage_base);
    if (!use) continue;
    names.insert(use->name());
    const UseKey key = key_of(*use);
    taken.emplace(key, std::move(*use));
  }
  for (const BaseUse& use : uses_) {
    taken.erase(key_of(use));
    // One that the cache made needless is not asked for now.
    const std::optional<std::string> before =
        names.count(use.name()) != 0 ? inspector_->first_digest(use) : std::nullopt;
    if (before && inspector_->facts(use).digest != before) check_base(rules_, use, *inspector_, findings_);
  }
  for (auto& [key, use] : taken) {
    check_base(rules_, use, *inspector_, findings_);
    uses_.push_back(std::move(use));
  }
}

Blocked PolicyGate::check_image(std::size_t target, const BuiltImage& built) {
  if (!rules_.any_about_images()) return {};
  const DecidingLines lines = deciding_lines(plan_, target);
  CheckedImage image;
  image.subject = subject_of(plan_.targets[target]->target);
  image.config = &built.image.image;
  image.user = lines.user;
  image.healthcheck = lines.healthcheck;
  for (const oci::Descriptor& layer : built.image.parsed.layers) image.layer_bytes.push_back(layer.size);
  for (const ImageLayer& layer : built.image.layers)
    image.layers.push_back(layer.line > 0 ? PolicyPlace{layer.file, layer.line} : lines.from);
  kiln::check_image(rules_, image, findings_);
  Blocked missing = check_user_of(image, built);
  missing.add(check_packages_of(image, built));
  return missing;
}

Blocked PolicyGate::check_user_of(const CheckedImage& image, const BuiltImage& built) {
  if (!asks_for_users(rules_, image)) return {};
  try {
    const OrBlocked<MergedView> files = shop_.layers().view(built.image.layers);
    if (files.is_blocked()) return files.blocked();
    check_uid(rules_, image, find_uid(image.config->config.user, files.value()), findings_);
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    report_unseen_users(rules_, image, error.message(), findings_);
  }
  return {};
}

Blocked PolicyGate::check_packages_of(const CheckedImage& image, const BuiltImage& built) {
  if (!asks_for_packages(rules_, image.subject)) return {};
  const std::vector<oci::Digest> layers = diff_ids_of(built.image.layers);
  auto known = packages_.find(layers);
  if (known == packages_.end()) {
    try {
      OrBlocked<ImagePackages> packages = built_packages(built, shop_.layers());
      if (packages.is_blocked()) return packages.blocked();
      known = packages_.emplace(layers, std::move(packages).value()).first;
    } catch (const Error& error) {
      if (error.category() == Category::cancelled) throw;
      report_unseen_packages(rules_, image, error.message(), findings_);
      return {};
    }
  }
  check_packages(rules_, image, known->second, findings_);
  return {};
}

std::vector<PolicyFinding> PolicyGate::findings() const {
  std::vector<PolicyFinding> masked = findings_.all();
  for (PolicyFinding& finding : masked) {
    for (std::string* text : {&finding.message, &finding.fix}) *text = shop_.settings().runs.masked(*text);
  }
  return masked;
}

void PolicyGate::enforce() {
  const std::vector<PolicyFinding> all = findings();
  const std::vector<PolicyFinding> fresh(all.begin() + static_cast<std::ptrdiff_t>(told_), all.end());
  told_ = all.size();
  for (const PolicyFinding& finding : fresh) {
    if (finding.level == PolicyLevel::warn) shop_.recorder().warn(finding_line(finding));
  }
  if (!fresh.empty() && shop_.surroundings().on_policy) shop_.surroundings().on_policy(fresh);
  refuse_denied(all);
}

}  // namespace kiln
