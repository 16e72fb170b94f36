#include "registry/remote/registry_manifests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/text.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

constexpr int kFallbackAttempts = 5;
constexpr int kStoredAttempts = 4;  // with the pauses between them, 3 seconds
constexpr double kStoredPauseSeconds = 0.5;

void accept_manifests(HttpHeaders& headers) {
  headers.add("Accept", fmt::format("{}, {}, {}, {}", oci::media_type::kOciManifest, oci::media_type::kOciIndex,
                                    oci::media_type::kDockerManifest, oci::media_type::kDockerManifestList));
}

bool is_schema_1(std::string_view media_type) {
  return media_type.find("docker.distribution.manifest.v1") != std::string_view::npos;
}

std::string manifest_path(const std::string& repository, const std::string& key) {
  return "/v2/" + repository + "/manifests/" + key;
}

}  // namespace

std::string referrers_fallback_tag(const Digest& subject) {
  return std::string(subject.algorithm()) + "-" + std::string(subject.hex());
}

std::optional<Descriptor> RegistryManifests::resolve(const std::string& repository, const std::string& key) {
  const auto by_bytes = [&] {
    const auto fetched = find(repository, key, {});
    return fetched ? std::optional(fetched->descriptor) : std::nullopt;
  };
  // What a registry states of a digest that is not of sha256 can be held against its bytes alone.
  if (Digest::is_valid(key) && Digest::parse(key).algorithm() != "sha256") return by_bytes();
  RegistryRequest request;
  request.method = HttpMethod::head;
  request.path = manifest_path(repository, key);
  request.repository = repository;
  request.scope = Scope::pull(repository);
  accept_manifests(request.headers);
  const RegistryAnswer answer = transport_.send(request);
  const HttpResponse& response = answer.response;
  if (response.status == 404) return std::nullopt;
  const bool usable = response.status == 200 && answer.stated_digest() && response.headers.find("Content-Length");
  if (response.status != 200 && !response.lacks_method()) transport_.refuse(answer, repository);
  const std::string type = response.headers.media_type();
  // What kiln cannot read is resolved all the same: it has a digest.
  const bool is_typed = type.starts_with("application/vnd.") && type.find("manifest") != std::string::npos;
  // A registry that tells too little in HEAD.
  if (!usable || !(is_typed || oci::media_type::is_index(type))) return by_bytes();
  Descriptor descriptor;
  descriptor.media_type = type;
  descriptor.digest = *answer.stated_digest();
  const auto size = parse_unsigned(*response.headers.find("Content-Length"));
  if (!size || *size > oci::kMaxManifestBytes) {
    throw Error(Category::network,
                fmt::format("manifest '{}/{}': its size is not between 0 and {} bytes",
                            transport_.endpoint().authority + "/" + repository, key, oci::kMaxManifestBytes));
  }
  descriptor.size = *size;
  if (Digest::is_valid(key) && descriptor.digest.str() != key) {
    throw Error(Category::network,
                fmt::format("manifest '{}': expected digest {}, the registry answered {}",
                            transport_.endpoint().authority + "/" + repository, key, descriptor.digest.str()));
  }
  return descriptor;
}

FetchedManifest RegistryManifests::fetch(const std::string& repository, const std::string& key,
                                         const std::optional<Descriptor>& expected) {
  return read(ask(repository, key), repository, key, expected, Unreadable::refused);
}

std::optional<FetchedManifest> RegistryManifests::find(const std::string& repository, const std::string& key,
                                                       const std::optional<Descriptor>& expected) {
  RegistryAnswer answer = ask(repository, key);
  if (answer.response.status == 404) return std::nullopt;
  return read(std::move(answer), repository, key, expected, Unreadable::refused);
}

std::optional<FetchedManifest> RegistryManifests::find_any(const std::string& repository, const std::string& key) {
  RegistryAnswer answer = ask(repository, key);
  if (answer.response.status == 404) return std::nullopt;
  return read(std::move(answer), repository, key, {}, Unreadable::taken);
}

RegistryAnswer RegistryManifests::ask(const std::string& repository, const std::string& key) {
  RegistryRequest request;
  request.path = manifest_path(repository, key);
  request.repository = repository;
  request.scope = Scope::pull(repository);
  request.max_body_bytes = oci::kMaxManifestBytes;
  accept_manifests(request.headers);
  return transport_.send(request);
}

