#include "builder/dockerfile/instructions.hpp"

#include <fmt/format.h>

#include <functional>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/duration.hpp"
#include "builder/dockerfile/instruction_flags.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/utf8.hpp"

namespace kiln::dockerfile {
namespace {

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Category::usage, fmt::format(format, std::forward<Args>(args)...));
}

void need_arguments(const Node& node) {
  if (node.args.empty()) fail("{} needs at least one argument", to_upper(node.keyword));
}

const std::string& only_argument(const Node& node) {
  if (node.args.size() != 1) fail("{} needs exactly one argument", to_upper(node.keyword));
  return node.args[0];
}

void no_flags(const Node& node) { InstructionFlags(node.keyword, node.flags); }

// In the shell form all words are one text.
CommandLine command_line(std::vector<std::string> words, bool json) {
  CommandLine out;
  out.form = json ? CommandForm::exec : CommandForm::shell;
  if (json || words.size() <= 1) {
    out.words = std::move(words);
  } else {
    out.words = {join(words, " ")};
  }
  return out;
}

std::vector<KeyValue> key_values(const Node& node) {
  no_flags(node);
  need_arguments(node);
  std::vector<KeyValue> out;
  for (std::size_t i = 0; i + 2 < node.args.size(); i += 3) {
    if (node.args[i].empty())
      fail("{}: a name may not be empty in '={}'", to_upper(node.keyword), printable(node.args[i + 1]));
    out.push_back({node.args[i], node.args[i + 1], node.args[i + 2].empty()});
  }
  return out;
}

void read_transfer(const Node& node, const InstructionFlags& flags, Transfer& out) {
  if (node.args.size() < 2) {
    fail("{} needs at least two arguments, sources and a destination, got {}", to_upper(node.keyword),
         node.args.size());
  }
  const auto heredoc_in = [](const std::string& word) -> std::optional<Heredoc> {
    try {
      return heredoc_of_word(word);
    } catch (const Error&) {
      return std::nullopt;  // an open quote: a file name like any other
    }
  };
  out.destination = node.args.back();
  if (heredoc_in(out.destination)) fail("{} cannot take a heredoc as its destination", to_upper(node.keyword));
  for (std::size_t i = 0; i + 1 < node.args.size(); ++i) {
    const auto heredoc = heredoc_in(node.args[i]);
    if (!heredoc) {
      out.paths.push_back(node.args[i]);
      continue;
    }
    InlineFile file{heredoc->name, "", heredoc->expand};
    for (const Heredoc& body : node.heredocs) {
      if (body.name == heredoc->name) file.content = body.text();
    }
    out.files.push_back(std::move(file));
  }
  out.chown = flags.text("chown");
  out.chmod = flags.text("chmod");
  out.link = flags.boolean("link").value_or(false);
  out.excludes = flags.list("exclude");
}

InstructionBody read_add(const Node& node) {
  const InstructionFlags flags(node.keyword, node.flags);
  Add out;
  read_transfer(node, flags, out);
  out.checksum = flags.text("checksum");
  out.keep_git_dir = flags.boolean("keep-git-dir").value_or(false);
  out.unpack = flags.boolean("unpack");
  return out;
}

InstructionBody read_copy(const Node& node) {
  const InstructionFlags flags(node.keyword, node.flags);
  Copy out;
  read_transfer(node, flags, out);
  out.from = flags.text("from");
  if (out.from.find('$') != std::string::npos) {
    fail("flag '--from' cannot hold a variable, got '{}'; name a stage 'FROM {} AS NAME' and copy --from=NAME",
         printable(out.from), printable(out.from));
  }
  out.parents = flags.boolean("parents").value_or(false);
  return out;
}

InstructionBody read_arg(const Node& node) {
  need_arguments(node);
  Arg out;
  for (const std::string& word : node.args) {
    const auto equals = word.find('=');
    if (equals == 0) fail("ARG: a name may not be empty in '{}'", printable(word));
    ArgDefinition definition{word.substr(0, equals), std::nullopt};
    if (equals != std::string::npos) definition.default_value = word.substr(equals + 1);
    out.definitions.push_back(std::move(definition));
  }
  return out;
}

