#include "builder/policy/base_checks.hpp"

#include <fmt/format.h>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/policy/definition_checks.hpp"

namespace kiln {

namespace {

constexpr UnixSeconds kSecondsOfDay = 86'400;

// What the globs of base_source are compared with.
std::vector<std::string> source_names(const BaseUse& use) {
  if (std::holds_alternative<DebianBase>(use.meaning)) return {"debian-packages"};
  if (std::holds_alternative<LayoutBase>(use.meaning)) return {"oci-layout"};
  const auto reference = oci::Reference::parse_if_valid(std::get<ImageBase>(use.meaning).reference);
  if (!reference) return {};
  return {reference->registry, reference->name(), reference->familiar_name()};
}

// One base and what was found out of it so far.
class BaseCheck {
 public:
  BaseCheck(const PolicyRules& rules, const BaseUse& use, BaseInspector& inspector, PolicyFindings& findings)
      : rules_(rules), use_(use), inspector_(inspector), findings_(findings), name_(printable(use.name())) {}

  void run() {
    source();
    digest();
    signature();
    age();
    triggers();
  }

 private:
  template <class Rule>
  bool applies(const std::optional<Rule>& rule) const {
    return rule && is_about(*rule, use_.subject);
  }

  void report(std::string_view name, const PolicyRule& rule, std::string message, std::string fix) {
    PolicyFinding finding = finding_of(name, rule, use_.subject, use_.place);
    finding.message = std::move(message);
    finding.fix = std::move(fix);
    findings_.add(std::move(finding));
  }

  // nullptr, and a finding of the rule, where the base cannot be had.
  const BaseFacts* facts_for(std::string_view name, const PolicyRule& rule) {
    if (!facts_ && problem_.empty()) {
      try {
        facts_ = inspector_.facts(use_);
      } catch (const Error& error) {
        if (error.category() == Category::cancelled) throw;
        problem_ = error.message();
      }
    }
    if (facts_) return &*facts_;
    report(name, rule, fmt::format("base image '{}' cannot be looked at: {}", name_, printable(problem_)),
           "see that the image can be had, or build on another");
    return nullptr;
  }

  void source() {
    if (!applies(rules_.base_source)) return;
    const BaseSourceRule& rule = *rules_.base_source;
    const std::vector<std::string> names = source_names(use_);
    for (const std::string& name : names) {
      if (matches_any(rule.allow, name)) return;
    }
    const std::string own = names.size() > 1 ? names[1] : names.empty() ? name_ : names[0];
    report("base_source", rule,
           fmt::format("base image '{}' is of none of the places that are listed: {}", name_,
                       printable(join(rule.allow, ", "))),
           fmt::format("build on an image of one of them, or list '{}' in \"allow\" ({})", printable(own),
                       place_of(rule)));
  }

  void digest() {
    if (!applies(rules_.base_digest)) return;
    const PolicyRule& rule = *rules_.base_digest;
    if (const auto* layout = std::get_if<LayoutBase>(&use_.meaning)) {
      if (layout->tag.starts_with("sha256:")) return;
      report("base_digest", rule, fmt::format("base image '{}' is not named by its digest", name_),
             "name it as oci-layout://FOLDER@sha256:...");
      return;
    }
    const auto* image = std::get_if<ImageBase>(&use_.meaning);
    const auto reference = image ? oci::Reference::parse_if_valid(image->reference) : std::nullopt;
    if (reference && reference->digest) return;
    const BaseFacts* facts = facts_for("base_digest", rule);
    if (!facts) return;
    if (facts->locked && (!image || facts->locked == facts->digest)) return;
    if (!image) {
      report("base_digest", rule, fmt::format("the packages of '{}' are not in the lock file", name_),
             "record them by 'kiln lock', and commit the file");
    } else if (facts->locked) {
      report(
          "base_digest", rule,
          fmt::format("base image '{}' is locked as {}, and what is used is {}", name_, *facts->locked,
                      facts->digest.value_or("another")),
          "remove the image of this name from the store with 'kiln untag', or lock it anew with 'kiln lock --update'");
    } else {
      report("base_digest", rule,
             fmt::format("base image '{}' is named by a tag, which may be another image tomorrow", name_),
             fmt::format("write '{}@{}'; image definitions may record it by 'kiln lock' instead",
                         printable(reference ? reference->familiar_name() +
                                                   (reference->tag ? ":" + *reference->tag : std::string())
                                             : name_),
                         facts->digest.value_or("sha256:...")));
    }
  }

