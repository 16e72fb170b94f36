#include "builder/cli/progress/log_folds.hpp"

#include <fmt/format.h>

#include <random>

#include "base/text.hpp"

namespace kiln {

namespace {

std::string random_token() {
  std::random_device random;
  return fmt::format("kiln-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// Breaks every `mark` up, so that it is read as text.
std::string with_broken(std::string_view line, std::string_view mark) {
  std::string result;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t found = line.find(mark, at);
    if (found == std::string_view::npos) return result += line.substr(at);
    result += fmt::format("{}{} ", line.substr(at, found - at), mark.front());
    at = found + 1;
  }
  return result;
}

}  // namespace

LogFolds LogFolds::of_environment(const std::function<std::optional<std::string>(const std::string&)>& variable) {
  const auto is_set = [&](const char* name) {
    const std::string value = to_lower(variable(name).value_or(""));
    return value == "true" || value == "1";
  };
  if (is_set("GITHUB_ACTIONS")) {
    const std::string token = variable("KILN_LOG_TOKEN").value_or("");
    return token.empty() ? LogFolds(Service::github, random_token())
                         : LogFolds(Service::github, token, Commands::stopped);
  }
  if (is_set("GITLAB_CI")) return LogFolds(Service::gitlab);
  if (is_set("TF_BUILD")) return LogFolds(Service::azure);
  return LogFolds(Service::none);
}

std::string LogFolds::folded(const std::string& name, const std::string& title, const std::string& lines,
                             long long time) const {
  switch (service_) {
    case Service::none:
      break;
    case Service::github: {
      const std::string stop = fmt::format("::stop-commands::{}\n", token_), obey = fmt::format("::{}::\n", token_);
      const bool is_stopped = commands_ == Commands::stopped;
      return fmt::format("{}::group::{}\n{}{}{}::endgroup::\n{}", is_stopped ? obey : "", inert(title), stop, lines,
                         obey, is_stopped ? stop : "");
    }
    case Service::gitlab:
      return fmt::format("\x1b[0Ksection_start:{}:{}[collapsed=true]\r\x1b[0K{}\n{}\x1b[0Ksection_end:{}:{}\r\x1b[0K\n",
                         time, name, title, lines, time, name);
    case Service::azure: {
      std::string harmless;
      for (const std::string_view line : split(lines, '\n')) harmless += inert(line) + '\n';
      harmless.pop_back();
      return fmt::format("##[group]{}\n{}##[endgroup]\n", inert(title), harmless);
    }
  }
  return lines;
}

std::string LogFolds::inert(std::string_view line) const {
  switch (service_) {
    case Service::none:
    case Service::gitlab:
      break;
    case Service::github:
      // An order begins a line ("::error::"), or stands anywhere in it ("##[error]").
      return with_broken(trim(line).starts_with("::") ? with_broken(line, "::") : std::string(line), "##[");
    case Service::azure:
      return with_broken(with_broken(line, "##["), "##vso[");
  }
  return std::string(line);
}

}  // namespace kiln
