#include <fmt/format.h>

#include <memory>

#include "builder/cli/commands.hpp"
#include "builder/cli/found_image.hpp"
#include "builder/cli/stderr_log.hpp"
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
  root.command("digest", "Print the digest that an image's name stands for.")
      .required_positional("REF", words->reference, "the image")
      .option("--platform", words->platform, "of this platform's image, where the name stands for several")
      .flag("--local", words->local, "in the store")
      .handler([words](const CancelToken& cancel) {
        fmt::print("{}\n", digest_of(*words, cancel).str());
        return 0;
      });
}

}  // namespace kiln::cli
