#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kiln {

// How a CI service shows a part of a log folded, and how text of others is kept from giving the service orders.
//
//   GitHub   ::group::TITLE, ::stop-commands::TOKEN ... ::TOKEN::, ::endgroup::
//   GitLab   section_start:SECONDS:NAME[collapsed=true] ... section_end:SECONDS:NAME, in control sequences
//   Azure    ##[group]TITLE ... ##[endgroup]
//
// Groups do not nest, so what is folded is written in one piece.
class LogFolds {
 public:
  enum class Service { none, github, gitlab, azure };

  // Whether GitHub obeys commands where the log begins, or has been told to obey none by the token already.
  enum class Commands { obeyed, stopped };

  // `token` ends the time in which GitHub obeys no commands: a secret of the log.
  explicit LogFolds(Service service, std::string token = "", Commands commands = Commands::obeyed)
      : service_(service), commands_(commands), token_(std::move(token)) {}
  // What the environment says; `variable` looks a name up in it. KILN_LOG_TOKEN is the token of a script that has
  // stopped the commands around kiln.
  static LogFolds of_environment(const std::function<std::optional<std::string>(const std::string&)>& variable);

  bool can_fold() const noexcept { return service_ != Service::none; }
  // `lines` (whole ones, each with its end) under a title of one line. `name` is unique in the log, `time` in seconds
  // since 1970. Only where can_fold().
  std::string folded(const std::string& name, const std::string& title, const std::string& lines, long long time) const;
  // A line that stands outside of a fold, without its end: the service takes no order from it.
  std::string inert(std::string_view line) const;

 private:
  Service service_;
  Commands commands_;
  std::string token_;
};

}  // namespace kiln
