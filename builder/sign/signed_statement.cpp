#include "builder/sign/signed_statement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln {

namespace {

using nlohmann::ordered_json;

constexpr char kSimpleSigningKind[] = "cosign container image signature";
constexpr std::string_view kStatementPayloadType = oci::media_type::kInToto;
constexpr char kStatementType[] = "https://in-toto.io/Statement/v1";
// An attestation of the same shape may be as large as a bill of materials.
constexpr std::size_t kMostStatementBytes = std::size_t{16} << 20;

// What the signature is of (dsse, protocol.md, "Signature Definition").
std::string pre_authentication_encoding(std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", kStatementPayloadType.size(), kStatementPayloadType, payload.size(),
                     payload);
}

// protobuf's JSON has base64 by the standard alphabet, and readers take that for URLs too.
std::optional<std::string> protobuf_bytes(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return base64_decoded(text);
}

std::string bytes_member(const JsonMembers& members, const char* key) {
  auto bytes = protobuf_bytes(members.string(key));
  if (!bytes) members.refuse(key, "expected base64");
  return *std::move(bytes);
}

// The problem with a document that body() reads with JsonMembers, and "" where it finds none.
template <class Body>
std::string problem_of(std::string_view text, std::string_view what, const Body& body) {
  try {
    const nlohmann::json document = parse_json(text, what, Category::network, {.max_bytes = kMostStatementBytes});
    const auto refusal = JsonMembers::refusal(what, Category::network);
    return body(JsonMembers(document, refusal));
  } catch (const Error& error) {
    return error.message();
  }
}

std::string statement_problem(std::string_view statement, const oci::Digest& image) {
  return problem_of(statement, "the statement", [&](const JsonMembers& members) -> std::string {
    if (members.string("_type") != kStatementType)
      return fmt::format("its statement is of another type than '{}'", kStatementType);
    if (const std::string type = members.string("predicateType"); type != kSignPredicateType)
      return fmt::format("it is an attestation of type '{}', no signature", printable(type));
    bool is_of_image = false;
    members.each("subject", [&](const JsonMembers& subject) {
      const auto digests = subject.string_map_or_none("digest");
      const auto found = digests.find(std::string(image.algorithm()));
      is_of_image = is_of_image || (found != digests.end() && found->second == image.hex());
    });
    return is_of_image ? "" : "it is a signature of another image";
  });
}

}  // namespace

std::string simple_signing_payload(const std::string& name, const oci::Digest& image) {
  ordered_json critical;
  critical["identity"]["docker-reference"] = name;
  critical["image"]["docker-manifest-digest"] = image.str();
  critical["type"] = kSimpleSigningKind;
  ordered_json payload;
  payload["critical"] = std::move(critical);
  payload["optional"] = nullptr;
  return json_text(payload);
}

std::string simple_signing_problem(std::string_view payload, std::string_view signature_base64,
                                   const oci::Digest& image, const VerificationKey& key) {
  const auto signature = base64_decoded(signature_base64);
  if (!signature || signature->empty()) return "it has no signature in base64";
  if (!key.verifies(payload, *signature)) return "it is not by this key";
  return problem_of(payload, "the payload", [&](const JsonMembers& members) -> std::string {
    const JsonMembers critical = members.object("critical");
    if (const std::string type = critical.string("type"); type != kSimpleSigningKind)
      return fmt::format("its type is '{}', expected '{}'", printable(type), kSimpleSigningKind);
    const bool is_of_image = critical.object("image").string("docker-manifest-digest") == image.str();
    return is_of_image ? "" : "it is a signature of another image";
  });
}

std::string sigstore_bundle(const oci::Digest& image, const SigningKey& key) {
  ordered_json subject;
  subject["digest"][std::string(image.algorithm())] = image.hex();
  ordered_json statement;
  statement["_type"] = kStatementType;
  statement["subject"] = ordered_json::array({subject});
  statement["predicateType"] = kSignPredicateType;
  statement["predicate"] = ordered_json::object();
  const std::string payload = json_text(statement);

  ordered_json envelope;
  envelope["payload"] = base64_encoded(payload);
  envelope["payloadType"] = kStatementPayloadType;
  ordered_json signature;
  signature["sig"] = base64_encoded(key.sign(pre_authentication_encoding(payload)));
  envelope["signatures"] = ordered_json::array({signature});
  ordered_json bundle;
  bundle["mediaType"] = kBundleType;
  bundle["verificationMaterial"]["publicKey"]["hint"] = key.public_key().hint();
  bundle["dsseEnvelope"] = std::move(envelope);
  return json_text(bundle);
}

std::string sigstore_bundle_problem(std::string_view bundle, const oci::Digest& image, const VerificationKey& key) {
  return problem_of(bundle, "the bundle", [&](const JsonMembers& members) -> std::string {
    if (const std::string type = members.string("mediaType"); type != kBundleType)
      return fmt::format("its type is '{}', expected '{}'", printable(type), kBundleType);
    if (!members.has("dsseEnvelope")) return "it has no DSSE envelope";
    const JsonMembers envelope = members.object("dsseEnvelope");
    if (const std::string type = envelope.string("payloadType"); type != kStatementPayloadType)
      return fmt::format("its payload is of type '{}', expected '{}'", printable(type), kStatementPayloadType);
    const std::string payload = bytes_member(envelope, "payload");
    std::vector<std::string> signatures;
    envelope.each("signatures", [&](const JsonMembers& entry) { signatures.push_back(bytes_member(entry, "sig")); });
    if (signatures.size() != 1) return fmt::format("it has {} signatures, expected one", signatures.size());
    if (!key.verifies(pre_authentication_encoding(payload), signatures.front())) return "it is not by this key";
    return statement_problem(payload, image);
  });
}

}  // namespace kiln
