#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "builder/cli/words/command_document.hpp"

namespace kiln::cli {

// The one wrapper around CLI11. A command declares its words here, bound to variables of its own that must live as
// long as the parser; parse() fills them and calls the handler of the command that was named.
class Arguments {
 public:
  using Handler = std::function<int(const CancelToken&)>;

  Arguments(std::string name, std::string description);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // The heading in the help for the commands that are added after it.
  Arguments& group(std::string heading);
  // A command below this one. References stay valid as long as *this.
  Arguments& command(std::string name, std::string description);
  // One that programs call: the help does not list it.
  Arguments& hidden_command(std::string name, std::string description);

  // `names` as CLI11 writes them: "-f,--file". A positional has a name without dashes.
  Arguments& flag(const std::string& names, bool& value, const std::string& help);
  Arguments& option(const std::string& names, std::string& value, const std::string& help);
  Arguments& option(const std::string& names, std::optional<std::string>& value, const std::string& help);
  // May be given several times, one value each.
  Arguments& option(const std::string& names, std::vector<std::string>& values, const std::string& help);
  Arguments& option(const std::string& names, int& value, const std::string& help);
  // A list of words without dashes.
  Arguments& positional(const std::string& name, std::vector<std::string>& values, const std::string& help);
  Arguments& positional(const std::string& name, std::string& value, const std::string& help);
  Arguments& required_positional(const std::string& name, std::string& value, const std::string& help);

  // An option that other tools know and kiln cannot honour: giving it is Error{usage} with the reason and alternative.
  Arguments& refused(const std::string& names, const std::string& reason, bool takes_value = true);

  // --version prints `text`.
  Arguments& version(const std::string& text);

  Arguments& handler(Handler handler);

  // The flags of this command that were given, each by its long name ("--file"). For its handler.
  std::vector<std::string> given_flags() const;

  // What --help prints for the command that these words lead to; nullopt where they lead to none.
  std::optional<std::string> help_of(const std::vector<std::string>& words) const;
  // This command with all below it.
  DocumentedCommand document() const;

  // Error{usage}, with the nearest real word, for words that fit nothing. Prints help or version and returns 0
  // where that is asked for.
  int parse(int argc, char** argv, const CancelToken& cancel);

 private:
  struct Implementation;
  explicit Arguments(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace kiln::cli
