#include "builder/solve/config_instructions.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <climits>
#include <set>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/expansion.hpp"
#include "builder/dockerfile/pattern.hpp"
#include "builder/dockerfile/ports.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

void add_history(StageConfig& stage, std::string created_by, bool empty_layer) {
  stage.image.history.push_back({"", std::move(created_by), "", kHistoryComment, empty_layer});
}

// Go's %q of a list of strings, which docker's history shows for CMD and ENTRYPOINT.
std::string quoted_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) {
    std::string escaped = "\"";
    for (const char c : word) {
      if (c == '"' || c == '\\') escaped += '\\';
      if (c == '\n') {
        escaped += "\\n";
      } else if (c == '\t') {
        escaped += "\\t";
      } else {
        escaped += c;
      }
    }
    quoted.push_back(escaped + "\"");
  }
  return "[" + join(quoted, " ") + "]";
}

std::string plain_list(const std::vector<std::string>& words) { return "[" + join(words, " ") + "]"; }

// Go's time.Duration.String for whole seconds and below, as the history of HEALTHCHECK shows it.
std::string go_duration(std::int64_t ns) {
  if (ns == 0) return "0s";
  if (ns < 1'000'000'000) return fmt::format("{:g}ms", static_cast<double>(ns) / 1e6);
  const std::int64_t seconds = ns / 1'000'000'000;
  std::string result;
  if (seconds >= 3600) result += fmt::format("{}h", seconds / 3600);
  if (seconds >= 60) result += fmt::format("{}m", seconds / 60 % 60);
  return result + fmt::format("{:g}s", static_cast<double>(ns % 60'000'000'000) / 1e9);
}

std::string expand(const StageConfig& stage, std::string_view word) { return stage.scope.expand(word).text; }

std::string expand_value(const StageConfig& stage, std::string_view value) {
  return stage.scope.expand_value(value).text;
}

void apply(StageConfig& stage, const df::Env& env) {
  // All pairs of one ENV see the variables as they were above it.
  std::vector<std::pair<std::string, std::string>> expanded;
  for (const df::KeyValue& pair : env.pairs)
    expanded.emplace_back(expand_value(stage, pair.key), expand_value(stage, pair.value));
  std::string message = "ENV";
  for (const auto& [key, value] : expanded) {
    if (key.empty()) throw Error(Category::usage, "ENV names must not be blank");
    stage.scope.set_env(key, value);
    df::set_environment_entry(stage.image.config.env, key, value);
    message += fmt::format(" {}={}", key, value);
  }
  add_history(stage, message, true);
}

void apply(StageConfig& stage, const df::Arg& arg) {
  stage.scope.declare(arg);
  std::vector<std::string> shown;
  for (const df::ArgDefinition& definition : arg.definitions) {
    // A build arg's value may be anything; docker's history shows it, that of a proxy too where an ARG declares it.
    const auto& declared = stage.scope.declared_args();
    const auto it = std::find_if(declared.rbegin(), declared.rend(),
                                 [&](const df::DeclaredArg& item) { return item.name == definition.name; });
    const bool has_value = it != declared.rend() && it->value;
    shown.push_back(has_value ? definition.name + "=" + *it->value : definition.name);
  }
  add_history(stage, "ARG " + join(shown, " "), true);
}

void apply(StageConfig& stage, const df::Label& label) {
  std::string message = "LABEL";
  for (const df::KeyValue& pair : label.pairs) {
    const std::string key = expand_value(stage, pair.key);
    const std::string value = expand_value(stage, pair.value);
    if (key.empty()) throw Error(Category::usage, "LABEL names must not be blank");
    stage.image.config.labels[key] = value;
    message += fmt::format(" {}={}", key, value);
  }
  add_history(stage, message, true);
}

void apply(StageConfig& stage, const df::Cmd& cmd) {
  auto words = stage.argv(cmd.command);
  add_history(stage, "CMD " + quoted_list(words), true);
  stage.image.config.cmd = std::move(words);
  stage.image.config.args_escaped = true;
  stage.cmd_set_in_stage = true;
}

void apply(StageConfig& stage, const df::Entrypoint& entrypoint) {
  auto words = stage.argv(entrypoint.command);
  add_history(stage, "ENTRYPOINT " + quoted_list(words), true);
  stage.image.config.entrypoint = std::move(words);
  if (!stage.cmd_set_in_stage) stage.image.config.cmd.reset();
}

void apply(StageConfig& stage, const df::Expose& expose) {
  std::vector<std::string> ports, words = expose.ports;
  std::sort(words.begin(), words.end());  // as they were written, before variables are in their place
  for (const std::string& word : words) {
    for (const std::string& expanded : stage.scope.expand(word).words) {
      for (std::string& port : df::exposed_ports(expanded)) ports.push_back(std::move(port));
    }
  }
  for (const std::string& port : ports) stage.image.config.exposed_ports.insert(port);
  add_history(stage, "EXPOSE " + plain_list(ports), true);
}

void apply(StageConfig& stage, const df::User& user) {
  stage.image.config.user = expand(stage, user.user);
  add_history(stage, "USER " + stage.image.config.user, true);
}

void apply(StageConfig& stage, const df::Volume& volume) {
  std::vector<std::string> paths;
  for (const std::string& path : volume.paths) {
    const std::string expanded = expand(stage, path);
    if (expanded.empty()) throw Error(Category::usage, "VOLUME specified can not be an empty string");
    stage.image.config.volumes.insert(expanded);
    paths.push_back(expanded);
  }
  add_history(stage, "VOLUME " + plain_list(paths), true);
}

void apply(StageConfig& stage, const df::Healthcheck& check) {
  oci::Healthcheck result;
  if (check.disabled) {
    result.test = {"NONE"};
  } else if (check.command.form == df::CommandForm::exec) {
    result.test = {"CMD"};
    result.test.insert(result.test.end(), check.command.words.begin(), check.command.words.end());
  } else {
    result.test = {"CMD-SHELL", join(check.command.words, " ")};
  }
  result.interval_ns = check.interval_ns;
  result.timeout_ns = check.timeout_ns;
  result.start_period_ns = check.start_period_ns;
  result.start_interval_ns = check.start_interval_ns;
  result.retries = check.retries;
  add_history(stage,
              fmt::format("HEALTHCHECK {{Test:{} Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
                          plain_list(result.test), go_duration(result.interval_ns), go_duration(result.timeout_ns),
                          go_duration(result.start_period_ns), go_duration(result.start_interval_ns), result.retries),
              true);
  stage.image.config.healthcheck = std::move(result);
}

void apply(StageConfig& stage, const df::Shell& shell) {
  stage.image.config.shell = shell.words;
  add_history(stage, "SHELL " + plain_list(shell.words), true);
}

void apply(StageConfig& stage, const df::Stopsignal& stop) {
  const std::string signal = expand(stage, stop.signal);
  check_stop_signal(signal);
  stage.image.config.stop_signal = signal;
  add_history(stage, "STOPSIGNAL " + signal, true);
}

void apply(StageConfig& stage, const df::Onbuild& onbuild) {
  stage.image.config.on_build.push_back(onbuild.trigger);  // docker's history says nothing of it
}

void apply(StageConfig& stage, const df::Maintainer& maintainer) {
  stage.image.author = maintainer.name;
  add_history(stage, "MAINTAINER " + maintainer.name, true);
}

}  // namespace

std::vector<std::string> StageConfig::shell() const {
  if (image.config.shell && !image.config.shell->empty()) return *image.config.shell;
  return {"/bin/sh", "-c"};
}

std::vector<std::string> StageConfig::argv(const df::CommandLine& command) const {
  if (command.form == df::CommandForm::exec) return command.words;
  std::vector<std::string> words = shell();
  words.push_back(join(command.words, " "));
  return words;
}

bool apply_config_instruction(StageConfig& stage, const df::Instruction& instruction) {
  return std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, df::Run> || std::is_same_v<Body, df::Copy> ||
                      std::is_same_v<Body, df::Add> || std::is_same_v<Body, df::Workdir>) {
          return false;
        } else {
          apply(stage, body);
          return true;
        }
      },
      instruction.body);
}

