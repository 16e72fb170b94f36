#pragma once

#include <compare>
#include <optional>
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

  // The same platform in the words that containerd normalises it to ("arm" is "arm/v7", "x86_64" is "amd64").
  Platform normalised() const;
  // How well an image of the platform `image` runs here, as containerd's platforms.Only orders them: 0 the same one,
  // more for lower variants (v6 on v7) and then for 32 bits (386 on amd64, arm on arm64); nullopt not at all.
  std::optional<int> distance_to(const Platform& image) const;
  // Names neither system nor architecture.
  bool is_empty() const { return os.empty() && architecture.empty(); }

  // unknown/unknown: an index calls so what is no image, such as an attestation of one, so that no engine runs it.
  static Platform unknown() { return {"unknown", "unknown", "", ""}; }
  bool is_unknown() const { return os == "unknown"; }

  std::string str() const;
  // For messages about an image of others: printable, and of a long one the beginning.
  std::string shown() const;
  auto operator<=>(const Platform&) const = default;
};

}  // namespace kiln::oci
