#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/build/build_request.hpp"
#include "builder/build/delivery.hpp"
#include "builder/build/remembered_push.hpp"
#include "builder/build/workshop.hpp"
#include "registry/remote/push.hpp"

namespace kiln {

// Images with one root, and the references to push it under.
struct PushedImages {
  const std::vector<BuiltImage>* images = nullptr;  // one for each platform
  oci::Descriptor root;
  std::vector<std::string> names;  // none: only the layers' places are made known
};

// Pushes what was built, shown as tasks. Layers that are not in the store are mounted or streamed from where they are;
// what failed is remembered in the home. Offline all is remembered and nothing sent.
class ImagePush {
 public:
  explicit ImagePush(Workshop& shop) : shop_(shop) {}

  // How each ended, in the order of the images, once all were tried. A push that lost layers is not remembered.
  std::vector<PushEnd> push(const std::vector<PushedImages>& pushed);

 private:
  void check_layers(const std::vector<PushedImages>& pushed);
  void remember_all(const std::vector<PushRequest>& requests, const BlobSources& sources);

  Workshop& shop_;
};

}  // namespace kiln