InstructionBody read_cmd(const Node& node) {
  no_flags(node);
  return Cmd{command_line(node.args, node.json)};
}

InstructionBody read_entrypoint(const Node& node) {
  no_flags(node);
  return Entrypoint{command_line(node.args, node.json)};
}

InstructionBody read_env(const Node& node) { return Env{key_values(node)}; }
InstructionBody read_label(const Node& node) { return Label{key_values(node)}; }

InstructionBody read_expose(const Node& node) {
  need_arguments(node);
  no_flags(node);
  return Expose{node.args};
}

std::int64_t read_interval(const InstructionFlags& flags, std::string_view name) {
  constexpr std::int64_t kLeastNs = 1'000'000;
  const std::string text = flags.text(name);
  if (text.empty()) return 0;
  const auto duration = parse_duration(text);
  if (!duration) fail("flag '--{}' needs a duration such as 30s or 1m30s, got '{}'", name, printable(text));
  if (*duration != 0 && *duration < kLeastNs)
    fail("flag '--{}' may be 0 or at least 1ms, got '{}'", name, printable(text));
  return *duration;
}

InstructionBody read_healthcheck(const Node& node) {
  need_arguments(node);
  Healthcheck out;
  const std::string type = to_upper(node.args[0]);
  std::vector<std::string> command(node.args.begin() + 1, node.args.end());
  if (type == "NONE") {
    if (!command.empty()) fail("HEALTHCHECK NONE takes no arguments");
    out.disabled = true;
    return out;
  }
  const InstructionFlags flags(node.keyword, node.flags);
  if (type != "CMD") fail("unknown HEALTHCHECK type '{}'; known: CMD, NONE", printable(node.args[0]));
  if (command.empty()) fail("HEALTHCHECK CMD needs a command");
  out.command = command_line(std::move(command), node.json);
  out.interval_ns = read_interval(flags, "interval");
  out.timeout_ns = read_interval(flags, "timeout");
  out.start_period_ns = read_interval(flags, "start-period");
  out.start_interval_ns = read_interval(flags, "start-interval");
  if (const std::string text = flags.text("retries"); !text.empty()) {
    const auto retries = parse_unsigned(text);
    if (!retries || *retries > 0x7fffffff)
      fail("flag '--retries' needs a number of at least 0, got '{}'", printable(text));
    out.retries = static_cast<int>(*retries);
  }
  return out;
}

InstructionBody read_maintainer(const Node& node) {
  no_flags(node);
  return Maintainer{only_argument(node)};
}

InstructionBody read_onbuild(const Node& node) {
  no_flags(node);
  if (node.children.empty()) fail("ONBUILD needs an instruction");
  const std::string trigger = to_upper(node.children[0].keyword);
  if (trigger == "ONBUILD") fail("ONBUILD may not trigger ONBUILD");
  if (trigger == "FROM" || trigger == "MAINTAINER") fail("{} may not be an ONBUILD trigger", trigger);
  std::string_view text = trim_left_spaces(node.original);
  text = trim_left_spaces(text.substr(std::string_view("ONBUILD").size()));
  Onbuild out{std::string(text)};
  for (const Heredoc& heredoc : node.heredocs) out.trigger += "\n" + heredoc.content + heredoc.name;
  return out;
}

// The value of a flag that has few; the first one where the flag is not said.
template <typename Mode>
Mode mode_of(const InstructionFlags& flags, std::string_view flag, std::optional<Mode> (*parse)(std::string_view),
             const std::vector<std::string>& known) {
  const std::string word = flags.text(flag);
  const auto mode = parse(word.empty() ? known.front() : word);
  if (!mode) fail("flag '--{}' has no value '{}'{}", flag, printable(word), suggestion(word, known));
  return *mode;
}

