#include "builder/cli/bake_outputs.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/cli/build_outputs.hpp"

namespace kiln::cli {

namespace {

Output bake_output(const TargetSpec& target, const std::string& text) {
  Output output = parse_output(text);
  const auto refuse = [&](const char* why) {
    throw Error(Category::usage, fmt::format("target '{}', output '{}': {}", target.name, printable(text), why));
  };
  if (output.destination == "-") refuse("a bake's report goes to standard output; name a file with dest=FILE");
  if (output.compression || output.force_compression || !output.oci_media_types || output.rewrite_timestamp ||
      !output.annotations.empty()) {
    refuse("compression, media types, times and annotations are the fleet's in a bake; use 'kiln build' for one image");
  }
  return output;
}

}  // namespace

std::vector<std::vector<Output>> bake_outputs(const std::vector<const TargetSpec*>& targets,
                                              const std::vector<std::vector<std::string>>& names) {
  std::vector<std::vector<Output>> result(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    for (const std::string& text : targets[i]->outputs) result[i].push_back(bake_output(*targets[i], text));
    check_outputs(result[i], names[i], 1);
  }
  return result;
}

void write_bake_outputs(BuildSession& session, const std::vector<BuiltImage>& images,
                        const std::vector<std::vector<std::string>>& names,
                        const std::vector<std::vector<Output>>& outputs, bool is_pushed,
                        std::optional<UnixSeconds> mtime) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const Output& output : outputs[i]) {
      const bool is_done = output.type == OutputType::image && output.names.empty() && (!output.push || is_pushed);
      if (is_done) continue;
      std::vector<BuiltImage> one = {images[i]};
      write_output(session, one, output, names[i], mtime);
    }
  }
}

}  // namespace kiln::cli
