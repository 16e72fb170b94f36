#include "builder/definitions/bake_print.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "builder/definitions/profile.hpp"

namespace kiln {

using nlohmann::ordered_json;

namespace {

// What is printed is read as a bake file again, where these begin templates.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool opens = i + 1 < text.size() && text[i + 1] == '{' && (text[i] == '$' || text[i] == '%');
    if (opens) result += text[i];
    result += text[i];
  }
  return result;
}

ordered_json escaped(const std::map<std::string, std::string>& values) {
  ordered_json result = ordered_json::object();
  for (const auto& [key, value] : values) result[key] = escaped(value);
  return result;
}

std::string shown_path(const fs::path& path, const fs::path& base) {
  const fs::path relative = path.lexically_relative(base);
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

class Printer {
 public:
  Printer(const Fleet& fleet, const BakePrintOptions& options) : fleet_(fleet), options_(options) {}

  // A target and those that its contexts name.
  void add(const Target& target) {
    if (!printed_.insert(target.name).second) return;
    const auto contexts = contexts_of(target);
    for (const auto& [name, value] : contexts) {
      if (!value.starts_with("target:")) continue;
      if (const Target* linked = fleet_.find(value.substr(7))) add(*linked);
    }
    targets_[target.name] = shown(target, contexts);
  }

  ordered_json groups(const std::vector<std::string>& requested) {
    std::map<std::string, std::vector<std::string>> result;
    for (const std::string& name : requested) add_group(name, result);
    if (std::find(requested.begin(), requested.end(), "default") == requested.end()) result["default"] = requested;
    ordered_json json = ordered_json::object();
    for (auto& [name, members] : result) {
      // With --profile some members of a group are not baked.
      std::erase_if(members,
                    [&](const std::string& member) { return !targets_.contains(member) && !result.contains(member); });
      json[name]["targets"] = members;
    }
    return json;
  }

  ordered_json targets() const {
    ordered_json json = ordered_json::object();
    for (const auto& [name, target] : targets_) json[name] = target;
    return json;
  }

 private:
  std::map<std::string, std::string> contexts_of(const Target& target) const {
    std::map<std::string, std::string> contexts;
    for (const auto& [name, value] : target.contexts) {
      contexts[name] = value.starts_with('/') ? shown_path(value, options_.working_directory) : value;
    }
    if (target.debian) contexts["debian"] = "kiln-lock://" + target.image;
    if (const auto edges = options_.edges.find(target.name); edges != options_.edges.end()) {
      for (const auto& [name, parent] : edges->second) contexts[name] = "target:" + parent;
    }
    return contexts;
  }

  ordered_json shown(const Target& target, const std::map<std::string, std::string>& contexts) const {
    ordered_json json = ordered_json::object();
    if (!target.description.empty()) json["description"] = target.description;
    if (target.context) json["context"] = shown_path(*target.context, options_.working_directory);
    if (!target.remote_context.empty()) json["context"] = target.remote_context;
    if (!contexts.empty()) json["contexts"] = contexts;
    if (target.dockerfile && target.context) {
      const fs::path relative = target.dockerfile->lexically_relative(*target.context);
      json["dockerfile"] = (relative.empty() ? *target.dockerfile : relative).string();
    } else if (target.dockerfile) {
      json["dockerfile"] = target.dockerfile->string();
    }
    if (target.dockerfile_inline) {
      json["dockerfile"] = "Dockerfile";
      json["dockerfile-inline"] = escaped(*target.dockerfile_inline);
    }
    if (const auto args = baked_args(target); !args.empty()) json["args"] = escaped(args);
    std::map<std::string, std::string> labels = target.labels;
    if (target.profile) labels.merge(profile_labels(*target.profile));
    if (!labels.empty()) json["labels"] = escaped(labels);
    const auto names = options_.names.find(target.name);
    const std::vector<std::string>& tags = names == options_.names.end() ? target.tags : names->second;
    if (!tags.empty()) json["tags"] = tags;
    if (!target.cache_from.empty()) json["cache-from"] = target.cache_from;
    if (!target.cache_to.empty()) json["cache-to"] = target.cache_to;
    if (!target.stage.empty()) json["target"] = target.stage;
    for (const TargetSecret& secret : target.secrets) {
      ordered_json item = {{"id", secret.id}};
      if (secret.file) item["src"] = shown_path(*secret.file, options_.working_directory);
      if (secret.environment) item["env"] = *secret.environment;
      json["secret"].push_back(std::move(item));
    }
    for (const TargetSsh& ssh : target.ssh) {
      ordered_json item = {{"id", ssh.id}};
      for (const fs::path& path : ssh.paths) item["paths"].push_back(shown_path(path, options_.working_directory));
      json["ssh"].push_back(std::move(item));
    }
    for (const oci::Platform& platform : target.platforms) json["platforms"].push_back(platform.str());
    if (!target.outputs.empty()) json["output"] = target.outputs;
    if (target.pull) json["pull"] = true;
    if (target.no_cache) json["no-cache"] = true;
    if (!target.network.empty()) json["network"] = target.network;
    if (!target.no_cache_stages.empty()) json["no-cache-filter"] = target.no_cache_stages;
    return json;
  }

  void add_group(const std::string& name, std::map<std::string, std::vector<std::string>>& into) const {
    const auto group = fleet_.groups.find(name);
    if (group == fleet_.groups.end() || !into.emplace(name, group->second).second) return;
    for (const std::string& member : group->second) add_group(member, into);
  }

  const Fleet& fleet_;
  const BakePrintOptions& options_;
  std::set<std::string> printed_;
  std::map<std::string, ordered_json> targets_;
};

}  // namespace

std::string bake_print(const Fleet& fleet, const std::vector<const Target*>& targets, const BakePrintOptions& options) {
  Printer printer(fleet, options);
  for (const Target* target : targets) printer.add(*target);
  const std::vector<std::string> requested =
      options.requested.empty() ? std::vector<std::string>{"default"} : options.requested;
  ordered_json json = ordered_json::object();
  json["group"] = printer.groups(requested);
  json["target"] = printer.targets();
  return json.dump(2) + "\n";
}

}  // namespace kiln
