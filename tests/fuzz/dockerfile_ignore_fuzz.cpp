#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "tests/fuzz/fuzz.hpp"

// The first line is a path, the rest a .dockerignore.
namespace kiln::fuzz {

using namespace dockerfile;

void fuzz_one(std::string_view input) {
  const std::size_t end = input.find('\n');
  std::string path = clean_path(input.substr(0, end));
  while (!path.empty() && path[0] == '/') path.erase(0, 1);
  const std::string_view text = end == std::string_view::npos ? "" : input.substr(end + 1);
  try {
    const IgnoreMatcher matcher = read_ignore_rules(text, ".dockerignore");
    // A walk enters an ignored folder only where something below may come back. What it then sees, and what
    // it is told without walking, has to be the same.
    IgnoreMatcher::State folder;
    IgnoreMatcher::State own;
    bool pruned = false;
    for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
      const std::string_view prefix = std::string_view(path).substr(0, slash);
      const bool ignored = matcher.ignores(prefix, folder, own);
      require(ignored == matcher.ignores(prefix), "a walk and a question differ");
      require(!pruned || ignored, "a folder that was left out holds a file that is kept");
      pruned = pruned || (ignored && !matcher.may_reinclude_below(prefix));
      if (slash == std::string::npos) break;
      folder.swap(own);
    }
  } catch (const Error& error) {
    require(error.category() == Category::usage, "another category");
  }
  for (const IgnoreLine& line : ignore_lines(text)) {
    try {
      has_wildcards(line.pattern);
      match_pattern(line.pattern, path);
    } catch (const Error& error) {
      require(error.category() == Category::usage, "another category");
    }
  }
}

std::vector<std::string> seeds() {
  return {"src/a/b.c\n*\n!src\nsrc/**/*.o\n",
          "a/b/c/d\na\n!a/b/c\n**/d\n",
          "docs/x.md\n*.md\n!README*.md\n/docs/\n",
          "x\n[a-z]\n![^b]\n\\*\n",
          "n/m/i.js\n**/n\n!**/i.js\n#c\n ./x//y/../z \n",
          "ab\n**b\na**\n!?b\n"};
}

std::vector<std::string> words() {
  return {"*", "**", "**/", "/**", "?", "!", "/", "[",  "]", "[a-c]",
          "^", "-",  "\\",  "\n",  "a", "b", ".", "..", "#", " "};
}

}  // namespace kiln::fuzz
