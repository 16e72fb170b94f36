#include <fmt/format.h>

#include <map>

#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"

// Rules about how a Dockerfile is written.
namespace kiln::dockerfile {
namespace {

bool is_lower(const std::string& text) { return to_lower(text) == text; }
bool is_upper(const std::string& text) { return to_upper(text) == text; }

void stage_names(CheckContext& context) {
  std::set<std::string> seen;
  for (const Stage& stage : context.file().stages) {
    if (!is_lower(stage.name_as_written)) {
      context.report("StageNameCasing", fmt::format("Stage name '{}' should be lowercase", stage.name_as_written),
                     stage);
    }
    const std::string& keyword = stage.keyword_as_written;
    const std::string& as = stage.as_keyword_as_written;
    if ((is_lower(keyword) && !is_lower(as)) || (is_upper(keyword) && !is_upper(as))) {
      context.report("FromAsCasing", fmt::format("'{}' and '{}' keywords' casing do not match", as, keyword), stage);
    }
    if (stage.name.empty()) continue;
    if (stage.name == "scratch" || stage.name == "context") {
      context.report("ReservedStageName",
                     fmt::format("Stage name should not use the same name as reserved stage \"{}\"", stage.name),
                     stage);
    }
    if (!seen.insert(stage.name).second) {
      context.report("DuplicateStageName",
                     fmt::format("Duplicate stage name \"{}\", stage names should be unique", stage.name), stage);
    }
  }
}

void instruction_casing(CheckContext& context) {
  int lower = 0;
  int upper = 0;
  const auto count = [&](const std::string& keyword) {
    if (is_lower(keyword)) {
      ++lower;
    } else if (is_upper(keyword)) {
      ++upper;
    }
  };
  for (const Stage& stage : context.file().stages) {
    count(stage.keyword_as_written);
    for (const Instruction& instruction : stage.instructions) count(instruction.keyword_as_written);
  }
  const bool want_lower = lower > upper;
  const auto look = [&](const std::string& keyword, const auto& place) {
    if (want_lower ? is_lower(keyword) : is_upper(keyword)) return;
    context.report("ConsistentInstructionCasing",
                   fmt::format("Command '{}' should match the case of the command majority ({})", keyword,
                               want_lower ? "lowercase" : "uppercase"),
                   place);
  };
  for (const Stage& stage : context.file().stages) {
    look(stage.keyword_as_written, stage);
    for (const Instruction& instruction : stage.instructions) look(instruction.keyword_as_written, instruction);
  }
}

void legacy_forms(CheckContext& context, const Instruction& instruction) {
  if (std::holds_alternative<Maintainer>(instruction.body)) {
    context.report("MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label", instruction);
  }
  const std::vector<KeyValue>* pairs = nullptr;
  if (const auto* env = std::get_if<Env>(&instruction.body)) pairs = &env->pairs;
  if (const auto* label = std::get_if<Label>(&instruction.body)) pairs = &label->pairs;
  if (pairs && !pairs->empty() && pairs->front().legacy) {
    context.report("LegacyKeyValueFormat",
                   fmt::format("\"{0} key=value\" should be used instead of legacy \"{0} key value\" format",
                               instruction.keyword_as_written),
                   instruction);
  }
}

void only_the_last_counts(CheckContext& context, const Stage& stage) {
  std::map<std::string, const Instruction*> earlier;
  for (const Instruction& instruction : stage.instructions) {
    const std::string& keyword = instruction.keyword;
    if (keyword != "CMD" && keyword != "ENTRYPOINT" && keyword != "HEALTHCHECK") continue;
    const Instruction*& previous = earlier[keyword];
    if (previous) {
      context.report("MultipleInstructionsDisallowed",
                     fmt::format("Multiple {} instructions should not be used in the same stage because only the last "
                                 "one will be used",
                                 instruction.keyword_as_written),
                     *previous);
    }
    previous = &instruction;
  }
}

// Whether one of the comments begins with one of the names, or there is nothing to look at.
bool describes(const std::vector<std::string>& comments, const std::vector<std::string>& names) {
  bool any = false;
  for (const std::string& comment : comments) {
    if (local_settings(comment)) continue;
    any = true;
    for (const std::string& name : names) {
      if (comment.substr(0, name.size() + 1) == name + " ") return true;
    }
  }
  return !any;
}

void descriptions(CheckContext& context) {
  const auto arg = [&](const Instruction& instruction) {
    const auto* body = std::get_if<Arg>(&instruction.body);
    if (!body) return;
    std::vector<std::string> names;
    for (const ArgDefinition& definition : body->definitions) names.push_back(definition.name);
    if (describes(instruction.comments, names)) return;
    context.report("InvalidDefinitionDescription",
                   fmt::format("Comment for ARG should follow the format: `# {} <description>`",
                               names.size() == 1 ? names[0] : "<arg_key>"),
                   instruction);
  };
  for (const Instruction& instruction : context.file().global_args) arg(instruction);
  for (const Stage& stage : context.file().stages) {
    if (!stage.name.empty() && !describes(stage.comments, {stage.name})) {
      context.report("InvalidDefinitionDescription",
                     fmt::format("Comment for FROM should follow the format: `# {} <description>`", stage.name), stage);
    }
    for (const Instruction& instruction : stage.instructions) arg(instruction);
  }
}

}  // namespace

void check_style(CheckContext& context) {
  for (const LineRange& lines : context.empty_continuations()) {
    context.report("NoEmptyContinuation", "Empty continuation line", {lines.last, lines.last}, {});
  }
  stage_names(context);
  instruction_casing(context);
  descriptions(context);
  for (const Stage& stage : context.file().stages) {
    only_the_last_counts(context, stage);
    for (const Instruction& instruction : stage.instructions) legacy_forms(context, instruction);
  }
}

}  // namespace kiln::dockerfile
