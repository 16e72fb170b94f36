#include "builder/cli/output/push_outcome.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace kiln::cli {

PushRequest push_request(const oci::Descriptor& root, std::vector<oci::Reference> targets) {
  for (const oci::Reference& target : targets) {
    if (!target.digest || *target.digest == root.digest) continue;
    throw Error(Category::usage,
                fmt::format("'{}' names another image than the one to push, '{}'; leave the digest out", target.str(),
                            root.digest.str()));
  }
  return {root, std::move(targets)};
}

std::string push_outcome_text(const PushOutcome& outcome, const WireStats& stats, OutputFormat format,
                              const PutBeside& beside) {
  std::string text;
  nlohmann::json targets = nlohmann::json::array();
  for (const PushedTarget& pushed : outcome.targets) {
    const bool was_there = pushed.outcome == TransferOutcome::skipped;
    const std::string digest = pushed.target.digest ? pushed.target.digest->str() : "";
    oci::Reference name = pushed.target;
    if (name.tag) name.digest.reset();
    if (format == OutputFormat::text) {
      text +=
          fmt::format("{} {}@{}\n", was_there ? "unchanged" : "pushed", name.tag ? name.str() : name.name(), digest);
    } else {
      targets.push_back({{"name", name.str()}, {"digest", digest}, {"outcome", was_there ? "unchanged" : "pushed"}});
    }
  }
  if (format == OutputFormat::text) return text + put_beside_text(beside);
  const nlohmann::json wire = {{"pushed_bytes", stats.pushed_bytes.load()},
                               {"pulled_bytes", stats.pulled_bytes.load()},
                               {"mounted_bytes", stats.mounted_bytes.load()},
                               {"skipped_bytes", stats.skipped_bytes.load()}};
  return json_text(nlohmann::json{{"targets", std::move(targets)},
                                  {"attested", beside.attested},
                                  {"signed", beside.signed_images},
                                  {"wire", wire}},
                   JsonLayout::indented) +
         "\n";
}

std::string put_beside_text(const PutBeside& beside) {
  std::string text;
  for (const std::string& image : beside.attested) text += fmt::format("attached provenance to {}\n", image);
  for (const std::string& image : beside.signed_images) text += fmt::format("signed {}\n", image);
  return text;
}

}  // namespace kiln::cli
