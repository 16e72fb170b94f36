#include "builder/init/command_builds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/shell_commands.hpp"

namespace kiln::init {

namespace {

constexpr std::size_t kMaxScriptBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxLoopWords = 64;
constexpr int kMaxVariableDepth = 8;

constexpr std::array<std::string_view, 40> kFlagsWithValue = {"--add-host",
                                                              "--allow",
                                                              "--annotation",
                                                              "--attest",
                                                              "--build-context",
                                                              "--builder",
                                                              "--cache-from",
                                                              "--cache-to",
                                                              "--call",
                                                              "--cgroup-parent",
                                                              "--cpu-period",
                                                              "--cpu-quota",
                                                              "--cpu-shares",
                                                              "--cpuset-cpus",
                                                              "--cpuset-mems",
                                                              "--format",
                                                              "--iidfile",
                                                              "--isolation",
                                                              "--label",
                                                              "--layers-from",
                                                              "--memory",
                                                              "--memory-swap",
                                                              "--metadata-file",
                                                              "--network",
                                                              "--no-cache-filter",
                                                              "--output",
                                                              "--platform",
                                                              "--progress",
                                                              "--provenance",
                                                              "--sbom",
                                                              "--secret",
                                                              "--security-opt",
                                                              "--shm-size",
                                                              "--squash-from",
                                                              "--ssh",
                                                              "--ulimit",
                                                              "-m",
                                                              "-c",
                                                              "-o",
                                                              "--authfile"};

// Of those the ones that make another image; an image definition has a key for each but ssh.
constexpr std::array<std::string_view, 9> kFlagsOfTheImage = {"--add-host", "--build-context", "--label",
                                                              "--network",  "--platform",      "--secret",
                                                              "--shm-size", "--ssh",           "--ulimit"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

struct LogicalLine {
  std::string text;
  int number = 0;
};

// Lines with what a backslash at their end joins.
std::vector<LogicalLine> logical_lines(std::string_view text, int first_line) {
  std::vector<LogicalLine> lines;
  bool continues = false;
  int number = first_line;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line.remove_suffix(1);
    if (continues) {
      lines.back().text += " " + std::string(trim(line));
    } else {
      lines.push_back({std::string(line), number});
    }
    continues = goes_on;
    ++number;
  }
  return lines;
}

// What a text sets, by name: "NAME=value", "export NAME=value", "NAME ?= value", "NAME := value". One that is set to
// several values is not known.
std::map<std::string, std::optional<std::string>> assignments(const std::vector<LogicalLine>& lines) {
  std::map<std::string, std::optional<std::string>> values;
  for (const LogicalLine& line : lines) {
    std::string_view text = trim(line.text);
    for (const std::string_view word : {"export ", "readonly ", "local ", "declare "}) {
      if (text.starts_with(word)) text = trim(text.substr(word.size()));
    }
    std::size_t end = 0;
    while (end < text.size() && is_name_character(text[end])) ++end;
    if (end == 0) continue;
    const std::string name(text.substr(0, end));
    std::string_view rest = trim(text.substr(end));
    for (const std::string_view sign : {"::=", ":=", "?=", "="}) {
      if (!rest.starts_with(sign)) continue;
      std::string_view value = trim(rest.substr(sign.size()));
      if (const std::size_t comment = value.find(" #"); comment != std::string_view::npos)
        value = trim(value.substr(0, comment));
      if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
        value = value.substr(1, value.size() - 2);
      const auto [known, is_new] = values.emplace(name, std::string(value));
      if (!is_new && known->second != value) known->second.reset();
      break;
    }
  }
  return values;
}

// "for NAME in a b c": the words, where all of them are plain.
std::map<std::string, std::vector<std::string>> loops(const std::vector<LogicalLine>& lines) {
  std::map<std::string, std::vector<std::string>> result;
  for (const LogicalLine& line : lines) {
    const std::size_t at = line.text.find("for ");
    const std::size_t in = at == std::string::npos ? at : line.text.find(" in ", at);
    if (in == std::string::npos) continue;
    const std::string name(trim(std::string_view(line.text).substr(at + 4, in - at - 4)));
    std::string_view list = std::string_view(line.text).substr(in + 4);
    list = list.substr(0, list.find(';'));
    std::vector<std::string> words;
    bool is_plain = !name.empty() && std::all_of(name.begin(), name.end(), is_name_character);
    for (const std::string_view word : split(list, ' ')) {
      if (word.empty() || word == "do") continue;
      is_plain = is_plain && word.find_first_of("$`*?(){}\"'") == std::string_view::npos;
      words.emplace_back(word);
    }
    if (is_plain && !words.empty() && words.size() <= kMaxLoopWords) result[name] = words;
  }
  return result;
}

// Puts variables in as shells and make write them.
class Expander {
 public:
  explicit Expander(KnownVariable known) : known_(std::move(known)) {}

