#include "builder/build/policy_inspector.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/sign/image_signatures.hpp"
#include "builder/sign/verification_key.hpp"
#include "builder/solve/debian_request.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMostPublicKeyBytes = std::uint64_t{64} << 10;

std::string key_of_use(const BaseUse& use) {
  return fmt::format("{} {}{}", use.name(), use.platform.str(), use.pull ? " anew" : "");
}

// A PEM text, or the file that holds one.
VerificationKey open_policy_key(const std::string& key) {
  if (key.starts_with("-----BEGIN")) return VerificationKey::parse(key, "a key of base_signature");
  const std::string name = display_path(key);
  return VerificationKey::parse(read_named_file(key, kMostPublicKeyBytes), fmt::format("'{}'", name));
}

}  // namespace

PolicyInspector::PolicyInspector(Workshop& shop) : shop_(shop), bases_(shop.open_looking_bases()) {
  const fs::path& file = shop_.settings().bases.lock_file;
  if (!file.empty()) lock_ = Lock::read(file);
}

BaseFacts PolicyInspector::facts(const BaseUse& use) {
  return std::holds_alternative<DebianBase>(use.meaning) ? debian_facts(use) : image_facts(use);
}

// Its packages are not asked for: what they are stands in the lock file.
BaseFacts PolicyInspector::debian_facts(const BaseUse& use) const {
  BaseFacts facts;
  if (!use.debian) return facts;
  const DebianLock* entry = lock_.find_debian(use.debian->lock_name);
  if (!entry || spec_digest(entry->spec) != spec_digest(debian_spec_of(*use.debian, use.platform))) return facts;
  facts.locked = lock_digest(*entry);
  facts.created = entry->epoch;
  return facts;
}

BaseFacts PolicyInspector::image_facts(const BaseUse& use) {
  BaseFacts facts;
  BaseImage base;
  BaseSource& bases = is_after_build_ ? shop_.bases() : *bases_;
  if (const auto* layout = std::get_if<LayoutBase>(&use.meaning)) {
    base = bases.layout(*layout, use.platform);
  } else {
    const std::string& name = std::get<ImageBase>(use.meaning).reference;
    base = bases.image(name, use.platform, use.pull ? Pull::always : Pull::where_needed);
    facts.locked = lock_.find_image(oci::Reference::parse(name).str(), use.platform.str());
  }
  if (base.digest) {
    facts.digest = base.digest->str();
    first_digests_.emplace(key_of_use(use), *facts.digest);
  }
  facts.created = creation_of(base);
  facts.user = base.config.config.user;
  const auto& healthcheck = base.config.config.healthcheck;
  facts.has_healthcheck = healthcheck && !healthcheck->test.empty() && healthcheck->test.front() != "NONE";
  facts.on_build = base.config.config.on_build;
  return facts;
}

// What the config states where that tells an age, else what the manifest's annotation does.
std::optional<UnixSeconds> PolicyInspector::creation_of(const BaseImage& base) const {
  const auto stated = parse_rfc3339_if_valid(base.config.created);
  if (tells_age(stated) || !base.digest || !shop_.store().has(*base.digest)) return stated;
  const oci::Manifest manifest = oci::parse_manifest(shop_.store().read(*base.digest), base.reference);
  const auto annotation = manifest.annotations.find(oci::kCreatedAnnotation);
  if (annotation == manifest.annotations.end()) return stated;
  const auto annotated = parse_rfc3339_if_valid(annotation->second);
  return annotated ? annotated : stated;
}

std::optional<std::string> PolicyInspector::first_digest(const BaseUse& use) const {
  const auto found = first_digests_.find(key_of_use(use));
  return found == first_digests_.end() ? std::nullopt : std::optional(found->second);
}

std::string PolicyInspector::signature_problem(const BaseUse& use, const std::vector<std::string>& keys) {
  const BaseFacts base = facts(use);
  if (!base.digest) return "it has no digest that a signature could be of";
  const std::string key = fmt::format("{} {}", use.name(), *base.digest);
  const auto known = signature_problems_.find(key);
  if (known != signature_problems_.end()) return known->second;
  const oci::Reference reference = oci::Reference::parse(std::get<ImageBase>(use.meaning).reference);
  return signature_problems_.emplace(key, find_signature(reference, *base.digest, keys)).first->second;
}

// What a signature of a base may hang on: the image that is used, or an index of its registry that holds it.
std::vector<oci::Reference> PolicyInspector::signed_references(const oci::Reference& reference,
                                                               const oci::Digest& used) {
  std::vector<oci::Reference> references;
  if (reference.digest && *reference.digest != used) references.push_back(reference);
  references.push_back(reference.with_digest(used));
  if (reference.digest) return references;
  RegistryClient client = shop_.remote().get().client_for(reference);
  const std::string repository = shop_.remote().get().repository_of(reference).repository;
  const auto tagged = client.find_manifest(repository, reference.tag_or_latest());
  if (!tagged || !oci::media_type::is_index(tagged->descriptor.media_type)) return references;
  const oci::Index index = oci::parse_index(tagged->bytes, fmt::format("index of '{}'", reference.str()));
  const bool holds_it = std::any_of(index.manifests.begin(), index.manifests.end(),
                                    [&](const oci::Descriptor& entry) { return entry.digest == used; });
  if (holds_it) references.insert(references.begin(), reference.with_digest(tagged->descriptor.digest));
  return references;
}

std::string PolicyInspector::find_signature(const oci::Reference& reference, const std::string& digest,
                                            const std::vector<std::string>& keys) {
  std::vector<VerificationKey> opened;
  for (const std::string& key : keys) opened.push_back(open_policy_key(key));
  std::size_t found = 0;
  for (const oci::Reference& image : signed_references(reference, oci::Digest::parse(digest))) {
    for (const VerificationKey& key : opened) {
      const VerifiedImage verified = verify_signatures(shop_.remote().get(), image, key);
      if (verified.is_signed()) return "";
      found = std::max(found, verified.signatures.size());
    }
  }
  constexpr std::size_t kShownDigest = 19;
  const std::string shown = digest.substr(0, kShownDigest);
  if (found == 0) return fmt::format("{} has no signature", shown);
  return fmt::format("{} has {}, and none is by one of them", shown, count_of(found, "signature"));
}

}  // namespace kiln