void add_layer_history(StageConfig& stage, std::string created_by, std::string created) {
  add_history(stage, std::move(created_by), false);
  stage.image.history.back().created = std::move(created);
}

std::string run_history(const StageConfig& stage, const std::vector<std::string>& argv) {
  std::vector<std::string> args;
  std::set<std::string> seen;
  for (const df::DeclaredArg& arg : stage.scope.declared_args()) {
    if (seen.insert(arg.name).second) args.push_back(arg.name + "=" + stage.scope.find(arg.name).value_or(""));
  }
  const std::string prefix = args.empty() ? "" : fmt::format("|{} {} ", args.size(), fmt::join(args, " "));
  return fmt::format("RUN {}{} # buildkit", prefix, join(argv, " "));
}

std::string absolute_workdir(std::string_view current, std::string_view path) {
  if (path.starts_with('/')) return clean_path(path);
  // That of a Windows image begins with its separator.
  const std::string base = current.starts_with('\\') ? with_slashes(current) : std::string(current);
  return clean_path("/" + base + "/" + std::string(path));
}

std::string with_slashes(std::string_view windows_path) {
  const bool has_drive = windows_path.size() > 1 && windows_path[1] == ':';
  std::string path(windows_path.substr(has_drive ? 2 : 0));
  std::replace(path.begin(), path.end(), '\\', '/');
  return path;
}

std::string workdir_as_written(std::string_view current, std::string_view path) {
  return path.starts_with('/') ? std::string(path) : absolute_workdir(current, path);
}

void check_stop_signal(std::string_view signal) {
  static constexpr std::array kSignals = {"ABRT", "ALRM",   "BUS",  "CHLD",   "CLD",   "CONT", "FPE",  "HUP",  "ILL",
                                          "INT",  "IO",     "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",  "QUIT",
                                          "SEGV", "STKFLT", "STOP", "SYS",    "TERM",  "TRAP", "TSTP", "TTIN", "TTOU",
                                          "URG",  "USR1",   "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"};
  if (const auto number = parse_unsigned(signal)) {
    if (*number >= 1 && *number <= INT_MAX) return;  // docker keeps those that Linux does not have
  } else {
    std::string name = to_upper(signal);
    if (name.starts_with("SIG")) name = name.substr(3);
    if (std::find(kSignals.begin(), kSignals.end(), name) != kSignals.end()) return;
    const bool real_time = name.starts_with("RTMIN") || name.starts_with("RTMAX");
    if (real_time) return;
  }
  throw Error(Category::usage, fmt::format("STOPSIGNAL '{}' is no signal, expected a name such as SIGTERM or a number "
                                           "above 0",
                                           printable(signal)));
}

}  // namespace kiln
