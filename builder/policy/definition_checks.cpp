#include "builder/policy/definition_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/select.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/run_script.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

// The command as it is written after RUN and its flags, and what of it fits into a line.
std::string command_of(const df::Instruction& instruction) {
  const df::RunScript script = df::run_script(instruction);
  return script.file ? script.file->content : join(script.words, " ");
}

std::string shown_command(const std::string& command) {
  constexpr std::size_t kLength = 60;
  const std::string line = command.substr(0, command.find('\n'));
  const bool is_cut = line.size() != command.size() || line.size() > kLength;
  return printable(line.substr(0, kLength)) + (is_cut ? "..." : "");
}

bool is_listed(const RunNetworkRule& rule, const PolicySubject& subject, const std::string& command) {
  return std::any_of(rule.allow.begin(), rule.allow.end(), [&](const RunNetworkRule::Line& line) {
    const bool is_image =
        line.image.empty() || matches_any({line.image}, subject.target) || matches_any({line.image}, subject.image);
    return is_image && (line.command.empty() || matches_glob(line.command, std::string(trim(command))));
  });
}

const df::Instruction* last_user(const df::Stage& stage) {
  const auto it = std::find_if(stage.instructions.rbegin(), stage.instructions.rend(),
                               [](const auto& one) { return std::holds_alternative<df::User>(one.body); });
  return it == stage.instructions.rend() ? nullptr : &*it;
}

const df::Instruction* last_healthcheck(const df::Stage& stage) {
  const auto it = std::find_if(stage.instructions.rbegin(), stage.instructions.rend(),
                               [](const auto& one) { return std::holds_alternative<df::Healthcheck>(one.body); });
  return it == stage.instructions.rend() ? nullptr : &*it;
}

// What the final stage of a target is built on, stage by stage and target by target: ended by a base that the fleet
// does not make.
class StageChain {
 public:
  StageChain(const Plan& plan, std::size_t target) : plan_(plan) {
    std::size_t number = target;
    std::size_t stage = plan.targets[number]->final_stage;
    while (true) {
      links_.push_back({number, stage});
      const NameMeaning& base = plan.targets[number]->bases[stage];
      if (const auto* other = std::get_if<StageBase>(&base)) {
        stage = other->stage;
      } else if (const auto* parent = std::get_if<FleetBase>(&base)) {
        number = parent->target;
        stage = plan.targets[number]->final_stage;
      } else {
        return;
      }
    }
  }

  struct Found {
    const df::Instruction* instruction = nullptr;
    PolicyPlace place;
  };
  // The nearest instruction that `search` finds in a stage.
  Found find(const df::Instruction* (*search)(const df::Stage&)) const {
    for (const Link& link : links_) {
      const PlannedTarget& planned = *plan_.targets[link.target];
      if (const df::Instruction* found = search(planned.dockerfile.stages[link.stage]))
        return {found, {printable(planned.target.dockerfile_name), found->lines.first}};
    }
    return {nullptr, from()};
  }

  // FROM of the target's own final stage.
  PolicyPlace from() const {
    const PlannedTarget& planned = *plan_.targets[links_.front().target];
    return {printable(planned.target.dockerfile_name), planned.dockerfile.stages[links_.front().stage].lines.first};
  }

  // What the chain ends in, as a use of it; nullopt: nothing that has a config.
  std::optional<BaseUse> base() const {
    const PlannedTarget& planned = *plan_.targets[links_.back().target];
    const NameMeaning& meaning = planned.bases[links_.back().stage];
    if (!std::holds_alternative<ImageBase>(meaning) && !std::holds_alternative<LayoutBase>(meaning))
      return std::nullopt;
    BaseUse use;
    use.meaning = meaning;
    use.platform = platform_of_base(planned, links_.back().stage);
    use.subject = subject_of(planned.target);
    return use;
  }

 private:
  struct Link {
    std::size_t target = 0;
    std::size_t stage = 0;
  };
  const Plan& plan_;
  std::vector<Link> links_;
};

// Facts about the base that a chain ends in; nullopt where it cannot be had, which the target's build will tell.
std::optional<BaseFacts> facts_of(const BaseUse& use, BaseInspector& inspector) {
  try {
    return inspector.facts(use);
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return std::nullopt;
  }
}

}  // namespace

