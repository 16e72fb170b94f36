#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/build/workshop.hpp"
#include "builder/debian/lock.hpp"
#include "builder/policy/base_checks.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

// Asks for bases, and for signatures at their registries. Before the build nothing is recorded in the lock file: what
// is denied is not to be let through the next time because it is locked by then. Once the build has asked for its bases
// these are looked at. What the lock file says is what it said before the build. One thread.
class PolicyInspector final : public BaseInspector {
 public:
  explicit PolicyInspector(Workshop& shop);

  BaseFacts facts(const BaseUse& use) override;
  std::string signature_problem(const BaseUse& use, const std::vector<std::string>& keys) override;
  UnixSeconds now() const override { return shop_.clock().now(); }

  // From here on bases are what the build got.
  void look_at_build() { is_after_build_ = true; }
  // The digest that was looked at first; nullopt where none was.
  std::optional<std::string> first_digest(const BaseUse& use) const;

 private:
  BaseFacts image_facts(const BaseUse& use);
  BaseFacts debian_facts(const BaseUse& use) const;
  std::optional<UnixSeconds> creation_of(const BaseImage& base) const;
  std::vector<oci::Reference> signed_references(const oci::Reference& reference, const oci::Digest& used);
  std::string find_signature(const oci::Reference& reference, const std::string& digest,
                             const std::vector<std::string>& keys);

  Workshop& shop_;
  std::unique_ptr<BaseSource> bases_;  // those before the build
  bool is_after_build_ = false;
  Lock lock_;
  std::map<std::string, std::string> first_digests_;       // by name, platform and whether it is asked for anew
  std::map<std::string, std::string> signature_problems_;  // by name and digest
};

}  // namespace kiln
