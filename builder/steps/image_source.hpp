#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/steps/copy_source.hpp"
#include "builder/steps/layer_access.hpp"

namespace kiln {

// The files of an image or stage, as its layers' indexes tell; only a file that is really copied needs the layers on
// disk.
class ImageSource : public CopySource {
 public:
  // `view` is the layers'; `step` is the text of the instruction that reads it.
  ImageSource(LayerAccess& access, ImageLayers layers, MergedView view, std::string description, std::string step);

  std::optional<FileEntry> lookup(std::string_view path) const override;
  std::string resolve(std::string_view path) const override;
  void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const override;
  void digest(std::vector<FileEntry*>& files) const override;
  std::unique_ptr<ByteSource> open(const std::string& path) const override;
  std::string identity(std::string_view path) const override;
  std::optional<Blocked> bring() const override;
  const ImageLayers* image_layers() const override { return &layers_; }
  std::string describe() const override { return description_; }

 private:
  LayerAccess& access_;
  ImageLayers layers_;
  MergedView view_;
  std::string description_;
  std::string step_;
  mutable std::mutex mutex_;
  mutable std::optional<SnapshotChain> folders_;
};

}  // namespace kiln