void check_run_network(const RunNetworkRule& rule, const df::Instruction& instruction, const RunLine& line,
                       PolicyFindings& findings) {
  const auto* run = std::get_if<df::Run>(&instruction.body);
  if (!run || !is_about(rule, line.subject)) return;
  const NetworkMode network = run->network == NetworkMode::build ? line.network : run->network;
  const std::string command = command_of(instruction);
  if (network == NetworkMode::none || is_listed(rule, line.subject, command)) return;
  PolicyFinding finding = finding_of("run_network", rule, line.subject, line.place);
  finding.message = fmt::format("{}'RUN {}' has a network and is not listed", line.origin, shown_command(command));
  finding.fix = fmt::format("write RUN --network=none, or list the line in \"allow\" ({})", place_of(rule));
  findings.add(std::move(finding));
}

void check_run_lines(const RunNetworkRule& rule, const PlannedTarget& planned, const std::set<std::size_t>& stages,
                     PolicyFindings& findings) {
  const std::string file = printable(planned.target.dockerfile_name);
  const NetworkMode network = planned.target.network.value_or(NetworkMode::build);
  for (const std::size_t stage : stages) {
    for (const df::Instruction& instruction : planned.dockerfile.stages[stage].instructions) {
      const RunLine line{subject_of(planned.target), {file, instruction.lines.first}, network, ""};
      if (const auto* on_build = std::get_if<df::Onbuild>(&instruction.body)) {
        check_run_network(rule, df::parse_trigger(on_build->trigger, file, planned.dockerfile.directives.escape), line,
                          findings);
      } else {
        check_run_network(rule, instruction, line, findings);
      }
    }
  }
}

bool is_root_user(std::string_view user) {
  std::string_view name = user.substr(0, user.find(':'));
  // Container engines read "+0" and "-0" as numbers.
  if (name.size() > 1 && (name.front() == '+' || name.front() == '-')) name.remove_prefix(1);
  return name.empty() || name == "root" || name.find_first_not_of('0') == std::string_view::npos;
}

void report_root_user(const PolicyRule& rule, const PolicySubject& subject, const PolicyPlace& place,
                      PolicyFindings& findings) {
  PolicyFinding finding = finding_of("user", rule, subject, place);
  finding.message = "the image's program runs as root";
  finding.fix = "write USER with another name or number below the last line that needs root";
  findings.add(std::move(finding));
}

void report_no_healthcheck(const PolicyRule& rule, const PolicySubject& subject, const PolicyPlace& place,
                           PolicyFindings& findings) {
  PolicyFinding finding = finding_of("healthcheck", rule, subject, place);
  finding.message = "the image has no HEALTHCHECK";
  finding.fix = "write HEALTHCHECK CMD with a command that fails where the program is not well";
  findings.add(std::move(finding));
}

void check_start(const PolicyRules& rules, const Plan& plan, std::size_t target, BaseInspector& inspector,
                 PolicyFindings& findings) {
  const PolicySubject subject = subject_of(plan.targets[target]->target);
  const StageChain chain(plan, target);
  const std::optional<BaseUse> base = chain.base();
  // A base that is scratch, or packages of Debian, says neither.
  const auto of_base = [&]() -> std::optional<BaseFacts> { return base ? facts_of(*base, inspector) : BaseFacts(); };
  if (rules.user && is_about(*rules.user, subject, RuleScope::services_alone)) {
    const StageChain::Found found = chain.find(last_user);
    std::optional<std::string> user;
    if (found.instruction) {
      user = std::get<df::User>(found.instruction->body).user;
    } else if (const auto facts = of_base()) {
      user = facts->user;
    }
    const bool is_known = user && !df::has_variable(*user);
    if (is_known && is_root_user(*user)) report_root_user(*rules.user, subject, found.place, findings);
  }
  if (rules.healthcheck && is_about(*rules.healthcheck, subject, RuleScope::services_alone)) {
    const StageChain::Found found = chain.find(last_healthcheck);
    std::optional<bool> has_one;
    if (found.instruction) {
      has_one = !std::get<df::Healthcheck>(found.instruction->body).disabled;
    } else if (const auto facts = of_base()) {
      has_one = facts->has_healthcheck;
    }
    if (has_one && !*has_one) report_no_healthcheck(*rules.healthcheck, subject, found.place, findings);
  }
}

DecidingLines deciding_lines(const Plan& plan, std::size_t target) {
  const StageChain chain(plan, target);
  return {chain.from(), chain.find(last_user).place, chain.find(last_healthcheck).place};
}

}  // namespace kiln
