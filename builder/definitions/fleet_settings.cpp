#include "builder/definitions/fleet_settings.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/name_template.hpp"

namespace kiln {

using nlohmann::json;

namespace {

// Runs a check of another room and gives its complaint the place it is about.
template <class Body>
auto at_pointer(const JsonSource& source, std::string_view pointer, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    source.fail(pointer, error.message());
  }
}

fs::path path_from(const JsonSource& source, const std::string& text) {
  fs::path path = (source.file().parent_path() / text).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

FleetGoals read_goals(const JsonSource& source, const json& content) {
  FleetGoals goals;
  const auto number = [](const json& object, const char* key) {
    return object.contains(key) ? std::optional(object.at(key).get<double>()) : std::nullopt;
  };
  if (content.contains("reduction_pct")) {
    goals.reduction_min_pct = number(content.at("reduction_pct"), "min");
    goals.reduction_max_pct = number(content.at("reduction_pct"), "max");
    if (goals.reduction_min_pct && goals.reduction_max_pct && *goals.reduction_min_pct > *goals.reduction_max_pct) {
      source.fail("/targets/reduction_pct", "'min' is more than 'max'");
    }
  }
  goals.cache_hit_pct = number(content, "cache_hit_pct");
  goals.build_seconds = number(content, "build_seconds");
  return goals;
}

}  // namespace

FleetSettings read_fleet_settings(const JsonSource& source, const json& content) {
  FleetSettings settings;
  const auto text = [&](const char* key, const std::string& otherwise) { return content.value(key, otherwise); };
  settings.registry = text("registry", "");
  settings.image_namespace = text("namespace", "");
  settings.source = text("source", "");
  settings.repository_template = text("repository", settings.repository_template);
  settings.profiles_folder = path_from(source, text("profiles_folder", "../profiles"));
  settings.lock_file = path_from(source, text("lock", "kiln.lock"));
  if (content.contains("tags")) settings.tag_templates = content.at("tags").get<std::vector<std::string>>();
  if (content.contains("platform")) {
    settings.platforms = at_pointer(source, "/platform", [&] {
      return std::vector{oci::Platform::parse(content.at("platform").get<std::string>())};
    });
  }
  if (content.contains("compression")) {
    settings.compression = at_pointer(
        source, "/compression", [&] { return Compression::parse_text(content.at("compression").get<std::string>()); });
  }

  if (content.contains("layers")) settings.layers = layer_rules_from_json(content.at("layers"));
  if (content.contains("attest")) {
    settings.attestations = content.at("attest").get<std::vector<std::string>>();
    at_pointer(source, "/attest", [&] { return parse_attestations(settings.attestations, "attest"); });
  }
  if (content.contains("attest_as")) {
    settings.attached_as = at_pointer(source, "/attest_as", [&] {
      return parse_attached_as(content.at("attest_as").get<std::string>(), "attest_as");
    });
  }

  const std::map<std::string, std::optional<std::string>> in_repository = {{"image", "i"}, {"profile", "p"}};
  at_pointer(source, "/repository", [&] { return render_template(settings.repository_template, in_repository); });
  if (!template_uses(settings.repository_template, "image")) {
    source.fail("/repository", "\"repository\" has to say {image}, so that each image has one of its own");
  }

  if (content.contains("tags")) {
    for (std::size_t i = 0; i < settings.tag_templates.size(); ++i) {
      at_pointer(source, child_pointer("/tags", i), [&] { check_tag_template(settings.tag_templates[i]); });
    }
  }

  const json cache = content.value("cache", json::object());
  settings.cache_from = cache.value("from", std::vector<std::string>{});
  settings.cache_to = cache.value("to", std::vector<std::string>{});
  settings.cache_read_only = cache.value("mode", std::string()) == "read";
  settings.share_cache_mounts = content.value("cache_mounts", std::string()) == "share";
  const json sign = cache.value("sign", json::object());
  const auto key_file = [&](const std::string& key) {
    return key.starts_with("-----BEGIN") ? key : path_from(source, key).string();
  };
  if (sign.contains("key")) settings.cache_sign_key = path_from(source, sign.at("key").get<std::string>()).string();
  for (const std::string& key : sign.value("trust", std::vector<std::string>{}))
    settings.cache_trust.push_back(key_file(key));
  const auto bundle = content.value("build", json::object()).value("ca_bundle", std::string());
  const bool is_word = bundle.empty() || bundle == "host" || bundle == "none";
  settings.ca_bundle = is_word ? bundle : path_from(source, bundle).string();
  settings.goals = read_goals(source, content.value("targets", json::object()));
  const json retention = content.value("retention", json::object());
  settings.retention.last = retention.value("last", settings.retention.last);
  settings.retention.daily = retention.value("daily", settings.retention.daily);
  settings.retention.weekly = retention.value("weekly", settings.retention.weekly);
  settings.retention.monthly = retention.value("monthly", settings.retention.monthly);
  if (content.contains("policy")) settings.policy = read_policy_rules(source, content.at("policy"));
  return settings;
}

}  // namespace kiln
