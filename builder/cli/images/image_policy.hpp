#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/words/fleet_policy.hpp"
#include "builder/policy/finding.hpp"
#include "builder/policy/image_checks.hpp"

namespace kiln::cli {

// Holds finished images against a policy, also those that others made: user, HEALTHCHECK, size, packages, licences.
// Borrows what it is given.
class ImagePolicy {
 public:
  ImagePolicy(RegistrySession& session, const FleetPolicy& policy, CancelToken cancel)
      : session_(session), policy_(policy), cancel_(std::move(cancel)) {}

  // Every platform's image of what is in the store as documents. Layers are fetched where the packages are asked for
  // and this machine has not looked into them before, `source` first. What is no image (an artifact, an attestation) is
  // passed over.
  void check(const oci::Reference& name, const oci::Descriptor& root, const std::optional<RemoteRepository>& source);

  const std::vector<PolicyFinding>& findings() const noexcept { return findings_.all(); }
  // What the rules about bases and RUN lines could not be held against, a sentence; empty where there are none of
  // these.
  std::string unchecked_note(const std::string& image) const;
  // Warns of findings, and of what could not be checked, on standard error, as annotations too where GitHub reads it.
  // Error{build} with those that deny.
  void enforce(const std::string& image) const;

 private:
  void check_manifest(const oci::Reference& name, const oci::Descriptor& manifest,
                      const std::optional<RemoteRepository>& source);
  void check_contents(const CheckedImage& image, const oci::Reference& name, const oci::Descriptor& manifest,
                      const std::optional<RemoteRepository>& source);

  RegistrySession& session_;
  const FleetPolicy& policy_;
  CancelToken cancel_;
  ThreadPool pool_;
  PolicyFindings findings_;
};

}  // namespace kiln::cli
