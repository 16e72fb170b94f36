#pragma once

#include <string>
#include <vector>

#include "registry/remote/push.hpp"
#include "registry/remote/wire_stats.hpp"

namespace kiln::cli {

// The request to give an image these names. Error{usage} for a name with the digest of another image.
PushRequest push_request(const oci::Descriptor& root, std::vector<oci::Reference> targets);

enum class OutputFormat { text, json };

// What a push came to: a line for each name and for each image that was signed, or JSON {"targets": [{"name", "digest",
// "outcome"}], "signed": [NAME@DIGEST], "wire"}.
std::string push_outcome_text(const PushOutcome& outcome, const WireStats& stats, OutputFormat format,
                              const std::vector<std::string>& signed_images = {});

}  // namespace kiln::cli
