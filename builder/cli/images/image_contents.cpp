#include "builder/cli/images/image_contents.hpp"

#include <fmt/format.h>

#include "builder/cli/output/stderr_log.hpp"
#include "builder/packages/layer_files.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

ImagePackages read_packages(RegistrySession& session, ThreadPool& pool, const OpenedImage& image,
                            const CancelToken& cancel, FileList files) {
  ContentStore& store = session.store();
  const ReadLayerFiles read = [&](std::size_t layer, const std::set<std::string>& paths) {
    const oci::Descriptor& blob = image.parsed.layers[layer];
    if (image.source || !store.has(blob.digest))
      fetch_blob(session.remote(), store, blob, image.source, &session.transfers());
    return read_layer_files(store, pool, blob, *image.files.layers()[layer], paths, cancel);
  };
  return packages_of({image.files, image.parsed.layers, image.config.history}, read, files);
}

void warn_of_notes(const std::string& image, const ImagePackages& packages) {
  StderrLog log;
  for (const std::string& note : packages.notes) log.warn(fmt::format("'{}': {}", image, note));
}

}  // namespace kiln::cli
