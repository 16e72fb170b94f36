#include "builder/sign/image_signatures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/sign/signed_statement.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

constexpr std::size_t kMostSignatures = 1000;                          // of one form, as cosign reads
constexpr std::uint64_t kMostSignatureBytes = std::uint64_t{1} << 20;  // a payload or a bundle
constexpr int kTagAttempts = 5;

// An image at its registry.
struct PlacedImage {
  oci::Reference reference;  // by digest
  RegistryClient client;
  std::string repository;
  Descriptor descriptor;
};

PlacedImage place_image(RemoteSession& session, const oci::Reference& image) {
  RegistryClient client = session.client_for(image);
  const std::string repository = session.repository_of(image).repository;
  const auto found = client.resolve(repository, image.manifest_key());
  if (!found) throw Error(Category::network, fmt::format("the registry has no image '{}'", image.str()));
  return {image.with_digest(found->digest), std::move(client), repository, *found};
}

void check_count(std::size_t count, const PlacedImage& image, std::string_view form) {
  if (count > kMostSignatures) {
    throw Error(Category::network, fmt::format("'{}' has {} signatures by {}; more than {} are not read",
                                               image.reference.str(), count, form, kMostSignatures));
  }
}

// The manifest under the image's signature tag; without layers where there is none.
oci::Manifest tagged_signatures(PlacedImage& image) {
  const std::string tag = signature_tag(image.descriptor.digest);
  const auto found = image.client.find_manifest(image.repository, tag);
  if (!found) return {};
  const std::string where = fmt::format("signatures '{}:{}'", image.reference.name(), tag);
  oci::Manifest manifest = oci::parse_manifest(found->bytes, where);
  check_count(manifest.layers.size(), image, "tag");
  return manifest;
}

// cosign looks at a config of an image, with the layers' digests.
std::string signatures_config(const std::vector<Descriptor>& layers) {
  nlohmann::ordered_json config;
  config["architecture"] = "";
  config["os"] = "";
  config["config"] = nlohmann::ordered_json::object();
  config["rootfs"]["type"] = "layers";
  config["rootfs"]["diff_ids"] = nlohmann::ordered_json::array();
  for (const Descriptor& layer : layers) config["rootfs"]["diff_ids"].push_back(layer.digest.str());
  return json_text(config);
}

bool has_layer(const oci::Manifest& manifest, const Descriptor& layer) {
  return std::find(manifest.layers.begin(), manifest.layers.end(), layer) != manifest.layers.end();
}

// A payload or bundle; nullopt, and why, where it cannot be had.
std::optional<std::string> small_blob(PlacedImage& image, const Descriptor& blob, std::string& problem) {
  if (blob.size > kMostSignatureBytes) {
    problem = fmt::format("it has {} bytes; more than {} are not read", blob.size, kMostSignatureBytes);
    return std::nullopt;
  }
  auto bytes = image.client.find_blob_bytes(image.repository, blob, kMostSignatureBytes);
  if (!bytes) problem = "the registry has lost it";
  return bytes;
}

FoundSignature tagged_signature(PlacedImage& image, const Descriptor& layer, const VerificationKey& key) {
  FoundSignature found{SignatureForm::tag, layer.digest, {}};
  const auto signature = layer.annotations.find(kSignatureAnnotation);
  if (layer.media_type != kSimpleSigningType || signature == layer.annotations.end()) {
    found.problem = fmt::format("its type is '{}', expected '{}' with the annotation '{}'", printable(layer.media_type),
                                kSimpleSigningType, kSignatureAnnotation);
    return found;
  }
  const auto payload = small_blob(image, layer, found.problem);
  if (payload) found.problem = simple_signing_problem(*payload, signature->second, image.descriptor.digest, key);
  return found;
}

bool is_bundle_type(std::string_view type) { return type.starts_with("application/vnd.dev.sigstore.bundle"); }

