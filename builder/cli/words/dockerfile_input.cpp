#include "builder/cli/words/dockerfile_input.hpp"

#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::cli {

namespace {

fs::path find_named(const fs::path& file, const fs::path& context) {
  if (fs::exists(file)) return file;
  if (file.is_relative() && fs::exists(context / file)) return context / file;
  throw Error(Category::usage, fmt::format("there is no Dockerfile '{}'", printable(file.native())));
}

fs::path find_default(const fs::path& context) {
  for (const char* name : {"Dockerfile", "dockerfile"}) {
    if (fs::exists(context / name)) return context / name;
  }
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(context)) files.push_back(entry.path().filename().native());
  const auto near = nearest("Dockerfile", files);
  throw Error(Category::usage,
              fmt::format("there is no Dockerfile in '{}'{}", printable(context.native()),
                          near ? fmt::format("; did you mean -f {}?", printable((context / *near).native()))
                               : "; name one with -f"));
}

void refuse_other_than_folder(const fs::path& context) {
  if (fs::is_directory(context)) return;
  throw Error(Category::usage, fmt::format("build context '{}' is not a folder", printable(context.native())));
}

std::optional<std::string> ignore_text_of(const std::optional<fs::path>& dockerfile, const fs::path& context) {
  if (dockerfile) {
    fs::path own = *dockerfile;
    own += ".dockerignore";
    if (auto text = read_file_if_exists(own)) return text;
  }
  return read_file_if_exists(context / ".dockerignore");
}

}  // namespace

DockerfileInput read_dockerfile_input(const std::optional<std::string>& file, const fs::path& context) {
  refuse_other_than_folder(context);
  DockerfileInput input;
  if (file == "-") {
    input.text = {std::istreambuf_iterator<char>(std::cin), {}};
    input.name = "Dockerfile";
  } else {
    input.path = file ? find_named(*file, context) : find_default(context);
    input.text = read_file(*input.path);
    input.name = input.path->native();
  }
  input.ignore_text = ignore_text_of(input.path, context);
  return input;
}

std::optional<std::string> find_ignore_text(const std::optional<std::string>& file, const fs::path& context) {
  refuse_other_than_folder(context);
  std::optional<fs::path> dockerfile;
  if (!file) {
    dockerfile = context / "Dockerfile";
  } else if (file != "-") {
    dockerfile = find_named(*file, context);
  }
  return ignore_text_of(dockerfile, context);
}

}  // namespace kiln::cli
