#include "builder/build/built_packages.hpp"

#include "base/error.hpp"
#include "builder/packages/layer_files.hpp"

namespace kiln {

OrBlocked<ImagePackages> built_packages(const BuiltImage& built, LayerAccess& access, FileList files) {
  const ImageLayers& layers = built.image.layers;
  OrBlocked<MergedView> view = access.view(layers);
  if (view.is_blocked()) return view.blocked();
  Blocked lost;
  const ReadLayerFiles read = [&](std::size_t layer,
                                  const std::set<std::string>& paths) -> std::map<std::string, std::string> {
    const OrBlocked<LayerBlob> blob = access.blobs().local(layers[layer]);
    if (blob.is_blocked()) {
      lost.add(blob.blocked());
      return {};
    }
    return read_layer_files(access.store(), access.pool(), blob.value().descriptor, *view.value().layers()[layer],
                            paths, access.cancel());
  };
  ImagePackages packages =
      packages_of({view.value(), built.image.parsed.layers, built.image.image.history}, read, files);
  if (!lost.lost.empty()) return lost;
  return packages;
}

}  // namespace kiln
