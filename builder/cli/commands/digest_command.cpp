#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/found_image.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

namespace {

oci::Digest digest_of(const ImageWords& words, const CancelToken& cancel) {
  if (!words.platform.empty()) return find_image(words, cancel).manifest.digest;
  if (words.local) {
    return find_in_store(ContentStore(HomeLayout::open(HomeLayout::default_root())), words.reference).descriptor.digest;
  }
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const oci::Reference reference = oci::Reference::parse(words.reference);
  const auto found = resolve_image(*session, reference);
  if (!found) throw Error(Category::network, fmt::format("the registry has no '{}'", reference.str()));
  return found->digest;
}

}  // namespace

void add_digest_command(Arguments& root) {
  const auto words = std::make_shared<ImageWords>();
  const auto as_json = std::make_shared<bool>(false);
  root.command("digest", "Print the digest that an image's name refers to.")
      .required_positional("REF", words->reference, "the image")
      .option("--platform", words->platform, "of this platform's image, where the name refers to several")
      .flag("--local", words->local, "in the store")
      .flag("--json", *as_json, "as JSON")
      .handler([words, as_json](const CancelToken& cancel) {
        const std::string digest = digest_of(*words, cancel).str();
        fmt::print("{}\n", *as_json ? json_text(nlohmann::json{{"name", words->reference}, {"digest", digest}},
                                                JsonLayout::indented)
                                    : digest);
        return 0;
      });
}

}  // namespace kiln::cli
