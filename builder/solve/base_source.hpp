#pragma once

#include <map>
#include <optional>
#include <string>

#include "builder/plan/plan.hpp"
#include "builder/steps/image_layers.hpp"
#include "builder/steps/material.hpp"
#include "builder/steps/or_blocked.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

// An image to build on.
struct BaseImage {
  oci::ImageConfig config;
  ImageLayers layers;
  std::string reference;              // as people know it
  std::optional<oci::Digest> digest;  // of the manifest, where there is one
  Materials materials = {};           // itself, or the packages that it was made of
};

// Whether a registry is asked for an image that the lock or the store knows.
enum class Pull { where_needed, always };
inline Pull pull_of(const TargetSpec& target) { return target.pull ? Pull::always : Pull::where_needed; }

// A base that a target of the plan takes files from.
struct TakenBase {
  std::size_t target = 0;
  NameMeaning meaning;
  oci::Platform platform;
  bool is_stage_base = false;  // after FROM: its ONBUILD triggers are executed
};

// Where the images come from that a build stands on and does not make itself. Any thread.
class BaseSource {
 public:
  virtual ~BaseSource() = default;
  // Told by a stage before it asks for what it stands on or copies from: which target takes a base shows nowhere else
  // where a variable hides its name, or a trigger of another base has it.
  virtual void note_taken(const TakenBase&) {}
  // Of a registry or the store; of an OCI layout; of Debian packages, which is a step of `target`.
  virtual BaseImage image(const std::string& reference, const oci::Platform& platform, Pull pull) = 0;
  virtual BaseImage layout(const LayoutBase& layout, const oci::Platform& platform) = 0;
  virtual OrBlocked<BaseImage> debian(const DebianRequest& request, const oci::Platform& platform,
                                      const std::string& target) = 0;
  // No place has the layers of these steps: a Debian root among them is solved again when it is asked for.
  virtual void lose(const Blocked& lost) = 0;
  // Of a look: by name what the lock file lacks and a build would record first, as a sentence.
  virtual std::map<std::string, std::string> would_lock() const { return {}; }
};

}  // namespace kiln
