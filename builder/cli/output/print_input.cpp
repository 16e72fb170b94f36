#include "builder/cli/output/print_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/dockerfile/ast_json.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/syntax.hpp"

namespace kiln::cli {

namespace {

struct ListedPath {
  std::string path;
  bool is_kept = false;
};

class ContextListing {
 public:
  ContextListing(fs::path root, const dockerfile::IgnoreMatcher& matcher) : root_(std::move(root)), matcher_(matcher) {}

  // Lists what is below a folder ("" or "a/b"). True where anything of it is kept.
  bool list(const std::string& folder, const dockerfile::IgnoreMatcher::State& state) {
    std::vector<fs::directory_entry> children(fs::directory_iterator(root_ / folder), {});
    std::sort(children.begin(), children.end(),
              [](const auto& a, const auto& b) { return a.path().filename() < b.path().filename(); });
    bool any_kept = false;
    for (const fs::directory_entry& child : children) {
      const std::string name = child.path().filename().native();
      const std::string path = folder.empty() ? name : folder + "/" + name;
      dockerfile::IgnoreMatcher::State own;
      bool is_kept = !matcher_.ignores(path, state, own);
      if (child.symlink_status().type() == fs::file_type::directory) {
        const std::size_t line = lines_.size();
        lines_.push_back({path + "/", is_kept});
        is_kept = list(path, own) || is_kept;
        lines_[line].is_kept = is_kept;
      } else {
        lines_.push_back({path, is_kept});
      }
      any_kept = any_kept || is_kept;
    }
    return any_kept;
  }

  const std::vector<ListedPath>& lines() const noexcept { return lines_; }

 private:
  fs::path root_;
  const dockerfile::IgnoreMatcher& matcher_;
  std::vector<ListedPath> lines_;
};

}  // namespace

void print_ast(const DockerfileInput& input) {
  const nlohmann::json tree = dockerfile::ast_json(dockerfile::parse_syntax(input.text, input.name));
  print_json(tree);
}

void print_ignored(const fs::path& context, const dockerfile::IgnoreMatcher& matcher) {
  ContextListing listing(context, matcher);
  try {
    listing.list("", {});
  } catch (const fs::filesystem_error& error) {
    throw Error(Category::machine, fmt::format("cannot list '{}': {}", printable(error.path1().native()),
                                               errno_text(error.code().value())));
  }
  for (const ListedPath& line : listing.lines())
    print_text(fmt::format("{:<9}{}\n", line.is_kept ? "kept" : "ignored", printable(line.path)));
}

}  // namespace kiln::cli
