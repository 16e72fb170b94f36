#include "builder/cli/words/dockerfile_input.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"
#include "base/file_kind.hpp"
#include "base/near_hint.hpp"
#include "base/standard_input.hpp"
#include "base/text.hpp"
#include "registry/remote/url.hpp"

namespace kiln::cli {

namespace {

// False for a name that no file can have, too.
bool is_there(const fs::path& file) {
  std::error_code failure;
  return fs::exists(file, failure);
}

fs::path find_named(const fs::path& file, const fs::path& context) {
  if (is_there(file)) return file;
  if (file.is_relative() && is_there(context / file)) return context / file;
  if (is_http_url(file.native()))
    throw Error(Category::usage, "--file takes no URL: name it as the context, or hand over what is there by '-f -'");
  throw Error(Category::usage, fmt::format("there is no Dockerfile '{}'", printable(file.native())));
}

fs::path find_default(const fs::path& context) {
  for (const char* name : {"Dockerfile", "dockerfile"}) {
    if (fs::exists(context / name)) return context / name;
  }
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(context)) files.push_back(entry.path().filename().native());
  const std::string near = near_hint("Dockerfile", files);
  throw Error(Category::usage, fmt::format("there is no Dockerfile in '{}'{}", printable(context.native()),
                                           near.empty() ? "; name one with -f" : near + " name it with -f"));
}

void refuse_other_than_folder(const fs::path& context) {
  if (is_folder(context)) return;
  throw Error(Category::usage, fmt::format("build context '{}' is not a folder", printable(context.native())));
}

}  // namespace

DockerfileInput read_dockerfile_input(const std::optional<std::string>& file, const fs::path& context,
                                      ContextOrigin origin) {
  refuse_other_than_folder(context);
  DockerfileInput input;
  if (file == "-") {
    input.text = read_standard_input(dockerfile::kMaxTextBytes, "the Dockerfile");
    input.name = "Dockerfile";
  } else {
    input.path = file ? find_named(*file, context) : find_default(context);
    const bool is_of_context = origin == ContextOrigin::fetched || dockerfile::lies_in(*input.path, context);
    auto text = dockerfile::read_text_file(*input.path, is_of_context ? std::optional(context) : std::nullopt);
    if (!text)
      throw Error(Category::usage, fmt::format("'{}' is no Dockerfile but a folder", printable(input.path->native())));
    input.text = std::move(*text);
    input.name = input.path->native();
  }
  if (auto ignore = dockerfile::read_ignore_file_of(input.path, context, context)) {
    input.ignore_text = std::move(ignore->text);
    input.ignore_name = std::move(ignore->name);
  }
  return input;
}

std::optional<dockerfile::TextFile> find_ignore_file(const std::optional<std::string>& file, const fs::path& context) {
  refuse_other_than_folder(context);
  std::optional<fs::path> own;
  if (!file) {
    own = context / "Dockerfile";
  } else if (file != "-") {
    own = find_named(*file, context);
  }
  return dockerfile::read_ignore_file_of(own, context, context);
}

}  // namespace kiln::cli
