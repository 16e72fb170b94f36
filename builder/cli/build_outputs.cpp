#include "builder/cli/build_outputs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "builder/solve/exporter.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln::cli {

namespace {

std::vector<std::string> all_names(const Output& output, std::vector<std::string> names) {
  for (const std::string& name : output.names) names.push_back(oci::Reference::parse(name).str());
  return names;
}

// The images under one name: the first stands for all of them.
void publish(BuildSession& session, std::vector<BuiltImage>& images, const Output& output, const std::vector<std::string>& names) {
  if (images.size() > 1) images[0].index = root_of(session, images, output.oci_media_types);
  std::vector<std::vector<std::string>> named(images.size());
  named[0] = names;
  if (output.push) session.push(images, named);
  if (!output.store || names.empty()) return;
  if (!output.push) {
    for (const BuiltImage& built : images) {
      for (const ImageLayer& layer : built.image.layers) session.layers().local_blob(layer);
    }
  }
  using AbsentLayers = BuildSession::AbsentLayers;
  session.name_in_store(images, named, output.push ? AbsentLayers::leave_unnamed : AbsentLayers::fetch);
}

void write_files(BuildSession& session, const std::vector<BuiltImage>& images, const Output& output) {
  if (images.size() == 1) return export_files(session.layers(), images[0].image.layers, output, STDOUT_FILENO);
  for (const BuiltImage& built : images) {
    std::string folder = built.target->platform.str();
    std::replace(folder.begin(), folder.end(), '/', '_');
    Output one = output;
    one.destination = (fs::path(output.destination) / folder).native();
    export_files(session.layers(), built.image.layers, one, STDOUT_FILENO);
  }
}

}  // namespace

void check_outputs(const std::vector<Output>& outputs, const std::vector<std::string>& names, std::size_t platforms) {
  for (const Output& output : outputs) {
    if (output.push && all_names(output, names).empty()) throw Error(Category::usage, "--push needs a name; give one with -t");
    if (platforms < 2) continue;
    if (output.type == OutputType::docker) {
      throw Error(Category::usage, "type=docker holds one platform; build one at a time, or use type=oci");
    }
    if (output.type == OutputType::tar) {
      throw Error(Category::usage, "type=tar holds one platform; build one at a time, or use type=local, which has a folder for each");
    }
  }
}

oci::Descriptor root_of(BuildSession& session, const std::vector<BuiltImage>& images, bool oci_media_types) {
  if (images.size() == 1) return images[0].image.manifest;
  oci::Index index;
  index.media_type = oci_media_types ? oci::media_type::kOciIndex : oci::media_type::kDockerManifestList;
  for (const BuiltImage& built : images) index.manifests.push_back(built.image.manifest);
  return session.store().put(serialise(index), index.media_type, Durability::ephemeral);
}

void load_into_engine(BuildSession& session, const std::vector<BuiltImage>& images, const std::vector<std::string>& names) {
  if (images.size() > 1) throw Error(Category::usage, "--load takes one platform; build one at a time");
  const char* engine = find_program("docker") ? "docker" : "podman";
  if (!find_program(engine)) throw Error(Category::machine, "--load: neither docker nor podman is installed; use --output type=docker,dest=FILE");
  const TempDir folder;
  Output output;
  output.type = OutputType::docker;
  output.destination = (folder.path() / "image.tar").native();
  export_archive(session.layers(), {images[0].root(), {&images[0].image}}, output, names, STDOUT_FILENO);
  const CommandResult result = run_command({{engine, "load", "-q", "-i", output.destination}, {}, {}, {}}, session.cancel());
  if (result.exit_code == 0) return;
  Error error(Category::machine, fmt::format("--load: '{} load' failed with exit code {}", engine, result.exit_code));
  error.set_detail(result.stderr_bytes);
  throw error;
}

void write_output(BuildSession& session, std::vector<BuiltImage>& images, const Output& output, const std::vector<std::string>& names) {
  const std::vector<std::string> full = all_names(output, names);
  switch (output.type) {
    case OutputType::image:
      publish(session, images, output, full);
      return;
    case OutputType::oci:
    case OutputType::docker: {
      ExportedImages exported{root_of(session, images, output.oci_media_types), {}};
      for (const BuiltImage& built : images) exported.images.push_back(&built.image);
      export_archive(session.layers(), exported, output, full, STDOUT_FILENO);
      return;
    }
    case OutputType::local:
    case OutputType::tar:
      write_files(session, images, output);
      return;
  }
}

}  // namespace kiln::cli
