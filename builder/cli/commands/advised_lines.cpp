#include "builder/cli/commands/advised_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/file.hpp"
#include "base/text.hpp"
#include "builder/cli/images/recorded_builds.hpp"
#include "builder/packages/package_url.hpp"

namespace kiln::cli {

namespace {

constexpr std::uint64_t kMaxSourceBytes = std::uint64_t{4} << 20;
constexpr std::size_t kMostLinesOfInstruction = 500;

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// A package's name in a line as pip, apt, conda and npm are told it, and the version that it is told with:
// "torch==2.3.0".
struct NamedPackage {
  std::string text;
  std::string mark;  // "==", "=", "@"; empty where no version is told
};

// The package where `line` names it, as a word of its own.
std::optional<NamedPackage> find_name(const std::string& line, const std::string& name, const std::string& version) {
  const std::string wanted = normalised_python_name(name);
  for (std::size_t begin = 0; begin < line.size();) {
    if (!is_of_name(line[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < line.size() && is_of_name(line[end])) ++end;
    if (normalised_python_name(line.substr(begin, end - begin)) == wanted) {
      for (const std::string mark : {"==", "=", "@"}) {
        const std::size_t after = end + mark.size() + version.size();
        const bool is_told = !version.empty() && line.compare(end, after - end, mark + version) == 0 &&
                             (after >= line.size() || !is_of_name(line[after]));
        if (is_told) return NamedPackage{line.substr(begin, after - begin), mark};
      }
      return NamedPackage{line.substr(begin, end - begin), ""};
    }
    begin = end;
  }
  return std::nullopt;
}

// Files of requirements that an instruction names, as it does.
std::vector<std::string> requirement_files(const std::string& text) {
  std::vector<std::string> files;
  std::string before;
  for (const std::string_view part : split(text, ' ')) {
    const std::string word(part);
    if (before == "-r" || before == "--requirement") files.push_back(word);
    if (word.starts_with("--requirement=")) files.push_back(word.substr(word.find('=') + 1));
    if (!word.empty()) before = word;
  }
  return files;
}

class Pointing {
 public:
  Pointing(AdvisedChange& change, fs::path dockerfile) : change_(change), path_(std::move(dockerfile)) {}

  void run() {
    if (look_into_instruction()) return;
    for (const std::string& file : requirement_files(change_.at.text)) {
      for (const fs::path& name : {fs::path(file).relative_path(), fs::path(file).filename()}) {
        if (look_into_file(path_.parent_path() / name, fs::path(change_.at.file).parent_path() / name)) return;
      }
    }
  }

 private:
  static std::vector<std::string> lines_of(const fs::path& path) {
    const auto text = read_file_if_exists(path, kMaxSourceBytes);
    std::vector<std::string> lines;
    for (const std::string_view line : split(text.value_or(""), '\n')) lines.emplace_back(line);
    return lines;
  }

  bool look_into_instruction() {
    const std::vector<std::string> lines = lines_of(path_);
    const bool has_script = change_.at.text.find("<<") != std::string::npos;
    const auto first = static_cast<std::size_t>(std::max(change_.at.line, 1)) - 1;
    for (std::size_t i = first; i < std::min(lines.size(), first + kMostLinesOfInstruction); ++i) {
      if (point_at(lines[i], change_.at.file, i)) return true;
      const bool goes_on = change_.at.line == 0 || has_script || trim(lines[i]).ends_with('\\');
      if (!goes_on) return false;
    }
    return false;
  }

  bool look_into_file(const fs::path& path, const fs::path& shown) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return false;
    const std::vector<std::string> lines = lines_of(path);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string_view line = trim(lines[i]);
      if (!line.starts_with('#') && !line.starts_with('-') && point_at(lines[i], shown.native(), i)) return true;
    }
    return false;
  }

  bool point_at(const std::string& line, const std::string& file, std::size_t number) {
    const auto named = find_name(line, change_.package, change_.from);
    if (!named) return false;
    change_.at = {file, static_cast<int>(number) + 1, std::string(trim(line))};
    if (!named->mark.empty() && !change_.to.empty()) {
      const std::string with = named->text.substr(0, named->text.size() - change_.from.size()) + change_.to;
      change_.action = fmt::format("write {} for {}", with, named->text);
    }
    return true;
  }

  AdvisedChange& change_;
  fs::path path_;
};

}  // namespace

void point_at_lines(std::vector<Advice>& advice, const BuildRecord& record) {
  for (Advice& of : advice) {
    for (AdvisedChange& change : of.changes) {
      // What is to be added stands nowhere yet.
      if (change.from.empty()) continue;
      const fs::path path = recorded_file(record, change.at.file);
      if (!path.empty()) Pointing(change, path).run();
    }
  }
}

}  // namespace kiln::cli
