#include "builder/dockerfile/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/credentials.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"
#include "builder/dockerfile/directives.hpp"
#include "builder/dockerfile/excerpt.hpp"
#include "builder/dockerfile/parser.hpp"

namespace kiln::dockerfile {
namespace {

constexpr std::string_view kOverride = "BUILDKIT_DOCKERFILE_CHECK";

GlobalScope make_global(const Dockerfile& file, const CheckOptions& options) {
  return {options.build_args, options.build_platform, options.target_platform, options.target, file.directives.escape};
}

std::set<std::string> names_in(std::string_view list) {
  std::set<std::string> out;
  for (std::string_view name : split(list, ',')) {
    if (const auto trimmed = trim(name); !trimmed.empty()) out.insert(to_lower(trimmed));
  }
  return out;
}

// Names of skip= and experimental= that no rule has, which BuildKit passes over in silence.
std::vector<std::string> notes_on(const CheckSettings& settings, const std::string& place) {
  std::vector<std::string> known;
  for (const Rule& rule : rules()) known.emplace_back(rule.name);
  std::vector<std::string> notes;
  for (const auto& [key, names] :
       {std::pair{"skip", settings.skip}, std::pair{"experimental", settings.experimental}}) {
    for (const std::string& name : names) {
      if (find_rule(name) != nullptr) continue;
      notes.push_back(
          fmt::format("{}: check={}: there is no rule '{}'{}", place, key, printable(name), near_hint(name, known)));
    }
  }
  return notes;
}

}  // namespace

const Rule* find_rule(std::string_view name) {
  const auto found = std::find_if(rules().begin(), rules().end(),
                                  [&](const Rule& rule) { return equals_ignoring_case(rule.name, name); });
  return found == rules().end() ? nullptr : &*found;
}

bool CheckSettings::enables(const Rule& rule) const {
  const std::string name = to_lower(rule.name);
  // Who asks for an experimental rule gets it, whatever is skipped.
  if (rule.state == RuleState::experimental) return experimental_all || experimental.count(name) != 0;
  return !skip_all && skip.count(name) == 0;
}

CheckSettings parse_check_settings(std::string_view value) {
  CheckSettings out;
  for (std::string_view setting : split(value, ';')) {
    setting = trim(setting);
    if (setting.empty()) continue;
    const auto equals = setting.find('=');
    const std::string key = to_lower(trim(setting.substr(0, equals)));
    const std::string_view given = equals == std::string_view::npos ? "" : trim(setting.substr(equals + 1));
    if (equals == std::string_view::npos || (key != "skip" && key != "error" && key != "experimental")) {
      throw Error(Category::usage, fmt::format("invalid check setting '{}'{}", printable(setting),
                                               suggestion(key, {"skip", "error", "experimental"})));
    }
    if (key == "error") {
      if (given != "true" && given != "false") {
        throw Error(Category::usage,
                    fmt::format("check setting 'error' may be true or false, got '{}'", printable(given)));
      }
      out.error = given == "true";
    } else {
      auto names = names_in(given);
      const bool all = names.erase("all") != 0;
      (key == "skip" ? out.skip_all : out.experimental_all) |= all;
      (key == "skip" ? out.skip : out.experimental).merge(names);
    }
  }
  return out;
}

std::optional<CheckSettings> local_settings(const std::string& comment) {
  const auto directive = parse_directive(comment);
  if (!directive || directive->name != "check") return std::nullopt;
  try {
    return parse_check_settings(directive->value);
  } catch (const Error&) {
    return std::nullopt;  // a comment that only looks like one
  }
}

CheckContext::CheckContext(const Dockerfile& file, const std::vector<LineRange>& empty_continuations,
                           const CheckOptions& options, CheckSettings settings)
    : file_(file),
      empty_continuations_(empty_continuations),
      options_(options),
      settings_(std::move(settings)),
      global_(make_global(file, options)) {
  for (const Stage& stage : file.stages) {
    global_.secrets().add_public(stage.base_name);
    for (const Instruction& instruction : stage.instructions) global_.secrets().add_public(instruction.original);
  }
  for (const Instruction& instruction : file.global_args) {
    try {
      global_.declare(std::get<Arg>(instruction.body));
    } catch (const Error& error) {
      fail(error, instruction.lines);
    }
  }
  resolve_stages();
}

void CheckContext::resolve_stages() {
  stages_.reserve(file_.stages.size());
  for (const Stage& stage : file_.stages) {
    StageView view{&stage, nullptr, ""};
    try {
      view.base = global_.expand(stage.base_name).text;
    } catch (const Error& error) {
      fail(error, stage.lines);
    }
    for (const StageView& earlier : stages_) {
      if (!earlier.stage->name.empty() && equals_ignoring_case(earlier.stage->name, view.base)) view.parent = &earlier;
    }
    stages_.push_back(view);
  }
}

const StageView* CheckContext::target() const {
  for (const StageView& view : stages_) {
    if (!options_.target.empty() && equals_ignoring_case(view.stage->name, options_.target)) return &view;
  }
  return stages_.empty() ? nullptr : &stages_.back();
}

bool CheckContext::looks_at(std::string_view rule, const Instruction& instruction) const {
  static const std::set<std::string_view> whole_file = {"MaintainerDeprecated", "ConsistentInstructionCasing",
                                                        "InvalidDefinitionDescription"};
  if (!options_.built_stages || whole_file.count(rule) != 0) return true;
  std::size_t stage = 0;
  while (stage < file_.stages.size() && file_.stages[stage].lines.first <= instruction.lines.first) ++stage;
  return stage == 0 || options_.built_stages->count(stage - 1) != 0;
}

void CheckContext::report(std::string_view rule, std::string_view message, LineRange lines,
                          const std::vector<std::string>& comments) {
  const Rule& known = *find_rule(rule);
  if (!settings_.enables(known)) return;
  for (const std::string& comment : comments) {
    const auto local = local_settings(comment);
    if (local && (local->skip_all || local->skip.count(to_lower(known.name)) != 0)) return;
  }
  Finding finding{std::string(known.name), without_url_credentials(message), lines};
  if (std::find(findings_.begin(), findings_.end(), finding) == findings_.end()) {
    findings_.push_back(std::move(finding));
  }
}

void CheckContext::fail(const Error& error, LineRange lines) {
  if (!error_ || lines.first < error_->second.first) error_.emplace(error, lines);
}

std::vector<Finding> CheckContext::take_findings() {
  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const Finding& a, const Finding& b) { return a.lines.first < b.lines.first; });
  return std::move(findings_);
}

