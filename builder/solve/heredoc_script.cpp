#include "builder/solve/heredoc_script.hpp"

#include "base/text.hpp"

namespace kiln {

namespace {

// Whether a command line is nothing but one heredoc's operator: "<<EOF", "<<-'EOF'", "3<<EOF".
bool is_only_operator(std::string_view line, const dockerfile::Heredoc& heredoc) {
  line = trim(line);
  while (!line.empty() && line[0] >= '0' && line[0] <= '9') line.remove_prefix(1);
  if (!line.starts_with("<<")) return false;
  line.remove_prefix(2);
  if (line.starts_with('-')) line.remove_prefix(1);
  return line == heredoc.name || line == "'" + heredoc.name + "'" || line == "\"" + heredoc.name + "\"";
}

}  // namespace

HeredocScript heredoc_script(std::string_view command_line, const std::vector<dockerfile::Heredoc>& heredocs) {
  HeredocScript script;
  if (heredocs.size() == 1 && is_only_operator(command_line, heredocs[0])) {
    const std::string text = heredocs[0].text();
    if (text.starts_with("#!")) {
      script.file_name = heredocs[0].name;
      script.file_text = text;
      script.shell_text = std::string(kHeredocFolder) + "/" + heredocs[0].name;
    } else {
      script.shell_text = text;
    }
    return script;
  }
  script.shell_text = std::string(command_line);
  for (const dockerfile::Heredoc& heredoc : heredocs) script.shell_text += "\n" + heredoc.content + heredoc.name;
  return script;
}

}  // namespace kiln