FetchedManifest RegistryManifests::read(RegistryAnswer answer, const std::string& repository, const std::string& key,
                                        const std::optional<Descriptor>& expected, Unreadable unreadable) {
  if (answer.response.status != 200) transport_.refuse(answer, repository);
  const std::string where = fmt::format("manifest '{}/{}{}{}'", transport_.endpoint().authority, repository,
                                        Digest::is_valid(key) ? "@" : ":", key);
  const auto refuse = [&](const std::string& what) { return Error(Category::network, where + ": " + what); };
  if (const std::string why = why_no_json(answer.response); !why.empty() && unreadable == Unreadable::refused)
    throw refuse(why);

  FetchedManifest result;
  result.bytes = std::move(answer.response.body);
  session_.stats().pulled_bytes += result.bytes.size();
  result.descriptor.digest = oci::sha256_of(result.bytes);
  result.descriptor.size = result.bytes.size();
  const std::string declared = answer.response.headers.media_type();
  if (is_schema_1(declared)) {
    if (unreadable == Unreadable::refused)
      throw refuse("it is of docker's schema 1, which is not supported; push it anew with a newer docker");
    // Its digest is that of a part of its bytes.
    if (Digest::is_valid(key)) result.descriptor.digest = Digest::parse(key);
    result.descriptor.media_type = declared;
    return result;
  }
  const auto check_digest = [&](const std::string& wanted, std::string_view who) {
    const Digest actual = oci::digest_like(Digest::parse(wanted), result.bytes);
    if (wanted != actual.str()) throw refuse(fmt::format("{} {}, its bytes have {}", who, wanted, actual.str()));
  };
  if (Digest::is_valid(key)) check_digest(key, "expected digest");
  if (expected) check_digest(expected->digest.str(), "expected digest");
  if (const auto said = answer.stated_digest()) check_digest(said->str(), "the registry says its digest is");
  if (expected && expected->size != result.bytes.size()) {
    throw refuse(fmt::format("expected {} bytes, got {}", expected->size, result.bytes.size()));
  }

  std::string detected;
  try {
    detected = oci::detect_media_type(result.bytes, where);
  } catch (const Error&) {
    if (unreadable == Unreadable::refused) throw;
    result.descriptor.media_type = declared;
    return result;
  }
  const bool telling = oci::media_type::is_manifest(declared) || oci::media_type::is_index(declared);
  const bool same_kind = oci::media_type::is_index(declared) == oci::media_type::is_index(detected);
  const bool says_itself = result.bytes.find("\"mediaType\"") != std::string::npos && !detected.empty();
  if (telling && (!same_kind || (declared != detected &&
                                 oci::media_type::is_manifest(detected) != oci::media_type::is_manifest(declared)))) {
    throw refuse(fmt::format("the registry calls it '{}', itself it says '{}'", declared, printable(detected)));
  }
  result.descriptor.media_type = says_itself || !telling ? detected : declared;
  if (expected && !expected->media_type.empty() && expected->media_type != result.descriptor.media_type) {
    throw refuse(fmt::format("expected media type '{}', got '{}'", printable(expected->media_type),
                             printable(result.descriptor.media_type)));
  }
  return result;
}

Descriptor RegistryManifests::put(const std::string& repository, const std::string& key, const std::string& bytes,
                                  const std::string& media_type) {
  const SubjectAnswer answer = put_unlisted(repository, key, bytes, media_type);
  const Descriptor descriptor{media_type, oci::sha256_of(bytes), bytes.size(), {}, {}, {}};
  if (answer == SubjectAnswer::listed || oci::media_type::is_index(media_type)) return descriptor;
  const std::string where = fmt::format("'{}/{}:{}'", transport_.endpoint().authority, repository, key);
  const oci::Manifest manifest = oci::parse_manifest(bytes, where);
  if (!manifest.subject) return descriptor;
  Descriptor entry = descriptor;
  entry.artifact_type = manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
  entry.annotations = manifest.annotations;
  add_to_fallback_tag(repository, manifest.subject->digest, entry);
  return descriptor;
}

SubjectAnswer RegistryManifests::put_unlisted(const std::string& repository, const std::string& key,
                                              const std::string& bytes, const std::string& media_type) {
  const std::string where = fmt::format("'{}/{}:{}'", transport_.endpoint().authority, repository, key);
  const Descriptor descriptor{media_type, oci::sha256_of(bytes), bytes.size(), {}, {}, {}};
  const RegistryAnswer answer = send(repository, key, bytes, descriptor);
  check_stored(repository, descriptor, where);
  return answer.response.headers.find("OCI-Subject") ? SubjectAnswer::listed : SubjectAnswer::ignored;
}

