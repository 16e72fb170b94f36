#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/sign/signing_key.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/referrers.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// How a signature is kept beside an image.
enum class SignatureForm {
  tag,     // cosign's first form: simple signing, in an image under the tag "sha256-<hex>.sig"
  bundle,  // a Sigstore bundle v0.3 as an OCI referrer, as cosign signs from 3.0 on
};
std::string_view name_of(SignatureForm form);  // "tag", "bundle"

// "sha256-<hex>.sig".
std::string signature_tag(const oci::Digest& image);

// The manifest of what stands under such a tag, and its config.
struct TaggedSignatures {
  oci::Manifest manifest;
  std::string config;
};
// Those of `manifest` with the layers behind them that it lacks.
TaggedSignatures with_more_signatures(oci::Manifest manifest, const std::vector<oci::Descriptor>& layers);

// One signature that hangs on an image.
struct FoundSignature {
  SignatureForm form = SignatureForm::bundle;
  oci::Digest digest;   // of its payload or bundle
  std::string problem;  // why it does not count; "" for one of the image by the key
};

// What verifying came to.
struct VerifiedImage {
  oci::Reference image;  // with the digest that was verified
  std::vector<FoundSignature> signatures;

  bool is_signed() const;
};

// Looks at the signatures of both forms that hang on an image, of its index where it has several platforms.
// Attestations (bundles of other predicate types) are no signatures and not listed. Error{network} where the image is
// missing, what is there cannot be read, or it is more than docs/limits.md says.
VerifiedImage verify_signatures(RemoteSession& session, const oci::Reference& image, const VerificationKey& key);

struct SignOptions {
  std::vector<SignatureForm> forms = {SignatureForm::tag, SignatureForm::bundle};
  ReferrersWay referrers = ReferrersWay::automatic;
};

// What signing came to.
struct SignedImage {
  oci::Reference image;  // with the digest that was signed
  std::vector<SignatureForm> added;
  std::vector<SignatureForm> there;  // the key's signature was there before
  std::string refusal;               // see AttachedReferrer
};

// Signs what the reference names at its registry, by digest: the image, or the index of all its platforms. A form in
// which the key's signature is there already is left as it is; those of others stay. Error{network} where the image is
// missing or the registry refuses.
SignedImage sign_image(RemoteSession& session, const oci::Reference& image, const SigningKey& key,
                       const SignOptions& options = {});

// What to tell of an image that was signed where `refusal` is not empty.
std::string refused_subject_note(const SignedImage& done);
// Signs an image that was pushed, by digest, and warns of a subject that its registry refused. What sign_image() throws
// says before its cause that the image is there without a signature, and how it gets one.
void sign_pushed_image(RemoteSession& session, const oci::Reference& image, const SigningKey& key, Log& log);

}  // namespace kiln
