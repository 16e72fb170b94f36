#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

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

struct SignWords {
  std::vector<std::string> references;
  std::string key;
  std::string form;
  std::string referrers;
  bool json = false;
};

std::vector<SignatureForm> parse_forms(const std::string& word) {
  if (word.empty() || word == "both") return SignOptions().forms;
  for (const SignatureForm form : {SignatureForm::tag, SignatureForm::bundle}) {
    if (word == name_of(form)) return {form};
  }
  throw Error(Category::usage, fmt::format("--format '{}': expected both, bundle or tag", printable(word)));
}

ReferrersWay parse_referrers(const std::string& word) {
  if (word.empty() || word == "auto") return ReferrersWay::automatic;
  if (word == "api") return ReferrersWay::api;
  if (word == "tag") return ReferrersWay::tag;
  throw Error(Category::usage, fmt::format("--referrers '{}': expected auto, api or tag", printable(word)));
}

std::vector<std::string> names_of(const std::vector<SignatureForm>& forms) {
  std::vector<std::string> names;
  for (const SignatureForm form : forms) names.emplace_back(name_of(form));
  return names;
}

void print_signed(const SignedImage& done, const SigningKey& key) {
  if (done.added.empty()) {
    print_text(fmt::format("unchanged {}: signed by this key already\n", done.image.str()));
  } else {
    print_text(fmt::format("signed {} as {} by key {}\n", done.image.str(), join(names_of(done.added), " and "),
                           key.public_key().fingerprint()));
  }
}

int run_sign(const SignWords& words, const CancelToken& cancel) {
  if (words.references.empty()) throw Error(Category::usage, "'kiln sign' needs the images to sign");
  if (words.key.empty()) throw Error(Category::usage, "'kiln sign' needs the private key; give it with --key FILE");
  SignOptions options;
  options.forms = parse_forms(words.form);
  options.referrers = parse_referrers(words.referrers);
  std::vector<oci::Reference> images;
  for (const std::string& reference : words.references) images.push_back(oci::Reference::parse(reference));
  const SigningKey key = read_signing_key(words.key, "--key", cancel);
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  json list = json::array();
  for (std::size_t i = 0; i < images.size(); ++i) {
    const SignedImage done = sign_image(*session, images[i], key, options);
    if (!done.refusal.empty()) log.warn(refused_subject_note(done));
    if (words.json) {
      list.push_back({{"name", words.references[i]},
                      {"digest", done.image.digest->str()},
                      {"added", names_of(done.added)},
                      {"there", names_of(done.there)}});
    } else {
      print_signed(done, key);
    }
  }
  if (words.json) print_json(json{{"key", key.public_key().fingerprint()}, {"images", list}});
  return 0;
}

}  // namespace

void add_sign_command(Arguments& root) {
  const auto words = std::make_shared<SignWords>();
  root.command("sign", "Sign images at a registry, as cosign does.")
      .positional("REF", words->references, "the images; of several platforms the index is signed")
      .option("--key", words->key, "the private key: FILE or env://NAME, ECDSA P-256 or Ed25519, of cosign or openssl")
      .option("--format", words->form, "both (default), bundle (cosign 3) or tag (any cosign)")
      .option("--referrers", words->referrers,
              "how the bundle is listed: auto (default), api, or tag for the fallback tag")
      .flag("--json", words->json, "as JSON")
      .handler([words](const CancelToken& cancel) { return run_sign(*words, cancel); });
}

}  // namespace kiln::cli
