#include "builder/solve/debian_request.hpp"

namespace kiln {

DebianSpec debian_spec_of(const DebianRequest& request, const oci::Platform& platform) {
  DebianSpec spec;
  spec.suite = request.suite;
  spec.variant = request.variant;
  spec.include = request.include;
  if (!request.components.empty()) spec.components = request.components;
  spec.mirror = request.mirror;
  spec.security_mirror = request.security_mirror;
  spec.architecture = debian_architecture(platform.architecture, platform.variant);
  spec.normalize();
  return spec;
}

}  // namespace kiln
