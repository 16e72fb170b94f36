#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace kiln::oci {

// What an image runs on (OCI image spec, image-index.md, "platform"), normalised as containerd does: amd64 for
// x86_64, arm64 for aarch64 (variant v8 is left out), arm gets v7.
struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  std::string os_version;

  // "linux/amd64", "linux/arm/v7", "amd64". Error{usage} for anything else.
  static Platform parse(std::string_view text);
  // Of the machine kiln runs on.
  static Platform host();

  std::string str() const;
  auto operator<=>(const Platform&) const = default;
};

}  // namespace kiln::oci
