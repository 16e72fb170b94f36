#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"
#include "builder/dockerfile/check_suggestion.hpp"

// Rules about FROM: its variables, its platform, its image.
namespace kiln::dockerfile {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kTagCharacters = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
constexpr std::string_view kHostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-:[]";

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

// Path components of the distribution specification: lower case, single separators inside.
bool is_path_component(std::string_view text) {
  std::size_t i = 0;
  const auto word = [&] {
    const std::size_t start = i;
    while (i < text.size() && kLower.find(text[i]) != std::string_view::npos) ++i;
    return i > start;
  };
  if (!word()) return false;
  while (i < text.size()) {
    if (text[i] == '-') {
      while (i < text.size() && text[i] == '-') ++i;
    } else if (text.substr(i, 2) == "__") {
      i += 2;
    } else if (text[i] == '.' || text[i] == '_') {
      ++i;
    } else {
      return false;
    }
    if (!word()) return false;
  }
  return true;
}

bool is_image_reference(std::string_view text) {
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    const std::string_view digest = text.substr(at + 1);
    const auto colon = digest.find(':');
    if (colon == std::string_view::npos || !all_of(digest.substr(colon + 1), "0123456789abcdef")) return false;
    text = text.substr(0, at);
  }
  const auto slash = text.rfind('/');
  if (const auto colon = text.find(':', slash == std::string_view::npos ? 0 : slash); colon != std::string_view::npos) {
    const std::string_view tag = text.substr(colon + 1);
    if (tag.size() > 128 || !all_of(tag, kTagCharacters) || tag[0] == '.' || tag[0] == '-') return false;
    text = text.substr(0, colon);
  }
  auto parts = split(text, '/');
  const bool has_host =
      parts.size() > 1 && (parts[0].find_first_of(".:") != std::string_view::npos || parts[0] == "localhost");
  if (has_host) {
    if (!all_of(parts[0], kHostCharacters)) return false;
    parts.erase(parts.begin());
  }
  return std::all_of(parts.begin(), parts.end(), is_path_component);
}

void undefined_args(CheckContext& context, const Stage& stage, const Expansion& expansion,
                    const std::vector<std::string>& declared) {
  for (const std::string& name : expansion.unset) {
    if (std::find(declared.begin(), declared.end(), name) != declared.end()) continue;
    context.report("UndefinedArgInFrom",
                   fmt::format("FROM argument '{}' is not declared{}", name, did_you_mean(name, declared, "")), stage);
  }
}

void platform(CheckContext& context, const Stage& stage, const std::vector<std::string>& declared) {
  if (stage.platform.empty()) return;
  Expansion expansion;
  try {
    expansion = context.global().expand(stage.platform);
  } catch (const Error& error) {
    context.fail(error, stage.lines);
    return;
  }
  undefined_args(context, stage, expansion, declared);
  if (stage.platform == "$TARGETPLATFORM" || stage.platform == "${TARGETPLATFORM}") {
    context.report("RedundantTargetPlatform",
                   fmt::format("Setting platform to predefined {} in FROM is redundant as this is the default behavior",
                               stage.platform),
                   stage);
  }
  const auto parts = split(expansion.text, '/');
  if (expansion.text.empty()) {
    context.fail(Error(Category::usage, fmt::format("--platform='{}' comes to nothing", printable(stage.platform))),
                 stage.lines);
  } else if (parts.size() > 4 || !std::all_of(parts.begin(), parts.end(),
                                              [](std::string_view part) { return all_of(part, kTagCharacters); })) {
    context.fail(
        Error(Category::usage, fmt::format("--platform='{}' comes to '{}', which is no OS/ARCHITECTURE[/VARIANT]",
                                           printable(stage.platform), printable(expansion.text))),
        stage.lines);
  }
  if (!expansion.used.empty() || !expansion.unset.empty()) return;
  // A stage that bears its platform in its name means it.
  for (std::size_t i = 0; i < parts.size() && i < 2; ++i) {
    if (!parts[i].empty() && stage.name.find(to_lower(parts[i])) != std::string::npos) return;
  }
  context.report("FromPlatformFlagConstDisallowed",
                 fmt::format("FROM --platform flag should not use constant value \"{}\"", expansion.text), stage);
}

void default_image(CheckContext& context, const GlobalScope& defaults, const Stage& stage) {
  if (stage.base_name.find('$') == std::string::npos) return;
  std::string name;
  try {
    name = defaults.expand(stage.base_name).text;
  } catch (const Error&) {
    return;  // ${X:?} says itself that there is no default
  }
  if (!name.empty() && is_image_reference(name)) return;
  context.report("InvalidDefaultArgInFrom",
                 fmt::format("Default value for ARG {} results in empty or invalid base image name", stage.base_name),
                 stage);
}

void base_platform(CheckContext& context, const StageView& view) {
  if (!context.options().base_mismatch) return;
  const auto number = static_cast<std::size_t>(&view - context.stages().data());
  const auto mismatch = context.options().base_mismatch(number);
  if (!mismatch) return;
  context.report("InvalidBaseImagePlatform",
                 fmt::format("Base image {} was pulled with platform \"{}\", expected \"{}\" for current build",
                             view.base, mismatch->actual, mismatch->expected),
                 *view.stage);
}

}  // namespace

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates, std::string_view prefix) {
  std::size_t best_distance = 3;
  std::string best;
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t replaced = diagonal + (name[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      }
    }
    if (row.back() != 0 && row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best.empty() ? "" : fmt::format(" (did you mean {}{}?)", prefix, best);
}

void check_from(CheckContext& context) {
  const CheckOptions& options = context.options();
  GlobalScope defaults({}, options.build_platform, options.target_platform, options.target,
                       context.file().directives.escape);
  std::vector<std::string> declared = defaults.names();
  for (const Instruction& instruction : context.file().global_args) {
    const Arg& arg = std::get<Arg>(instruction.body);
    for (const ArgDefinition& definition : arg.definitions) declared.push_back(definition.name);
    try {
      defaults.declare(arg);
    } catch (const Error&) {
      continue;  // reported by the context, which expands with the build args
    }
  }
  for (const StageView& view : context.stages()) {
    const Stage& stage = *view.stage;
    try {
      undefined_args(context, stage, context.global().expand(stage.base_name), declared);
      if (view.base.empty()) {
        context.fail(
            Error(Category::usage, fmt::format("the base image '{}' comes to nothing", printable(stage.base_name))),
            stage.lines);
      }
    } catch (const Error& error) {
      context.fail(error, stage.lines);
    }
    platform(context, stage, declared);
    default_image(context, defaults, stage);
    base_platform(context, view);
  }
}

}  // namespace kiln::dockerfile
