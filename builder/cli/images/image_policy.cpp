#include "builder/cli/images/image_policy.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cli/images/image_contents.hpp"
#include "builder/cli/images/opened_image.hpp"
#include "builder/cli/output/policy_annotations.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/steps/users.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln::cli {

namespace {

bool is_image_config(const std::string& type) {
  return type == oci::media_type::kOciConfig || type == oci::media_type::kDockerConfig;
}

}  // namespace

void ImagePolicy::check(const oci::Reference& name, const oci::Descriptor& root,
                        const std::optional<RemoteRepository>& source) {
  if (!policy_.rules.any_about_images()) return;
  if (!oci::media_type::is_index(root.media_type)) return check_manifest(name, root, source);
  const oci::Index index =
      oci::parse_index(session_.store().read(root.digest), fmt::format("index of '{}'", name.str()));
  for (const oci::Descriptor& entry : index.manifests) {
    const bool is_attestation = entry.platform && entry.platform->is_unknown();
    if (!is_attestation) check(name, entry, source);
  }
}

void ImagePolicy::check_manifest(const oci::Reference& name, const oci::Descriptor& manifest,
                                 const std::optional<RemoteRepository>& source) {
  ContentStore& store = session_.store();
  CheckedImage image;
  image.subject = subject_of(policy_, name);
  if (!store.has(manifest.digest)) {
    report_unseen_image(policy_.rules, image,
                        fmt::format("the store has not its image {}", manifest.digest.short_hex()), findings_);
    return;
  }
  const oci::Manifest parsed =
      oci::parse_manifest(store.read(manifest.digest), fmt::format("manifest of '{}'", name.str()));
  if (!is_image_config(parsed.config.media_type)) {
    // An artifact is no image; what says that it is neither may be taken for one by others.
    if (!parsed.artifact_type.empty() || parsed.config.media_type == oci::media_type::kOciEmpty) return;
    report_unseen_image(policy_.rules, image,
                        fmt::format("the config of {} is of the kind '{}', which is no image's",
                                    manifest.digest.short_hex(), printable(parsed.config.media_type)),
                        findings_);
    return;
  }
  const oci::ImageConfig config =
      oci::parse_image_config(store.read(parsed.config.digest), fmt::format("config of '{}'", name.str()));
  image.config = &config;
  for (const oci::Descriptor& layer : parsed.layers) image.layer_bytes.push_back(layer.size);
  check_image(policy_.rules, image, findings_);
  check_contents(image, name, manifest, source);
}

void ImagePolicy::check_contents(const CheckedImage& image, const oci::Reference& name, const oci::Descriptor& manifest,
                                 const std::optional<RemoteRepository>& source) {
  const PolicyRules& rules = policy_.rules;
  const bool asks_users = asks_for_users(rules, image), asks_packages = asks_for_packages(rules, image.subject);
  if (!asks_users && !asks_packages) return;
  try {
    const OpenedImage opened = open_documents(session_, pool_, name.str(), manifest, source, cancel_);
    if (asks_users) check_uid(rules, image, find_uid(image.config->config.user, opened.files), findings_);
    if (asks_packages) check_packages(rules, image, read_packages(session_, pool_, opened, cancel_), findings_);
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    if (asks_users) report_unseen_users(rules, image, error.message(), findings_);
    if (asks_packages) report_unseen_packages(rules, image, error.message(), findings_);
  }
}

std::string ImagePolicy::unchecked_note(const std::string& image) const {
  const PolicyRules& rules = policy_.rules;
  if (!rules.any_about_bases() && !rules.run_network) return "";
  return fmt::format(
      "the policy's rules about base images and RUN lines are held against Dockerfiles, and '{}' does not say which "
      "one "
      "made it: 'kiln bake' and 'kiln policy check TARGET' check these",
      printable(image));
}

void ImagePolicy::enforce(const std::string& image) const {
  StderrLog log;
  if (const std::string note = unchecked_note(image); !note.empty()) log.warn(note);
  for (const PolicyFinding& finding : findings()) {
    if (finding.level == PolicyLevel::warn) log.warn(finding_line(finding));
  }
  annotate_findings(findings());
  refuse_denied(findings());
}

}  // namespace kiln::cli
