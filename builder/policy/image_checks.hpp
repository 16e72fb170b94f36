#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/packages/image_packages.hpp"
#include "builder/policy/finding.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

// A finished image as the policy looks at it. Borrows the config.
struct CheckedImage {
  PolicySubject subject;
  const oci::ImageConfig* config = nullptr;
  std::vector<std::uint64_t> layer_bytes;  // of the blobs, from the bottom
  // The lines that made it, where they are known: of each layer (as many, or none), and those that decide how its
  // program starts.
  std::vector<PolicyPlace> layers = {};
  PolicyPlace user = {};
  PolicyPlace healthcheck = {};
};

// What of `user`, `healthcheck` and `size` a finished image breaks.
void check_image(const PolicyRules& rules, const CheckedImage& image, PolicyFindings& findings);

// Whether the image's files decide whether it breaks `user`: the rule is about it, and its user is a name.
bool asks_for_users(const PolicyRules& rules, const CheckedImage& image);

// The finding where the number of that user, as the image's files have it, is root's.
void check_uid(const PolicyRules& rules, const CheckedImage& image, std::optional<std::uint32_t> uid,
               PolicyFindings& findings);

// The finding where they cannot be looked at: `problem` says why not.
void report_unseen_users(const PolicyRules& rules, const CheckedImage& image, const std::string& problem,
                         PolicyFindings& findings);

// Whether a rule of the two below is about an image: only then its packages are read.
bool asks_for_packages(const PolicyRules& rules, const PolicySubject& subject);

// What of `packages` and `licences` the packages of an image break. What could not be read of them is a finding too.
void check_packages(const PolicyRules& rules, const CheckedImage& image, const ImagePackages& packages,
                    PolicyFindings& findings);

// The findings for an image whose layers cannot be looked at, of each rule that would have to: `problem` says why not.
void report_unseen_packages(const PolicyRules& rules, const CheckedImage& image, const std::string& problem,
                            PolicyFindings& findings);

// The same of an image that cannot be looked at at all.
void report_unseen_image(const PolicyRules& rules, const CheckedImage& image, const std::string& problem,
                         PolicyFindings& findings);

}  // namespace kiln
