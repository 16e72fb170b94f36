#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/run_modes.hpp"

// What a Dockerfile says, instruction by instruction, before any variable is expanded
// (https://docs.docker.com/reference/dockerfile/). Every string here is as written, quotes and escapes
// included, unless its comment says otherwise: the evaluator of a stage runs it through expansion.hpp at the
// point of the stage where it stands. Plain values; nothing here owns or borrows anything else.
namespace kiln::dockerfile {

// Lines of the file, from 1, both ends included. {0, 0} for text that is in no file (an ONBUILD trigger).
struct LineRange {
  int first = 0;
  int last = 0;
  bool operator==(const LineRange&) const = default;
};

// `<<NAME` and the lines up to NAME.
struct Heredoc {
  std::string name;         // without quotes
  std::string content;      // as written, every line with its end
  bool expand = true;       // false where the name was quoted
  bool strip_tabs = false;  // `<<-`
  unsigned fd = 0;          // `3<<NAME`

  // The content with the leading tabs of every line removed where `<<-` asks for it.
  std::string text() const;
  bool operator==(const Heredoc&) const = default;
};

enum class CommandForm {
  shell,  // one word at most: the whole text, to be handed to the stage's SHELL
  exec,   // the words of a JSON array, to be executed as they are
};

struct CommandLine {
  CommandForm form = CommandForm::shell;
  std::vector<std::string> words;  // never expanded by docker
};

struct KeyValue {
  std::string key;
  std::string value;
  bool legacy = false;  // `ENV key value`, without '='
};

struct ArgDefinition {
  std::string name;
  std::optional<std::string> default_value;
};

// A heredoc that is a source of COPY or ADD.
struct InlineFile {
  std::string name;
  std::string content;  // tabs of `<<-` removed; variables expanded, quotes kept, where `expand`
  bool expand = true;
};

// What COPY and ADD have in common. `destination`, `paths`, `chown` and `chmod` are expanded; excludes are
// not.
struct Transfer {
  std::vector<std::string> paths;
  std::vector<InlineFile> files;
  std::string destination;
  std::string chown;
  std::string chmod;
  bool link = false;
  std::vector<std::string> excludes;
};

struct Add : Transfer {
  std::string checksum;  // expanded
  bool keep_git_dir = false;
  std::optional<bool> unpack;
};
struct Copy : Transfer {
  std::string from;  // never expanded
  bool parents = false;
};
struct Run {
  CommandLine command;
  std::vector<WrittenMount> mounts;
  NetworkMode network = NetworkMode::build;
  SecurityMode security = SecurityMode::sandbox;
  std::vector<std::string> devices;
};
struct Arg {
  std::vector<ArgDefinition> definitions;  // defaults are expanded
};
struct Env {
  std::vector<KeyValue> pairs;  // keys and values are expanded
};
struct Label {
  std::vector<KeyValue> pairs;  // keys and values are expanded
};
struct Cmd {
  CommandLine command;
};
struct Entrypoint {
  CommandLine command;
};
struct Expose {
  std::vector<std::string> ports;  // expanded into words; see ports.hpp
};
struct User {
  std::string user;  // expanded
};
struct Workdir {
  std::string path;  // expanded
};
struct Volume {
  std::vector<std::string> paths;  // expanded
};
struct Healthcheck {
  bool disabled = false;  // HEALTHCHECK NONE; then nothing else is set
  CommandLine command;
  std::int64_t interval_ns = 0;  // 0: not given
  std::int64_t timeout_ns = 0;
  std::int64_t start_period_ns = 0;
  std::int64_t start_interval_ns = 0;
  int retries = 0;
};
struct Shell {
  std::vector<std::string> words;
};
struct Stopsignal {
  std::string signal;  // expanded
};
struct Onbuild {
  std::string trigger;  // the instruction with its heredocs, as the image config keeps it; see parse_trigger
};
struct Maintainer {
  std::string name;
};

using InstructionBody = std::variant<Add, Arg, Cmd, Copy, Entrypoint, Env, Expose, Healthcheck, Label, Maintainer,
                                     Onbuild, Run, Shell, Stopsignal, User, Volume, Workdir>;

struct Instruction {
  std::string keyword;             // upper case: "RUN"
  std::string keyword_as_written;  // "Run"
  std::string original;            // the logical line: continuations joined, comments dropped, heredocs not included
  LineRange lines;
  std::vector<std::string> flags;     // as written: "--mount=type=cache,target=/c"
  std::vector<std::string> comments;  // the comment lines directly above, without '#'
  std::vector<Heredoc> heredocs;
  InstructionBody body;
};

struct Stage {
  std::string name;  // lower case; empty where there is no AS
  std::string name_as_written;
  std::string base_name;              // expanded in the global scope
  std::string platform;               // value of --platform, expanded in the global scope; empty where not given
  std::string keyword_as_written;     // of FROM
  std::string as_keyword_as_written;  // "AS", "as", or empty
  std::string original;
  LineRange lines;  // of the FROM instruction
  std::vector<std::string> comments;
  std::vector<Instruction> instructions;
};

struct Directive {
  std::string value;
  int line = 0;
};

struct Directives {
  char escape = '\\';
  std::optional<Directive> syntax;  // noted and ignored: kiln is its own front end
  std::optional<Directive> check;
};

struct Dockerfile {
  std::string file_name;
  Directives directives;
  std::vector<Instruction> global_args;  // each holds an Arg
  std::vector<Stage> stages;
};

}  // namespace kiln::dockerfile
