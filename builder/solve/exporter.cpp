#include "builder/solve/exporter.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "builder/steps/archive_file.hpp"
#include "registry/store/index_json.hpp"
#include "registry/store/verifying_reader.hpp"

namespace kiln {

namespace {

using nlohmann::json;

// A file of an archive or folder: bytes in memory, or a blob of the store.
struct ExportFile {
  std::string path;
  std::string bytes;
  const oci::Digest* blob = nullptr;
  std::uint64_t size = 0;
};

std::vector<oci::Descriptor> blobs_of(const ExportedImages& exported) {
  std::vector<oci::Descriptor> blobs = {exported.root};
  for (const AssembledImage* image : exported.images) {
    blobs.push_back(image->manifest);
    blobs.push_back(image->config);
    blobs.insert(blobs.end(), image->parsed.layers.begin(), image->parsed.layers.end());
  }
  blobs.insert(blobs.end(), exported.beside.begin(), exported.beside.end());
  return blobs;
}

std::string layout_index(const oci::Descriptor& root, const std::vector<std::string>& names) {
  json manifests = json::array();
  const auto add = [&](const std::string& name) {
    oci::Descriptor entry = root;
    if (!name.empty()) {
      const oci::Reference reference = oci::Reference::parse(name);
      entry.annotations["io.containerd.image.name"] = reference.str();
      entry.annotations[kRefNameAnnotation] = reference.tag_or_latest();
    }
    manifests.push_back(oci::to_json(entry));
  };
  for (const std::string& name : names) add(name);
  if (names.empty()) add("");
  const auto text =
      strict_json_text(json{{"schemaVersion", 2}, {"mediaType", oci::media_type::kOciIndex}, {"manifests", manifests}});
  if (!text) throw Error(Category::usage, "an annotation is not valid UTF-8, which an index cannot hold");
  return *text;
}

// In an archive that is loaded names are in full, since podman takes those without a registry for names of localhost.
std::string docker_manifest(const AssembledImage& image, const Output& output, const std::vector<std::string>& names) {
  json tags = json::array();
  for (const std::string& name : names) {
    const oci::Reference reference = oci::Reference::parse(name);
    tags.push_back((output.load ? reference.name() : reference.familiar_name()) + ":" + reference.tag_or_latest());
  }
  json layers = json::array();
  for (const oci::Descriptor& layer : image.parsed.layers)
    layers.push_back("blobs/sha256/" + std::string(layer.digest.hex()));
  return json_text(json::array({{{"Config", "blobs/sha256/" + std::string(image.config.digest.hex())},
                                 {"RepoTags", tags},
                                 {"Layers", layers}}}));
}

// Calls `write` for every file of the layout, blobs once each.
template <class Write>
void for_each_file(const ExportedImages& exported, const Output& output, const std::vector<std::string>& names,
                   const Write& write) {
  std::set<oci::Digest> written;
  const auto blobs = blobs_of(exported);
  for (const oci::Descriptor& blob : blobs) {
    if (written.insert(blob.digest).second) {
      write(ExportFile{"blobs/sha256/" + std::string(blob.digest.hex()), {}, &blob.digest, blob.size});
    }
  }
  write(ExportFile{"index.json", layout_index(exported.root, names), nullptr, 0});
  if (output.type == OutputType::docker)
    write(ExportFile{"manifest.json", docker_manifest(*exported.images.at(0), output, names), nullptr, 0});
  write(ExportFile{"oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", nullptr, 0});
}

void copy_blob(const ContentStore& store, const oci::Digest& digest,
               const std::function<void(std::string_view)>& sink) {
  VerifyingReader reader(store, digest);
  std::string buffer(std::size_t{1} << 20, '\0');
  while (const std::size_t got = reader.read(buffer.data(), buffer.size()))
    sink(std::string_view(buffer).substr(0, got));
  reader.finish();
}

void write_layout_folder(LayerAccess& access, const ExportedImages& exported, const Output& output,
                         const std::vector<std::string>& names) {
  const fs::path folder = output.destination;
  make_directories(folder / "blobs/sha256");
  for_each_file(exported, output, names, [&](const ExportFile& file) {
    AtomicFile target(folder / file.path);
    if (file.blob) {
      copy_blob(access.store(), *file.blob, [&](std::string_view bytes) { target.write(bytes); });
    } else {
      target.write(file.bytes);
    }
    target.commit(Durability::ephemeral);
  });
}

FileEntry archive_entry(const std::string& path, EntryType type, std::uint16_t mode, std::uint64_t size) {
  FileEntry entry;
  entry.path = path;
  entry.type = type;
  entry.mode = mode;
  entry.size = size;
  return entry;
}

}  // namespace

void export_archive(LayerAccess& access, const ExportedImages& exported, const Output& output,
                    const std::vector<std::string>& names, int stdout_fd) {
  for (const AssembledImage* image : exported.images) {
    for (const ImageLayer& layer : image->layers) still_there(access.blobs().checked(layer));
  }
  if (!output.as_tar) return write_layout_folder(access, exported, output, names);
  write_archive_to(output.destination, stdout_fd, [&](TarEncoder& tar) {
    tar.header(archive_entry("blobs", EntryType::directory, 0755, 0));
    tar.header(archive_entry("blobs/sha256", EntryType::directory, 0755, 0));
    for_each_file(exported, output, names, [&](const ExportFile& file) {
      tar.header(archive_entry(file.path, EntryType::file, 0644, file.blob ? file.size : file.bytes.size()));
      if (file.blob) {
        copy_blob(access.store(), *file.blob, [&](std::string_view bytes) { tar.data(bytes); });
      } else {
        tar.data(file.bytes);
      }
    });
    tar.finish();
  });
}

}  // namespace kiln