  // The index of Debian's packages is signed by Debian's own keys, and verified when they are resolved.
  void signature() {
    if (!applies(rules_.base_signature) || std::holds_alternative<DebianBase>(use_.meaning)) return;
    const BaseSignatureRule& rule = *rules_.base_signature;
    if (std::holds_alternative<LayoutBase>(use_.meaning)) {
      report("base_signature", rule,
             fmt::format("base image '{}' is of no registry, so no signature is with it", name_),
             "push it to a registry, sign it there with 'kiln sign' and build on that");
      return;
    }
    std::string problem;
    try {
      problem = inspector_.signature_problem(use_, rule.keys);
    } catch (const Error& error) {
      if (error.category() == Category::cancelled || error.category() == Category::usage) throw;
      problem = "its signatures cannot be looked at: " + error.message();
    }
    if (problem.empty()) return;
    report("base_signature", rule,
           fmt::format("base image '{}' is not signed by a listed key: {}", name_, printable(problem)),
           fmt::format("sign it with 'kiln sign {} --key FILE', build on an image that is signed, or list its key in "
                       "\"keys\" ({})",
                       name_, place_of(rule)));
  }

  void age() {
    if (!applies(rules_.base_age)) return;
    const BaseAgeRule& rule = *rules_.base_age;
    const BaseFacts* facts = facts_for("base_age", rule);
    if (!facts) return;
    if (!tells_age(facts->created)) {
      report("base_age", rule,
             fmt::format("how old base image '{}' is cannot be told: {}, and its manifest has no "
                         "org.opencontainers.image.created",
                         name_,
                         facts->created
                             ? fmt::format("it states {}, as reproducible images do", format_rfc3339(*facts->created))
                             : "its config states no time"),
             "build on an image that states when it was made, or leave it out of \"images\" of this rule");
      return;
    }
    const UnixSeconds days = (inspector_.now() - *facts->created) / kSecondsOfDay;
    if (days <= rule.days) return;
    report("base_age", rule,
           fmt::format("base image '{}' is {} old (of {}), and {} are allowed", name_,
                       count_of(static_cast<std::size_t>(days), "day"), format_rfc3339(*facts->created).substr(0, 10),
                       rule.days),
           facts->locked ? "renew the lock file with 'kiln lock --update'" : "build on a newer image");
  }

  // Their text is in no file of the fleet.
  void triggers() {
    if (!use_.is_stage_base || !applies(rules_.run_network)) return;
    const RunNetworkRule& rule = *rules_.run_network;
    const BaseFacts* facts = facts_for("run_network", rule);
    if (!facts) return;
    for (const std::string& text : facts->on_build) {
      const dockerfile::Instruction trigger = dockerfile::parse_trigger(text, fmt::format("image '{}'", name_));
      check_run_network(rule, trigger, {use_.subject, use_.place, use_.network, "ONBUILD of the base image: "},
                        findings_);
    }
  }

  const PolicyRules& rules_;
  const BaseUse& use_;
  BaseInspector& inspector_;
  PolicyFindings& findings_;
  std::string name_;
  std::optional<BaseFacts> facts_;
  std::string problem_;  // why there are none
};

}  // namespace

bool tells_age(std::optional<UnixSeconds> created) { return created && *created > kReproducibleEpoch + kSecondsOfDay; }

void check_base(const PolicyRules& rules, const BaseUse& use, BaseInspector& inspector, PolicyFindings& findings) {
  BaseCheck(rules, use, inspector, findings).run();
}

}  // namespace kiln
