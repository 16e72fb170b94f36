#pragma once

#include <string>
#include <vector>

#include "registry/remote/push.hpp"
#include "registry/remote/wire_stats.hpp"

namespace kiln::cli {

// The request to give an image these names. Error{usage} for a name with the digest of another image.
PushRequest push_request(const oci::Descriptor& root, std::vector<oci::Reference> targets);

enum class OutputFormat { text, json };

// What was put beside pushed images, as NAME@DIGEST of those.
struct PutBeside {
  std::vector<std::string> attested;
  std::vector<std::string> signed_images;
};

// What a push came to: a line for each name and for each image that was attested or signed, or JSON {"targets":
// [{"name", "digest", "outcome"}], "attested": [NAME@DIGEST], "signed": [NAME@DIGEST], "wire"}.
std::string push_outcome_text(const PushOutcome& outcome, const WireStats& stats, OutputFormat format,
                              const PutBeside& beside = {});
// The lines alone of what was put beside.
std::string put_beside_text(const PutBeside& beside);

}  // namespace kiln::cli
