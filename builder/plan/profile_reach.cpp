#include "builder/plan/profile_reach.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "builder/dockerfile/reads.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

// The variables of a stage that carry a wanted value, with the line that brought each.
using Tainted = std::map<std::string, int>;

struct StageState {
  Tainted variables;
  std::optional<int> first_different;  // line of the first step whose layer may differ
};

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// The variables that a text expands: $NAME and ${NAME...}.
std::vector<std::string> expanded_names(std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '$') continue;
    std::size_t begin = i + 1;
    if (text[begin] == '{') ++begin;
    std::size_t end = begin;
    while (end < text.size() && is_name_character(text[end])) ++end;
    if (end > begin) names.emplace_back(text.substr(begin, end - begin));
  }
  return names;
}

class Reach {
 public:
  Reach(const PlannedTarget& target, const std::set<std::string>& arguments) : target_(target), arguments_(arguments) {}

  std::map<int, std::vector<ReachCause>> run() {
    state_of(target_.final_stage);
    return std::move(causes_);
  }

 private:
  const StageState& state_of(std::size_t number) {
    if (const auto known = states_.find(number); known != states_.end()) return known->second;
    StageState state;
    if (const auto* base = std::get_if<StageBase>(&target_.bases[number])) state = state_of(base->stage);
    const df::Stage& stage = target_.dockerfile.stages[number];
    for (const std::size_t other : target_.needs[number]) state_of(other);
    for (const df::Instruction& instruction : stage.instructions) visit(state, number, instruction);
    return states_[number] = std::move(state);
  }

  void visit(StageState& state, std::size_t stage, const df::Instruction& instruction) {
    const int line = instruction.lines.first;
    if (const auto* arg = std::get_if<df::Arg>(&instruction.body)) {
      for (const df::ArgDefinition& definition : arg->definitions) {
        const bool takes = definition.default_value && !target_.target.args.count(definition.name) &&
                           expands(state, *definition.default_value);
        if (arguments_.count(definition.name) != 0 || takes) state.variables[definition.name] = line;
      }
      return;
    }
    if (const auto* env = std::get_if<df::Env>(&instruction.body)) {
      for (const df::KeyValue& pair : env->pairs) {
        if (expands(state, pair.value)) state.variables[pair.key] = line;
      }
      return;
    }
    std::vector<ReachCause> causes;
    const auto* run = std::get_if<df::Run>(&instruction.body);
    if (run) {
      for (const auto& [name, at] : state.variables) causes.push_back({ReachCause::Kind::argument_in_scope, name, at});
      if (state.first_different) causes.push_back({ReachCause::Kind::parent, "", *state.first_different});
    } else if (df::makes_step(instruction)) {
      std::set<std::string> named;
      for (const std::string& name : expanded_names(instruction.original)) named.insert(name);
      for (const std::string& name : named) {
        if (const auto found = state.variables.find(name); found != state.variables.end()) {
          causes.push_back({ReachCause::Kind::argument_expanded, name, found->second});
        }
      }
    } else {
      return;
    }
    for (const std::string& name : df::names_read(instruction)) add_source(causes, stage, name);
    if (causes.empty()) return;
    if (!state.first_different) state.first_different = line;
    causes_[line] = std::move(causes);
  }

  static bool expands(const StageState& state, const std::string& text) {
    const auto names = expanded_names(text);
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& name) { return state.variables.count(name) != 0; });
  }

  void add_source(std::vector<ReachCause>& causes, std::size_t stage, const std::string& from) {
    for (const std::size_t other : target_.needs[stage]) {
      const df::Stage& source = target_.dockerfile.stages[other];
      if (source.name != lower(from) && std::to_string(other) != from) continue;
      if (states_.at(other).first_different)
        causes.push_back({ReachCause::Kind::source_stage, from, source.lines.first});
    }
  }

  static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  }

  const PlannedTarget& target_;
  const std::set<std::string>& arguments_;
  std::map<std::size_t, StageState> states_;
  std::map<int, std::vector<ReachCause>> causes_;
};

}  // namespace

std::string to_text(const ReachCause& cause) {
  switch (cause.kind) {
    case ReachCause::Kind::argument_in_scope:
      return fmt::format("{} of line {} is in scope", cause.name, cause.line);
    case ReachCause::Kind::argument_expanded:
      return fmt::format("it expands {} of line {}", cause.name, cause.line);
    case ReachCause::Kind::parent:
      return fmt::format("it runs on the layer of line {}", cause.line);
    case ReachCause::Kind::source_stage:
      return fmt::format("it reads the stage '{}' of line {}", cause.name, cause.line);
  }
  return "";
}

std::map<int, std::vector<ReachCause>> profile_reach(const PlannedTarget& target,
                                                     const std::set<std::string>& arguments) {
  return Reach(target, arguments).run();
}

}  // namespace kiln