InstructionBody read_run(const Node& node) {
  const InstructionFlags flags(node.keyword, node.flags);
  Run out;
  out.command = command_line(node.args, node.json);
  if (node.json && out.command.words.empty()) fail("RUN needs a command");
  for (const std::string& mount : flags.list("mount")) out.mounts.push_back(read_mount(mount));
  out.network = mode_of(flags, "network", parse_network_mode, {"default", "none", "host"});
  out.security = mode_of(flags, "security", parse_security_mode, {"sandbox", "insecure"});
  out.devices = flags.list("device");
  return out;
}

InstructionBody read_shell(const Node& node) {
  no_flags(node);
  need_arguments(node);
  if (!node.json) fail("SHELL needs the JSON form: SHELL [\"executable\", \"parameter\"]");
  return Shell{node.args};
}

InstructionBody read_stopsignal(const Node& node) { return Stopsignal{only_argument(node)}; }

InstructionBody read_user(const Node& node) {
  no_flags(node);
  return User{only_argument(node)};
}

InstructionBody read_volume(const Node& node) {
  need_arguments(node);
  no_flags(node);
  Volume out;
  for (const std::string& word : node.args) {
    const std::string_view path = trim_spaces(word);
    if (path.empty()) fail("a VOLUME may not be empty");
    out.paths.emplace_back(path);
  }
  return out;
}

InstructionBody read_workdir(const Node& node) {
  no_flags(node);
  return Workdir{only_argument(node)};
}

using ReadBody = InstructionBody (*)(const Node&);

const std::map<std::string, ReadBody, std::less<>>& readers() {
  static const std::map<std::string, ReadBody, std::less<>> table = {
      {"add", read_add},
      {"arg", read_arg},
      {"cmd", read_cmd},
      {"copy", read_copy},
      {"entrypoint", read_entrypoint},
      {"env", read_env},
      {"expose", read_expose},
      {"healthcheck", read_healthcheck},
      {"label", read_label},
      {"maintainer", read_maintainer},
      {"onbuild", read_onbuild},
      {"run", read_run},
      {"shell", read_shell},
      {"stopsignal", read_stopsignal},
      {"user", read_user},
      {"volume", read_volume},
      {"workdir", read_workdir},
  };
  return table;
}

bool is_stage_name(const std::string& name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
}

}  // namespace

Instruction instruction_of_node(const Node& node) {
  const auto reader = readers().find(node.keyword);
  if (reader == readers().end()) {
    std::vector<std::string> known{"FROM"};
    for (const auto& [keyword, read] : readers()) known.push_back(to_upper(keyword));
    fail("unknown instruction '{}'{}", printable(node.keyword_as_written), suggestion(to_upper(node.keyword), known));
  }
  Instruction out;
  out.body = reader->second(node);
  out.keyword = to_upper(node.keyword);
  out.keyword_as_written = node.keyword_as_written;
  out.original = std::string(trim_spaces(node.original));
  out.lines = node.lines;
  out.flags = node.flags;
  out.comments = node.comments;
  out.heredocs = node.heredocs;
  return out;
}

Stage stage_of_node(const Node& node) {
  Stage out;
  const bool named = node.args.size() == 3 && equals_ignoring_case(node.args[1], "as");
  if (node.args.size() != 1 && !named) {
    fail("FROM takes an image, and AS with a name where wanted: FROM IMAGE [AS NAME]");
  }
  if (named) {
    out.as_keyword_as_written = node.args[1];
    out.name_as_written = node.args[2];
    out.name = to_lower(node.args[2]);
    if (!is_stage_name(out.name)) {
      fail(
          "invalid stage name '{}': it has to begin with a letter and to hold letters, digits, '-', '_' and "
          "'.' only",
          printable(node.args[2]));
    }
  }
  const InstructionFlags flags(node.keyword, node.flags);
  out.platform = flags.text("platform");
  out.base_name = node.args[0];
  out.keyword_as_written = node.keyword_as_written;
  out.original = std::string(trim_spaces(node.original));
  out.lines = node.lines;
  out.comments = node.comments;
  return out;
}

}  // namespace kiln::dockerfile
