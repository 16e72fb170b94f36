#include "builder/policy/image_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/packages/licence.hpp"
#include "builder/packages/licence_expression.hpp"
#include "builder/policy/definition_checks.hpp"

namespace kiln {

namespace {

PolicyPlace layer_place(const CheckedImage& image, std::size_t layer) {
  return layer < image.layers.size() ? image.layers[layer] : PolicyPlace{};
}

std::string shown_package(const Package& package) {
  const StatedPackage& stated = package.stated;
  return fmt::format("{} {} ({})", printable(stated.name), printable(stated.version), to_string(stated.ecosystem));
}

// ", which 'RUN pip install x' brought": of the layer's line of history.
std::string brought_by(const ImagePackages& packages, const Package& package) {
  constexpr std::size_t kLength = 60;
  const std::string text = printable(packages.layers.at(package.layer).created_by);
  if (text.empty()) return "";
  return fmt::format(", which '{}{}' brought", text.substr(0, kLength), text.size() > kLength ? "..." : "");
}

void check_forbidden_packages(const PackagesRule& rule, const CheckedImage& image, const ImagePackages& packages,
                              PolicyFindings& findings) {
  for (const Package& package : packages.packages) {
    for (const PackagesRule::Forbidden& forbidden : rule.forbid) {
      if (!forbidden.packages.matches(package.stated, packages.distribution)) continue;
      PolicyFinding finding = finding_of("packages", rule, image.subject, layer_place(image, package.layer));
      const std::string why = forbidden.reason.empty() ? "" : fmt::format(": {}", printable(forbidden.reason));
      finding.message =
          fmt::format("{} may not be in an image{}{}", shown_package(package), why, brought_by(packages, package));
      const std::string way_out = forbidden.packages.versions().way_out();
      const std::string name = printable(package.stated.name);
      finding.fix = way_out.empty() ? fmt::format("leave {} out", name)
                                    : fmt::format("install {} of {}, or leave it out", name, way_out);
      finding.fix += fmt::format(" ({}:{})", rule.file, forbidden.line);
      findings.add(std::move(finding));
    }
  }
}

// A licence of an expression, by its identifier, with its exception, and for a reference by the words that were stated.
bool is_forbidden_licence(const LicencesRule& rule, const LicenceTerms& terms, std::string_view licence) {
  const std::string whole = to_lower(licence);
  const std::string identifier = whole.substr(0, whole.find(" with "));
  if (matches_any(rule.forbid, whole) || matches_any(rule.forbid, identifier)) return true;
  const auto words = terms.references.find(std::string(licence));
  return words != terms.references.end() && matches_any(rule.forbid, to_lower(words->second));
}

// The licences that stand in the way, as their packages state them.
std::vector<std::string> obstacles_of(const LicencesRule& rule, const LicenceTerms& terms) {
  std::vector<std::string> found = LicenceExpression::parse(terms.expression).obstacles([&](std::string_view licence) {
    return is_forbidden_licence(rule, terms, licence);
  });
  for (std::string& licence : found) {
    const auto words = terms.references.find(licence);
    if (words != terms.references.end()) licence = words->second;
  }
  return found;
}

bool is_excepted(const LicencesRule& rule, const Package& package, const Distribution& distribution) {
  return std::any_of(rule.except.begin(), rule.except.end(),
                     [&](const PackagePattern& pattern) { return pattern.matches(package.stated, distribution); });
}

void check_licences(const LicencesRule& rule, const CheckedImage& image, const ImagePackages& packages,
                    PolicyFindings& findings) {
  for (const Package& package : packages.packages) {
    if (is_excepted(rule, package, packages.distribution)) continue;
    const LicenceTerms terms = licence_terms(package.stated.licence);
    PolicyFinding finding = finding_of("licences", rule, image.subject, layer_place(image, package.layer));
    if (terms.expression.empty()) {
      if (!rule.forbids_unstated) continue;
      finding.message = fmt::format("{} states no licence{}", shown_package(package), brought_by(packages, package));
    } else {
      const std::vector<std::string> obstacles = obstacles_of(rule, terms);
      if (obstacles.empty()) continue;
      finding.message = fmt::format("{} is licensed under {}, which may not be in an image{}", shown_package(package),
                                    printable(join(obstacles, " and ")), brought_by(packages, package));
    }
    finding.fix =
        fmt::format("leave {} out, or name it in \"except\" ({})", printable(package.stated.name), place_of(rule));
    findings.add(std::move(finding));
  }
}

template <class Message>
void report_unseen(std::string_view name, const PolicyRule& rule, const CheckedImage& image, const Message& message,
                   PolicyFindings& findings) {
  PolicyFinding finding = finding_of(name, rule, image.subject, {});
  finding.message = message(finding);
  finding.fix = "see that the image's layers are at the registry or in the store and hold no broken package database";
  findings.add(std::move(finding));
}

}  // namespace

void check_image(const PolicyRules& rules, const CheckedImage& image, PolicyFindings& findings) {
  const oci::ContainerConfig& start = image.config->config;
  if (rules.user && is_about(*rules.user, image.subject, RuleScope::services_alone) && is_root_user(start.user))
    report_root_user(*rules.user, image.subject, image.user, findings);
  const bool has_healthcheck =
      start.healthcheck && !start.healthcheck->test.empty() && start.healthcheck->test.front() != "NONE";
  if (rules.healthcheck && is_about(*rules.healthcheck, image.subject, RuleScope::services_alone) && !has_healthcheck)
    report_no_healthcheck(*rules.healthcheck, image.subject, image.healthcheck, findings);
  if (!rules.size || !is_about(*rules.size, image.subject)) return;
  const std::uint64_t bytes = std::accumulate(image.layer_bytes.begin(), image.layer_bytes.end(), std::uint64_t{0});
  if (bytes <= rules.size->max_bytes) return;
  const auto largest = std::max_element(image.layer_bytes.begin(), image.layer_bytes.end());
  const auto number = static_cast<std::size_t>(largest - image.layer_bytes.begin());
  PolicyFinding finding = finding_of("size", *rules.size, image.subject, layer_place(image, number));
  finding.message = fmt::format("the image weighs {} compressed, and {} are allowed; its largest layer {}",
                                human_bytes(bytes), rules.size->max, human_bytes(*largest));
  finding.fix = "leave out what the program does not need; 'kiln layers' and 'kiln advise' tell what takes the space";
  findings.add(std::move(finding));
}

bool asks_for_users(const PolicyRules& rules, const CheckedImage& image) {
  const std::string_view user = image.config->config.user;
  const std::string_view name = user.substr(0, user.find(':'));
  const bool has_sign = name.starts_with('+') || name.starts_with('-');
  const bool is_number = name.find_first_not_of("0123456789", has_sign ? 1 : 0) == std::string_view::npos;
  return rules.user && is_about(*rules.user, image.subject, RuleScope::services_alone) && !is_number &&
         !is_root_user(user);
}

void check_uid(const PolicyRules& rules, const CheckedImage& image, std::optional<std::uint32_t> uid,
               PolicyFindings& findings) {
  if (uid == 0) report_root_user(*rules.user, image.subject, image.user, findings);
}

void report_unseen_users(const PolicyRules& rules, const CheckedImage& image, const std::string& problem,
                         PolicyFindings& findings) {
  const auto message = [&](const PolicyFinding& finding) {
    return fmt::format("it could not be looked up whom '{}' runs as: {}", printable(finding.image), printable(problem));
  };
  report_unseen("user", *rules.user, image, message, findings);
}

bool asks_for_packages(const PolicyRules& rules, const PolicySubject& subject) {
  return (rules.packages && is_about(*rules.packages, subject)) ||
         (rules.licences && is_about(*rules.licences, subject));
}

void check_packages(const PolicyRules& rules, const CheckedImage& image, const ImagePackages& packages,
                    PolicyFindings& findings) {
  if (rules.packages && is_about(*rules.packages, image.subject))
    check_forbidden_packages(*rules.packages, image, packages, findings);
  if (rules.licences && is_about(*rules.licences, image.subject))
    check_licences(*rules.licences, image, packages, findings);
  for (const std::string& note : packages.notes) report_unseen_packages(rules, image, note, findings);
}

void report_unseen_packages(const PolicyRules& rules, const CheckedImage& image, const std::string& problem,
                            PolicyFindings& findings) {
  const auto message = [&](const PolicyFinding& finding) {
    return fmt::format("not every package of '{}' could be looked at: {}", printable(finding.image),
                       printable(problem));
  };
  if (rules.packages && is_about(*rules.packages, image.subject))
    report_unseen("packages", *rules.packages, image, message, findings);
  if (rules.licences && is_about(*rules.licences, image.subject))
    report_unseen("licences", *rules.licences, image, message, findings);
}

void report_unseen_image(const PolicyRules& rules, const CheckedImage& image, const std::string& problem,
                         PolicyFindings& findings) {
  report_unseen_packages(rules, image, problem, findings);
  const auto message = [&](const PolicyFinding& finding) {
    return fmt::format("'{}' could not be looked at: {}", printable(finding.image), printable(problem));
  };
  if (rules.user && is_about(*rules.user, image.subject, RuleScope::services_alone))
    report_unseen("user", *rules.user, image, message, findings);
  if (rules.healthcheck && is_about(*rules.healthcheck, image.subject, RuleScope::services_alone))
    report_unseen("healthcheck", *rules.healthcheck, image, message, findings);
  if (rules.size && is_about(*rules.size, image.subject)) report_unseen("size", *rules.size, image, message, findings);
}

}  // namespace kiln
