#include "builder/definitions/policy_rules.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/byte_size.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/select.hpp"

namespace kiln {

namespace {

// Reads one rule after the other; a complaint of another room gets the place it is about.
class PolicyReader {
 public:
  PolicyReader(const JsonSource& source, const nlohmann::json& policy) : source_(source), policy_(policy) {}

  PolicyRules read() {
    PolicyRules rules;
    rule("base_source", rules.base_source,
         [&](BaseSourceRule& read) { read.allow = globs("/allow", member("allow")); });
    rule("base_digest", rules.base_digest, [](PolicyRule&) {});
    rule("base_signature", rules.base_signature, [&](BaseSignatureRule& read) { read.keys = keys(); });
    rule("base_age", rules.base_age, [&](BaseAgeRule& read) { read.days = member("days").get<int>(); });
    rule("run_network", rules.run_network, [&](RunNetworkRule& read) { read.allow = run_lines(); });
    rule("packages", rules.packages, [&](PackagesRule& read) { read.forbid = forbidden_packages(); });
    rule("licences", rules.licences, [&](LicencesRule& read) { licences(read); });
    rule("user", rules.user, [](PolicyRule&) {});
    rule("healthcheck", rules.healthcheck, [](PolicyRule&) {});
    rule("size", rules.size, [&](SizeRule& read) { size(read); });
    return rules;
  }

 private:
  template <class Rule, class Read>
  void rule(const char* name, std::optional<Rule>& into, Read&& read) {
    if (!policy_.contains(name)) return;
    content_ = &policy_.at(name);
    pointer_ = fmt::format("/policy/{}", name);
    Rule& result = into.emplace();
    result.level = *parse_policy_level(member("level").template get<std::string>());
    if (content_->contains("images")) result.images = globs("/images", member("images"));
    const auto [file, line] = place_of("");
    result.file = file;
    result.line = line;
    read(result);
  }

  const nlohmann::json& member(const char* key) const { return content_->at(key); }

  std::pair<std::string, int> place_of(const std::string& below) const {
    const std::string place = source_.at(pointer_ + below);
    const std::size_t colon = place.rfind(':');
    return {place.substr(0, colon), static_cast<int>(parse_unsigned(place.substr(colon + 1)).value_or(0))};
  }

  template <class Body>
  auto at_place(const std::string& below, Body&& body) const {
    try {
      return body();
    } catch (const Error& error) {
      source_.fail(pointer_ + below, error.message());
    }
  }

  std::string glob(const std::string& below, const nlohmann::json& value) const {
    std::string text = value.get<std::string>();
    at_place(below, [&] { return matches_glob(text, ""); });
    return text;
  }

  std::vector<std::string> globs(const std::string& below, const nlohmann::json& values) const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < values.size(); ++i) result.push_back(glob(fmt::format("{}/{}", below, i), values[i]));
    return result;
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> result;
    for (const nlohmann::json& value : member("keys")) {
      const std::string said = value.get<std::string>();
      const bool is_text = said.starts_with("-----BEGIN");
      result.push_back(is_text ? said : (source_.file().parent_path() / said).lexically_normal().string());
    }
    return result;
  }

  std::vector<RunNetworkRule::Line> run_lines() const {
    std::vector<RunNetworkRule::Line> lines;
    if (!content_->contains("allow")) return lines;
    for (std::size_t i = 0; i < member("allow").size(); ++i) {
      const nlohmann::json& entry = member("allow")[i];
      RunNetworkRule::Line& line = lines.emplace_back();
      if (entry.contains("image")) line.image = glob(fmt::format("/allow/{}/image", i), entry["image"]);
      if (entry.contains("command")) line.command = glob(fmt::format("/allow/{}/command", i), entry["command"]);
    }
    return lines;
  }

  std::vector<PackagesRule::Forbidden> forbidden_packages() const {
    std::vector<PackagesRule::Forbidden> result;
    for (std::size_t i = 0; i < member("forbid").size(); ++i) {
      const nlohmann::json& entry = member("forbid")[i];
      const std::string below = fmt::format("/forbid/{}", i);
      const PackagePattern packages = at_place(below, [&] {
        return PackagePattern::parse(entry.at("purl").get<std::string>(), entry.value("versions", std::string()));
      });
      result.push_back({packages, entry.value("reason", std::string()), place_of(below).second});
    }
    return result;
  }

  void licences(LicencesRule& rule) const {
    for (const std::string& licence : globs("/forbid", member("forbid"))) rule.forbid.push_back(to_lower(licence));
    rule.forbids_unstated = content_->value("unstated", std::string()) == "forbid";
    if (!content_->contains("except")) return;
    for (std::size_t i = 0; i < member("except").size(); ++i) {
      rule.except.push_back(at_place(fmt::format("/except/{}", i), [&] {
        return PackagePattern::parse(member("except")[i].get<std::string>(), "");
      }));
    }
  }

  void size(SizeRule& rule) const {
    rule.max = member("max").get<std::string>();
    const auto bytes = parse_byte_size(rule.max);
    if (!bytes) source_.fail(pointer_ + "/max", fmt::format("'{}' is no size that can be", printable(rule.max)));
    rule.max_bytes = *bytes;
  }

  const JsonSource& source_;
  const nlohmann::json& policy_;
  const nlohmann::json* content_ = nullptr;  // of the rule that is read
  std::string pointer_;                      // to it
};

template <class Rule>
bool is_denied_by(const std::optional<Rule>& rule) {
  return rule && rule->level == PolicyLevel::deny;
}

}  // namespace

std::string_view to_string(PolicyLevel level) { return level == PolicyLevel::deny ? "deny" : "warn"; }

std::optional<PolicyLevel> parse_policy_level(std::string_view text) {
  if (text == "deny") return PolicyLevel::deny;
  if (text == "warn") return PolicyLevel::warn;
  return std::nullopt;
}

bool PolicyRules::denies_images() const {
  return is_denied_by(packages) || is_denied_by(licences) || is_denied_by(user) || is_denied_by(healthcheck) ||
         is_denied_by(size);
}

PolicyRules read_policy_rules(const JsonSource& source, const nlohmann::json& policy) {
  return PolicyReader(source, policy).read();
}

}  // namespace kiln