  std::string expand(std::string_view text, int depth = 0) const {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '`') {
        const std::size_t end = std::min(text.find('`', i + 1), text.size());
        result += kUnknown;
        i = end;
      } else if (text[i] == '$') {
        i = expand_at(text, i, depth, result);
      } else {
        result += text[i];
      }
    }
    return result;
  }

 private:
  // Returns where the variable ends.
  std::size_t expand_at(std::string_view text, std::size_t i, int depth, std::string& result) const {
    if (i + 1 >= text.size()) return i;
    const char next = text[i + 1];
    if (next == '(' || next == '{') {
      const std::size_t end = end_of_bracket(text, i + 1);
      result += value_of(text.substr(i + 2, end - i - 2), next == '(', depth);
      return end;
    }
    if (!is_name_character(next)) {
      result += kUnknown;
      return next == '$' && i + 2 < text.size() ? skip_name(text, i + 2) - 1 : i + 1;
    }
    const std::size_t end = skip_name(text, i + 1);
    result += value_of(text.substr(i + 1, end - i - 1), false, depth);
    return end - 1;
  }

  static std::size_t skip_name(std::string_view text, std::size_t i) {
    while (i < text.size() && is_name_character(text[i])) ++i;
    return i;
  }

  static std::size_t end_of_bracket(std::string_view text, std::size_t open) {
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
      if (text[i] == '(' || text[i] == '{') ++depth;
      if ((text[i] == ')' || text[i] == '}') && --depth == 0) return i;
    }
    return text.size();
  }

  // Of "NAME", "NAME:-otherwise" and "NAME-otherwise".
  std::string value_of(std::string_view inner, bool is_round, int depth) const {
    const std::size_t end = skip_name(inner, 0);
    const std::string name(inner.substr(0, end));
    if (name.empty() || depth > kMaxVariableDepth) return std::string(1, kUnknown);
    std::string_view rest = inner.substr(end);
    if (is_round && !rest.empty()) return std::string(1, kUnknown);
    if (const auto known = known_(name)) return expand(*known, depth + 1);
    if (rest.starts_with(':')) rest.remove_prefix(1);
    if (rest.starts_with('-') || rest.starts_with('=')) return expand(rest.substr(1), depth + 1);
    return std::string(1, kUnknown);
  }

  KnownVariable known_;
};

// The words of a `docker build`.
struct BuildWords {
  std::vector<std::string> tags;
  std::vector<std::pair<std::string, std::string>> args;
  std::string file, stage, context;
  std::vector<std::string> others;  // flags that change the image, and are not taken over
};

// Where the words of a build begin behind the program's; 0: it is none.
std::size_t words_of_build(const std::vector<std::string>& words) {
  static constexpr std::array<std::string_view, 4> kPrograms = {"docker", "podman", "nerdctl", "buildah"};
  std::size_t at = 0;
  while (at < words.size() && std::find(kPrograms.begin(), kPrograms.end(), words[at]) == kPrograms.end()) ++at;
  if (at == words.size()) return 0;
  std::size_t i = at + 1;
  while (i < words.size() && (words[i] == "buildx" || words[i] == "image")) ++i;
  const bool is_build = i < words.size() && (words[i] == "build" || words[i] == "bud" || words[i] == "b");
  return is_build ? i + 1 : 0;
}

std::optional<BuildWords> read_build(const std::vector<std::string>& words) {
  std::size_t i = words_of_build(words);
  if (i == 0) return std::nullopt;
  BuildWords build;
  for (; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with('-') || word == "-") {
      build.context = word;
      continue;
    }
    const std::size_t equals = word.find('=');
    std::string flag = word.substr(0, equals), value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const bool is_read = flag == "-t" || flag == "--tag" || flag == "-f" || flag == "--file" || flag == "--target" ||
                         flag == "--build-arg";
    const bool takes_value =
        is_read || std::find(kFlagsWithValue.begin(), kFlagsWithValue.end(), flag) != kFlagsWithValue.end();
    if (takes_value && equals == std::string::npos && i + 1 < words.size()) value = words[++i];
    if (flag == "-t" || flag == "--tag") build.tags.push_back(value);
    if (flag == "-f" || flag == "--file") build.file = value;
    if (flag == "--target") build.stage = value;
    if (flag == "--build-arg") {
      const std::size_t sign = value.find('=');
      build.args.emplace_back(value.substr(0, sign), sign == std::string::npos ? "" : value.substr(sign + 1));
    }
    if (std::find(kFlagsOfTheImage.begin(), kFlagsOfTheImage.end(), flag) != kFlagsOfTheImage.end())
      build.others.push_back(value.empty() ? flag : flag + " " + value);
  }
  return build;
}

