#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/sign/image_signatures.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct SignedWords {
  std::string reference;
  std::optional<std::string> key;
  bool json = false;
};

// "tag and bundle": the forms of the signatures that count.
std::string counting_forms(const VerifiedImage& verified) {
  std::vector<std::string> forms;
  for (const FoundSignature& found : verified.signatures) {
    const std::string form(name_of(found.form));
    if (found.problem.empty() && std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(form);
  }
  return join(forms, " and ");
}

json json_of(const VerifiedImage& verified, const std::string& name, const VerificationKey& key) {
  json signatures = json::array();
  for (const FoundSignature& found : verified.signatures) {
    signatures.push_back({{"format", name_of(found.form)},
                          {"digest", found.digest.str()},
                          {"verified", found.problem.empty()},
                          {"problem", printable(found.problem)}});
  }
  return {{"name", name},
          {"digest", verified.image.digest->str()},
          {"key", key.fingerprint()},
          {"verified", verified.is_signed()},
          {"signatures", std::move(signatures)}};
}

[[noreturn]] void refuse_unsigned(const VerifiedImage& verified, const VerificationKey& key) {
  const std::string image = verified.image.str();
  if (verified.signatures.empty()) {
    throw Error(Category::build, fmt::format("'{0}' has no signature; 'kiln sign {0} --key FILE' makes one, or push it "
                                             "with --sign-key FILE",
                                             image));
  }
  Error error(Category::build,
              fmt::format("'{}' has {}, none by key {}; ask who signs it for the right public key, or sign "
                          "it with 'kiln sign --key FILE'",
                          image, count_of(verified.signatures.size(), "signature"), key.fingerprint()));
  std::string detail;
  for (const FoundSignature& found : verified.signatures)
    detail += fmt::format("  {} {}: {}\n", name_of(found.form), found.digest.str(), printable(found.problem));
  error.set_detail(detail);
  throw error;
}

int run_verify_signed(const SignedWords& words, const CancelToken& cancel) {
  const std::optional<VerificationKey> wanted = wanted_verification_key(words.key);
  if (!wanted) {
    throw Error(Category::usage,
                "'kiln verify' needs the public key of who signed the image; give it with --key FILE "
                "('kiln cache verify' looks after the store of this machine)");
  }
  const VerificationKey& key = *wanted;
  const oci::Reference image = oci::Reference::parse(words.reference);
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const VerifiedImage verified = verify_signatures(*session, image, key);
  if (words.json) {
    print_json(json_of(verified, words.reference, key));
    return verified.is_signed() ? 0 : 1;
  }
  if (!verified.is_signed()) refuse_unsigned(verified, key);
  print_text(fmt::format("verified {}: signed by key {} ({})\n", verified.image.str(), key.fingerprint(),
                         counting_forms(verified)));
  return 0;
}

}  // namespace

void add_verify_command(Arguments& root) {
  const auto words = std::make_shared<SignedWords>();
  root.command("verify", "Verify that an image at a registry is signed by a key.")
      .required_positional("REF", words->reference, "the image; of several platforms the index is looked at")
      .option("--key", words->key,
              "the public key: FILE or env://NAME, as cosign and openssl write it (default: $KILN_VERIFY_KEY)")
      .flag("--json", words->json, "every signature that was found, as JSON")
      .handler([words](const CancelToken& cancel) { return run_verify_signed(*words, cancel); });
}

}  // namespace kiln::cli