// What a referrer says that its bundle is; nullopt where it does not say.
std::optional<std::string> said_predicate(const oci::Annotations& annotations) {
  const auto found = annotations.find(kBundlePredicateAnnotation);
  return found == annotations.end() ? std::nullopt : std::optional(found->second);
}

// nullopt for what is no signature but something else that hangs on the image.
std::optional<FoundSignature> bundled_signature(PlacedImage& image, const Referrer& referrer,
                                                const VerificationKey& key) {
  const auto fetched =
      image.client.find_manifest(image.repository, referrer.descriptor.digest.str(), referrer.descriptor);
  if (!fetched || !oci::media_type::is_manifest(fetched->descriptor.media_type)) return std::nullopt;
  const std::string where = fmt::format("signature '{}@{}'", image.reference.name(), referrer.descriptor.digest.str());
  const oci::Manifest manifest = oci::parse_manifest(fetched->bytes, where);
  if (manifest.layers.size() != 1 || !is_bundle_type(manifest.layers.front().media_type)) return std::nullopt;
  if (said_predicate(manifest.annotations).value_or(kSignPredicateType) != kSignPredicateType) return std::nullopt;
  const Descriptor& layer = manifest.layers.front();
  FoundSignature found{SignatureForm::bundle, layer.digest, {}};
  const auto bundle = small_blob(image, layer, found.problem);
  if (bundle) found.problem = sigstore_bundle_problem(*bundle, image.descriptor.digest, key);
  return found;
}

// The same; what is damaged is one that does not count, and others are looked at.
std::optional<FoundSignature> readable_signature(PlacedImage& image, const Referrer& referrer,
                                                 const VerificationKey& key) {
  try {
    return bundled_signature(image, referrer, key);
  } catch (const RegistryError&) {
    throw;
  } catch (const TransportError&) {
    throw;
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    return FoundSignature{SignatureForm::bundle, referrer.descriptor.digest, error.message()};
  }
}

std::vector<FoundSignature> find_signatures(PlacedImage& image, SignatureForm form, ReferrersWay way,
                                            const VerificationKey& key) {
  std::vector<FoundSignature> signatures;
  if (form == SignatureForm::tag) {
    for (const Descriptor& layer : tagged_signatures(image).layers)
      signatures.push_back(tagged_signature(image, layer, key));
    return signatures;
  }
  std::size_t bundles = 0;
  for (const Referrer& referrer : list_referrers(image.client, image.repository, image.descriptor.digest, {}, way)) {
    // Registries of before OCI 1.1 list no type.
    if (!referrer.artifact_type.empty() && !is_bundle_type(referrer.artifact_type)) continue;
    if (said_predicate(referrer.annotations).value_or(kSignPredicateType) != kSignPredicateType) continue;
    check_count(++bundles, image, "bundle");
    if (auto found = readable_signature(image, referrer, key)) signatures.push_back(*std::move(found));
  }
  return signatures;
}

bool is_by_key(const FoundSignature& signature) { return signature.problem.empty(); }

// Others may write the tag at the same time: it is read again afterwards.
void add_tagged_signature(PlacedImage& image, const SigningKey& key) {
  const std::string payload = simple_signing_payload(image.reference.name(), image.descriptor.digest);
  Descriptor layer{kSimpleSigningType, oci::sha256_of(payload), payload.size(), {}, {}, {}};
  layer.annotations[kSignatureAnnotation] = base64_encoded(key.sign(payload));
  image.client.upload_bytes(image.repository, layer, payload);
  const std::string tag = signature_tag(image.descriptor.digest);
  for (int attempt = 0;; ++attempt) {
    oci::Manifest manifest = tagged_signatures(image);
    if (has_layer(manifest, layer)) return;
    if (attempt == kTagAttempts) {
      throw Error(Category::network, fmt::format("a signature was written into '{}:{}' {} times, and others overwrote "
                                                 "it each time; sign again",
                                                 image.reference.name(), tag, kTagAttempts));
    }
    const TaggedSignatures next = with_more_signatures(std::move(manifest), {layer});
    check_count(next.manifest.layers.size(), image, "tag");
    image.client.upload_bytes(image.repository, next.manifest.config, next.config);
    image.client.put_manifest(image.repository, tag, oci::serialise(next.manifest), next.manifest.media_type);
  }
}

