#include "builder/cli/output/manual_page.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln::cli {

namespace {

// Text as roff prints it: its escapes, dashes that stay dashes when they are copied, and no line that begins a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out;
}

std::string page_name(const DocumentedCommand& command, const std::vector<std::string>& parents) {
  return parents.empty() ? command.name : join(parents, "-") + "-" + command.name;
}

std::string synopsis(const DocumentedCommand& command, const std::vector<std::string>& parents) {
  std::string out = ".B " + roff(join(parents, " ") + (parents.empty() ? "" : " ") + command.name) + "\n";
  if (!command.flags.empty()) out += "[\\fIOPTIONS\\fR]\n";
  if (!command.commands.empty()) out += "\\fICOMMAND\\fR\n";
  for (const DocumentedWord& word : command.positionals) {
    const std::string name = fmt::format("\\fI{}\\fR{}", roff(word.names.front()), word.is_list ? "..." : "");
    out += word.is_required ? name + "\n" : "[" + name + "]\n";
  }
  return out;
}

std::string described(const std::string& term, std::string_view help) {
  return fmt::format(".TP\n{}\n{}\n", term, roff(help));
}

std::string flag_term(const DocumentedWord& flag) {
  std::vector<std::string> names;
  for (const std::string& name : flag.names) names.push_back("\\fB" + roff(name) + "\\fR");
  return join(names, ", ") + (flag.takes_value ? " \\fIVALUE\\fR" : "");
}

std::string commands_section(const DocumentedCommand& command, const std::string& page) {
  std::string out;
  std::string group;
  for (const DocumentedCommand& below : command.commands) {
    if (below.group.empty()) continue;
    if (below.group != group) out += fmt::format(".SH {}\n", roff(to_upper(group = below.group)));
    out += described(fmt::format("\\fB{}\\fR(1)", roff(page + "-" + below.name)), below.description);
  }
  return out;
}

constexpr std::string_view kExitStatus =
    ".SH EXIT STATUS\n0 done; 1 the build; 2 the words on the command line, in definitions and Dockerfiles; 3 the "
    "network; 4 the machine; 130 and 143 on signals.\n";

}  // namespace

std::string manual_page(const DocumentedCommand& command, const std::vector<std::string>& parents,
                        std::string_view version) {
  const std::string page = page_name(command, parents);
  std::string out = fmt::format(".TH {} 1 \"\" \"kiln {}\" \"kiln\"\n", roff(to_upper(page)), roff(version));
  std::string_view summary = command.description;
  if (summary.ends_with('.')) summary.remove_suffix(1);
  out += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}", roff(page), roff(summary), synopsis(command, parents));
  if (!command.positionals.empty()) {
    out += ".SH ARGUMENTS\n";
    for (const DocumentedWord& word : command.positionals)
      out += described("\\fI" + roff(word.names.front()) + "\\fR", word.help);
  }
  if (!command.flags.empty()) {
    out += ".SH OPTIONS\n";
    for (const DocumentedWord& flag : command.flags) out += described(flag_term(flag), flag.help);
  }
  out += commands_section(command, page);
  out += kExitStatus;
  if (!parents.empty()) out += fmt::format(".SH SEE ALSO\n\\fB{}\\fR(1)\n", roff(join(parents, "-")));
  return out;
}

}  // namespace kiln::cli
