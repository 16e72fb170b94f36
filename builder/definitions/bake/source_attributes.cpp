#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/attribute_members.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln::bake {

namespace {

void refuse_standard_input(const std::string& value, const TargetSpec& target) {
  if (value != "-") return;
  throw Error(Category::usage, fmt::format("target '{}': a context or Dockerfile from standard input belongs to "
                                           "'kiln build'",
                                           printable(target.name)));
}

void apply_context(const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  const std::string& text = value.text();
  refuse_standard_input(text, target);
  if (is_remote_context(text)) {
    target.context.reset();
    target.remote_context = text;
  } else {
    target.context = path_of(text, folders);
    target.remote_context.clear();
  }
}

std::optional<Value> context_of(const TargetSpec& target, const fs::path& folder) {
  if (!target.remote_context.empty()) return Value::of(target.remote_context);
  return target.context ? std::optional<Value>(Value::of(shown_path(*target.context, folder))) : std::nullopt;
}

std::string named_context(const std::string& value, const AttributeFolders& folders) {
  constexpr std::string_view kLayout = "oci-layout://";
  if (value.starts_with("target:") || value.starts_with("docker-image:") || is_remote_context(value)) return value;
  if (value.starts_with(kLayout)) {
    return std::string(kLayout) + path_of(value.substr(kLayout.size()), folders).string();
  }
  return path_of(value, folders).string();
}

void apply_contexts(const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  for (const auto& [name, context] : value.members()) {
    if (context.text().empty()) {
      target.contexts.erase(name);
    } else {
      target.contexts[name] = named_context(context.text(), folders);
    }
  }
}

std::optional<Value> contexts_of(const TargetSpec& target, const fs::path& folder) {
  std::map<std::string, std::string> contexts = target.contexts;
  for (auto& [name, context] : contexts) {
    if (context.starts_with('/')) context = shown_path(context, folder);
  }
  return value_of_pairs(contexts);
}

void apply_dockerfile(const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  refuse_standard_input(value.text(), target);
  if (target.dockerfile_inline) return;
  const std::string name = value.text().empty() ? "Dockerfile" : value.text();
  target.dockerfile = name.starts_with("cwd://") ? path_of(name, folders)
                                                 : (target.context.value_or(fs::path()) / name).lexically_normal();
}

std::optional<Value> dockerfile_of(const TargetSpec& target, const fs::path&) {
  if (target.dockerfile_inline) return Value::of("Dockerfile");
  if (!target.dockerfile) return std::nullopt;
  const fs::path relative = target.context ? target.dockerfile->lexically_relative(*target.context) : fs::path();
  return Value::of((relative.empty() ? *target.dockerfile : relative).string());
}

void apply_inline(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.dockerfile_inline = value.text();
  target.dockerfile.reset();
}

std::optional<Value> inline_of(const TargetSpec& target, const fs::path&) {
  return target.dockerfile_inline ? std::optional<Value>(Value::of(*target.dockerfile_inline)) : std::nullopt;
}

std::optional<Value> args_of(const TargetSpec& target, const fs::path&) { return value_of_pairs(baked_args(target)); }

}  // namespace

// What is built.
std::vector<Attribute> source_attributes() {
  using enum Attribute::Form;
  using enum Attribute::Merge;
  using T = TargetSpec;
  return {
      {.name = "context", .place = 40, .form = text, .merge = replace, .apply = apply_context, .value_of = context_of},
      {.name = "contexts",
       .place = 50,
       .form = pairs,
       .merge = by_key,
       .definition_key = "contexts",
       .apply = apply_contexts,
       .value_of = contexts_of},
      {.name = "dockerfile",
       .place = 60,
       .form = text,
       .merge = replace,
       .apply = apply_dockerfile,
       .value_of = dockerfile_of},
      {.name = "dockerfile-inline",
       .place = 70,
       .form = text,
       .merge = replace,
       .cannot_be_set = true,
       .apply = apply_inline,
       .value_of = inline_of},
      {.name = "args",
       .place = 80,
       .form = pairs,
       .merge = by_key,
       .allows_null_members = true,
       .set_name = "arg",
       .definition_key = "args",
       .is_input = true,
       .apply = apply_pairs<&T::args>,
       .value_of = args_of},
      {.name = "target",
       .place = 130,
       .form = text,
       .merge = replace,
       .definition_key = "target",
       .is_input = true,
       .apply = apply_text<&T::stage>,
       .value_of = text_of<&T::stage>},
  };
}

}  // namespace kiln::bake