CheckReport check(std::string_view text, std::string_view file_name, const CheckOptions& options) {
  PartialParse parsed = parse_partially(text, file_name);
  CheckReport out;
  CheckSettings settings;
  const auto fail_at = [&](const Error& error, LineRange lines) {
    if (out.error) return;
    out.error.emplace(error.category(), fmt::format("{}:{}: {}", printable(file_name), lines.first, error.message()));
    out.error->set_detail(excerpt(text, file_name, lines));
    out.error_lines = lines;
  };
  const auto given = options.build_args.find(kOverride);
  const auto& directive = parsed.dockerfile.directives.check;
  try {
    if (given != options.build_args.end()) {
      settings = parse_check_settings(given->second);
      out.notes = notes_on(settings, std::string(kOverride));
    } else if (directive) {
      settings = parse_check_settings(directive->value);
      out.notes = notes_on(settings, fmt::format("{}:{}", printable(file_name), directive->line));
    }
  } catch (const Error& error) {
    fail_at(error, directive ? LineRange{directive->line, directive->line} : LineRange{1, 1});
  }

  CheckContext context(parsed.dockerfile, parsed.empty_continuations, options, settings);
  for (const auto run : {check_style, check_from, check_variables, check_config, check_layers, check_image}) {
    run(context);
  }
  out.findings = context.take_findings();
  if (auto error = context.take_error()) fail_at(error->first, error->second);
  if (parsed.error) {
    out.error = parsed.error;
    out.error_lines = parsed.error_lines;
  }
  const SecretValues& secrets = context.global().secrets();
  for (Finding& finding : out.findings) finding.message = secrets.masked(finding.message);
  for (std::string& note : out.notes) note = secrets.masked(note);
  if (out.error) out.error = secrets.masked(*out.error);
  out.fails = settings.error && std::any_of(out.findings.begin(), out.findings.end(), [](const Finding& finding) {
                return find_rule(finding.rule)->origin == RuleOrigin::buildkit;
              });
  return out;
}

}  // namespace kiln::dockerfile