std::string add_bundled_signature(PlacedImage& image, const SigningKey& key, ReferrersWay way) {
  Artifact artifact;
  artifact.artifact_type = kBundleType;
  artifact.layers = {{kBundleType, sigstore_bundle(image.descriptor.digest, key)}};
  artifact.annotations = {{kBundleContentAnnotation, "dsse-envelope"},
                          {kBundlePredicateAnnotation, kSignPredicateType}};
  return attach_referrer(image.client, image.repository, image.descriptor, artifact, way).refusal;
}

}  // namespace

std::string_view name_of(SignatureForm form) { return form == SignatureForm::tag ? "tag" : "bundle"; }

std::string signature_tag(const Digest& image) { return referrers_fallback_tag(image) + ".sig"; }

std::string refused_subject_note(const SignedImage& done) {
  return fmt::format(
      "'{}': the registry takes no artifact with a subject, so its signature is kept without one, and the "
      "tag '{}' lists it ({})",
      done.image.str(), referrers_fallback_tag(*done.image.digest), done.refusal);
}

TaggedSignatures with_more_signatures(oci::Manifest manifest, const std::vector<Descriptor>& layers) {
  for (const Descriptor& layer : layers) {
    if (!has_layer(manifest, layer)) manifest.layers.push_back(layer);
  }
  std::string config = signatures_config(manifest.layers);
  manifest.config = {oci::media_type::kOciConfig, oci::sha256_of(config), config.size(), {}, {}, {}};
  return {std::move(manifest), std::move(config)};
}

bool VerifiedImage::is_signed() const { return std::any_of(signatures.begin(), signatures.end(), is_by_key); }

VerifiedImage verify_signatures(RemoteSession& session, const oci::Reference& image, const VerificationKey& key) {
  return with_context([&] { return fmt::format("while verifying '{}'", image.str()); },
                      [&] {
                        PlacedImage placed = place_image(session, image);
                        VerifiedImage verified{placed.reference, {}};
                        for (const SignatureForm form : {SignatureForm::bundle, SignatureForm::tag}) {
                          for (FoundSignature& found : find_signatures(placed, form, ReferrersWay::automatic, key))
                            verified.signatures.push_back(std::move(found));
                        }
                        return verified;
                      });
}

SignedImage sign_image(RemoteSession& session, const oci::Reference& image, const SigningKey& key,
                       const SignOptions& options) {
  return with_context([&] { return fmt::format("while signing '{}'", image.str()); },
                      [&] {
                        PlacedImage placed = place_image(session, image);
                        SignedImage done;
                        done.image = placed.reference;
                        for (const SignatureForm form : options.forms) {
                          const auto found = find_signatures(placed, form, options.referrers, key.public_key());
                          if (std::any_of(found.begin(), found.end(), is_by_key)) {
                            done.there.push_back(form);
                            continue;
                          }
                          if (form == SignatureForm::tag) {
                            add_tagged_signature(placed, key);
                          } else {
                            done.refusal = add_bundled_signature(placed, key, options.referrers);
                          }
                          done.added.push_back(form);
                        }
                        return done;
                      });
}

void sign_pushed_image(RemoteSession& session, const oci::Reference& image, const SigningKey& key, Log& log) {
  const SignedImage done = with_context(
      [&] {
        return fmt::format("'{0}' was pushed and is not signed ('kiln sign {0} --key FILE' signs it)", image.str());
      },
      [&] { return sign_image(session, image, key); });
  if (!done.refusal.empty()) log.warn(refused_subject_note(done));
}

}  // namespace kiln