// A registry of several machines may not show at once what it took.
void RegistryManifests::check_stored(const std::string& repository, const Descriptor& descriptor,
                                     const std::string& where) {
  for (int attempt = 1;; ++attempt) {
    if (resolve(repository, descriptor.digest.str())) return;
    if (attempt == kStoredAttempts) {
      // Some registries, and proxies before them, answer HEAD with 404 for what GET has.
      if (find_any(repository, descriptor.digest.str())) return;
      throw Error(Category::network,
                  fmt::format("manifest {}: expected {} after pushing it, the registry does not have it", where,
                              descriptor.digest.str()));
    }
    session_.clock().wait(kStoredPauseSeconds * attempt, session_.cancel());
  }
}

RegistryAnswer RegistryManifests::send(const std::string& repository, const std::string& key, const std::string& bytes,
                                       const Descriptor& descriptor) {
  const std::string where = fmt::format("'{}/{}:{}'", transport_.endpoint().authority, repository, key);
  RegistryRequest request;
  request.method = HttpMethod::put;
  request.path = manifest_path(repository, key);
  request.repository = repository;
  request.scope = Scope::pull_push(repository);
  request.headers.add("Content-Type", descriptor.media_type);
  request.body = memory_body(bytes);
  RegistryAnswer answer = transport_.send(request);
  session_.stats().pushed_bytes += answer.response.sent_bytes;
  if (answer.response.status < 200 || answer.response.status > 204) transport_.refuse(answer, repository);
  if (const auto said = answer.stated_digest(); said && *said != descriptor.digest) {
    throw Error(Category::network, fmt::format("manifest {}: sent {}, the registry says it stored {}", where,
                                               descriptor.digest.str(), said->str()));
  }
  return answer;
}

// The fallback of distribution-spec, "Pushing Manifests with Subject". This process writes one such tag at a time;
// others may write it at the same time, so it is read again afterwards.
void RegistryManifests::add_to_fallback_tag(const std::string& repository, const Digest& subject,
                                            const Descriptor& entry) {
  const std::lock_guard lock(transport_.fallback_tags_mutex());
  const std::string tag = referrers_fallback_tag(subject);
  const std::string where = fmt::format("'{}/{}:{}'", transport_.endpoint().authority, repository, tag);
  for (int attempt = 0;; ++attempt) {
    const auto found = find(repository, tag, {});
    const std::string listing = found ? found->bytes : oci::serialise(oci::Index{});
    const oci::Index index = oci::parse_index(listing, where);
    const bool listed = std::any_of(index.manifests.begin(), index.manifests.end(),
                                    [&](const Descriptor& other) { return other.digest == entry.digest; });
    if (listed) return;
    if (attempt == kFallbackAttempts) {
      throw Error(
          Category::network,
          fmt::format("referrer '{}' was written into {} {} times, and others overwrote it each time; push it again",
                      entry.digest.str(), where, kFallbackAttempts));
    }
    const std::string text = oci::index_text_with(listing, entry);
    if (text.size() > oci::kMaxManifestBytes) {
      throw Error(Category::network,
                  fmt::format("the list of referrers {} would have more than {} bytes with '{}'; delete what is no "
                              "longer needed of those that it names",
                              where, oci::kMaxManifestBytes, entry.digest.str()));
    }
    send(repository, tag, text, {index.media_type, oci::sha256_of(text), text.size(), {}, {}, {}});
  }
}

bool RegistryManifests::remove(const std::string& repository, const std::string& key) {
  RegistryRequest request;
  request.method = HttpMethod::delete_;
  request.path = manifest_path(repository, key);
  request.repository = repository;
  request.scope = Scope::remove(repository);
  const RegistryAnswer answer = transport_.send(request);
  const int status = answer.response.status;
  if (status == 200 || status == 202 || status == 204) return true;
  if (status == 404) return false;
  if (status == 405) {
    RegistryError error = make_registry_error(answer.request, answer.response);
    error.add_context(
        "this registry does not delete manifests; turn that on there (docker-registry: 'storage: {delete: {enabled: "
        "true}}' in its config.yml, or REGISTRY_STORAGE_DELETE_ENABLED=true)");
    throw error;
  }
  transport_.refuse(answer, repository);
}

}  // namespace kiln