bool is_path(const std::string& text) {
  return !text.empty() && text != "-" && text.find(kUnknown) == std::string::npos &&
         text.find("://") == std::string::npos;
}

// The build with its paths in the first of the folders where there is its Dockerfile.
std::optional<FoundBuild> placed(const BuildWords& words, const std::string& change,
                                 const std::vector<fs::path>& folders, std::vector<std::string>& left_out) {
  if (!is_path(words.context)) return std::nullopt;
  for (const fs::path& folder : folders) {
    const fs::path from = folder / change;
    FoundBuild build;
    fs::path context = (from / words.context).lexically_normal();
    if (!context.has_filename()) context = context.parent_path();
    build.target.context = context;
    build.target.dockerfile = (words.file.empty() ? context / "Dockerfile" : from / words.file).lexically_normal();
    std::error_code failure;
    if (!fs::is_regular_file(*build.target.dockerfile, failure) || !fs::is_directory(context, failure)) continue;
    if (words.stage.find(kUnknown) == std::string::npos) build.target.stage = words.stage;
    for (const auto& [name, value] : words.args) take_argument(name, value, build, left_out);
    build.tags = words.tags;
    return build;
  }
  return std::nullopt;
}

void add_builds_of_line(const CommandText& text, const LogicalLine& line, const Expander& expander,
                        FoundBuilds& found) {
  std::string change;  // what a `cd` before it led to
  for (const dockerfile::ShellCommand& command : dockerfile::shell_commands(expander.expand(line.text))) {
    if (command.is("cd") && command.words.size() == 2 && is_path(command.words[1])) {
      change = (fs::path(change) / command.words[1]).string();
      continue;
    }
    const auto words = read_build(command.words);
    if (!words) continue;
    std::vector<std::string> left_out;
    if (auto build = placed(*words, change, text.folders, left_out)) {
      build->origin = fmt::format("{}:{}", text.origin, line.number);
      note_arguments_left_out(build->origin, left_out, found.notes);
      if (!words->others.empty()) {
        add_note(fmt::format("{}: not taken over, image.json has keys for it: {}", printable(build->origin),
                             printable(join(words->others, ", "))),
                 found.notes);
      }
      found.builds.push_back(std::move(*build));
    } else {
      found.notes.push_back(fmt::format("{}:{}: which Dockerfile and context '{}' means is not clear: passed over",
                                        printable(text.origin), line.number,
                                        printable(join(command.words, " ").substr(0, 80))));
    }
  }
}

}  // namespace

void add_command_builds(const CommandText& text, const KnownVariable& known, FoundBuilds& found) {
  const std::vector<LogicalLine> lines = logical_lines(text.text, text.first_line);
  const auto values = assignments(lines);
  const auto lists = loops(lines);
  for (const LogicalLine& line : lines) {
    const bool is_build = line.text.find("build") != std::string::npos || line.text.find("bud") != std::string::npos;
    const std::string_view trimmed = trim(line.text);
    if (!is_build || trimmed.starts_with('#')) continue;
    // The first loop whose variable the line uses is walked; a second one stays unknown.
    const auto loop = std::find_if(lists.begin(), lists.end(), [&](const auto& list) {
      return line.text.find("$" + list.first) != std::string::npos ||
             line.text.find("${" + list.first) != std::string::npos;
    });
    const std::vector<std::string> rounds = loop == lists.end() ? std::vector<std::string>{""} : loop->second;
    for (const std::string& round : rounds) {
      const Expander expander([&](const std::string& name) -> std::optional<std::string> {
        if (loop != lists.end() && name == loop->first) return round;
        if (const auto value = values.find(name); value != values.end()) return value->second;
        return known(name);
      });
      add_builds_of_line(text, line, expander, found);
    }
  }
}

FoundBuilds script_builds(const RepositoryFiles& files) {
  FoundBuilds found;
  for (const std::string& path : files.scripts) {
    try {
      CommandText text{path, read_file(files.root / path, kMaxScriptBytes), 1, {}};
      const fs::path folder = (files.root / path).parent_path();
      text.folders.push_back(folder);
      if (folder != files.root) text.folders.push_back(files.root);
      add_command_builds(
          text, [](const std::string&) { return std::nullopt; }, found);
    } catch (const Error& error) {
      found.notes.push_back(
          fmt::format("'{}' could not be read, so what it builds is left out: {}", printable(path), error.message()));
    }
  }
  return found;
}

}  // namespace kiln::init
