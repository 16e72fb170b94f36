#include "builder/cli/build_outputs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "builder/solve/exporter.hpp"
#include "builder/solve/layer_claims.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln::cli {

namespace {

std::vector<std::string> all_names(const Output& output, std::vector<std::string> names) {
  for (const std::string& name : output.names) names.push_back(oci::Reference::parse(name).str());
  return names;
}

// The images under one name: the first stands for all of them.
void publish(BuildSession& session, std::vector<BuiltImage>& images, const Output& output,
             const std::vector<std::string>& names) {
  if (images.size() > 1) images[0].index = root_of(session, images, output);
  std::vector<std::vector<std::string>> named(images.size());
  named[0] = names;
  if (output.push_by_digest) {
    const oci::Digest digest = images[0].root().digest;
    for (std::string& name : named[0]) name = oci::Reference::parse(name).name() + "@" + digest.str();
  }
  if (output.push) session.push(images, named);
  if (!output.store || output.push_by_digest || names.empty()) return;
  if (!output.push) {
    for (const BuiltImage& built : images) {
      for (const ImageLayer& layer : built.image.layers) checked_blob(session.layers(), layer);
    }
  }
  using AbsentLayers = BuildSession::AbsentLayers;
  session.name_in_store(images, named, output.push ? AbsentLayers::leave_unnamed : AbsentLayers::fetch);
}

void write_files(BuildSession& session, const std::vector<BuiltImage>& images, const Output& output,
                 std::optional<UnixSeconds> mtime) {
  std::vector<ExportedFiles> exported;
  for (const BuiltImage& built : images) {
    ExportedFiles files{&built.image.layers, ""};
    if (output.platform_split.value_or(images.size() > 1)) {
      files.folder = built.image.image.platform.str();
      std::replace(files.folder.begin(), files.folder.end(), '/', '_');
    }
    exported.push_back(std::move(files));
  }
  export_files(session.layers(), exported, output, mtime, STDOUT_FILENO);
}

// The docker of this machine where its daemon answers, else the podman.
const char* find_engine(BuildSession& session) {
  const bool has_podman = find_program("podman").has_value();
  if (!find_program("docker")) {
    if (has_podman) return "podman";
    throw Error(Category::machine,
                "--load: neither docker nor podman is installed; use --output type=docker,dest=FILE");
  }
  // A docker program may be there without a daemon, beside a podman that needs none.
  if (!has_podman || run_command({{"docker", "version"}, {}, {}, {}}, session.cancel()).exit_code == 0) return "docker";
  session.observer().warn("--load: no docker daemon answers; loading into podman");
  return "podman";
}

bool has_annotation(const Output& output, std::initializer_list<AnnotationPlace> places) {
  return std::any_of(output.annotations.begin(), output.annotations.end(), [&](const Annotation& annotation) {
    return std::find(places.begin(), places.end(), annotation.place) != places.end();
  });
}

void check_output(const Output& output, const std::vector<std::string>& names, std::size_t platforms) {
  const auto full = all_names(output, names);
  if (output.push && full.empty()) throw Error(Category::usage, "--push needs a name; give one with -t");
  if (output.destination == "-" && ::isatty(STDOUT_FILENO) == 1) {
    throw Error(Category::usage, "--output: standard output is a terminal; name a file with dest=FILE, or redirect it");
  }
  if (output.push_by_digest) {
    for (const std::string& name : names) {
      throw Error(Category::usage,
                  fmt::format("push-by-digest pushes under no tag; say name=REPOSITORY in place of -t '{}'", name));
    }
    for (const std::string& name : output.names) {
      if (!oci::Reference::parse(name).tag) continue;
      throw Error(Category::usage,
                  fmt::format("push-by-digest pushes under no tag, but '{}' has one; leave it out", name));
    }
  }
  if (platforms < 2) {
    if (has_annotation(output, {AnnotationPlace::index, AnnotationPlace::index_descriptor})) {
      throw Error(Category::usage,
                  "--annotation: one platform has no index; annotate the manifest, or build for several platforms");
    }
  } else if (output.type == OutputType::docker) {
    throw Error(Category::usage, "type=docker holds one platform; build one at a time, or use type=oci");
  }
}

}  // namespace

void check_outputs(const std::vector<Output>& outputs, const std::vector<std::string>& names, std::size_t platforms) {
  for (const Output& output : outputs) check_output(output, names, platforms);
}

oci::Descriptor root_of(BuildSession& session, const std::vector<BuiltImage>& images, const Output& output) {
  const auto entry_of = [&](const BuiltImage& built) {
    oci::Descriptor entry = built.image.manifest;
    entry.annotations.merge(
        annotations_at(output.annotations, AnnotationPlace::manifest_descriptor, built.image.image.platform));
    return entry;
  };
  if (images.size() == 1) return entry_of(images[0]);
  oci::Index index;
  index.media_type = output.oci_media_types ? oci::media_type::kOciIndex : oci::media_type::kDockerManifestList;
  index.annotations = annotations_at(output.annotations, AnnotationPlace::index);
  for (const BuiltImage& built : images) index.manifests.push_back(entry_of(built));
  oci::Descriptor root = session.store().put(serialise(index), index.media_type, Durability::ephemeral);
  root.annotations = annotations_at(output.annotations, AnnotationPlace::index_descriptor);
  return root;
}

void load_into_engine(BuildSession& session, const std::vector<BuiltImage>& images,
                      const std::vector<std::string>& names) {
  if (images.size() > 1) throw Error(Category::usage, "--load takes one platform; build one at a time");
  const char* engine = find_engine(session);
  const TempDir folder;
  Output output;
  output.type = OutputType::docker;
  output.load = true;
  output.destination = (folder.path() / "image.tar").native();
  export_archive(session.layers(), {images[0].root(), {&images[0].image}}, output, names, STDOUT_FILENO);
  const CommandResult result =
      run_command({{engine, "load", "-q", "-i", output.destination}, {}, {}, {}}, session.cancel());
  if (result.exit_code == 0) return;
  Error error(Category::machine, fmt::format("--load: '{} load' failed with exit code {}", engine, result.exit_code));
  error.set_detail(result.stderr_bytes);
  throw error;
}

void write_output(BuildSession& session, std::vector<BuiltImage>& images, const Output& output,
                  const std::vector<std::string>& names, std::optional<UnixSeconds> mtime) {
  const std::vector<std::string> full = all_names(output, names);
  switch (output.type) {
    case OutputType::image:
      publish(session, images, output, full);
      return;
    case OutputType::oci:
    case OutputType::docker: {
      if (output.load) return load_into_engine(session, images, full);
      ExportedImages exported{root_of(session, images, output), {}};
      for (const BuiltImage& built : images) exported.images.push_back(&built.image);
      export_archive(session.layers(), exported, output, full, STDOUT_FILENO);
      return;
    }
    case OutputType::local:
    case OutputType::tar:
      write_files(session, images, output, mtime);
      return;
    case OutputType::cache_only:
      return;
  }
}

}  // namespace kiln::cli
