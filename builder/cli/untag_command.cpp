#include <fmt/format.h>

#include <memory>

#include "builder/cli/commands.hpp"
#include "builder/cli/found_image.hpp"
#include "builder/cli/stderr_log.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln::cli {

namespace {

struct UntagWords {
  std::vector<std::string> references;
  bool local = false;
};

void untag_in_store(const std::vector<std::string>& references) {
  ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  std::vector<std::string> names;
  for (const std::string& reference : references) names.push_back(find_in_store(store, reference).name);
  for (const std::string& name : store.unpublish(names)) fmt::print("untagged {}\n", name);
}

// The tag alone: a manifest deleted by its digest would take every other tag of the image along.
void untag_at_registry(const std::vector<std::string>& words, const CancelToken& cancel) {
  std::vector<oci::Reference> references;
  for (const std::string& word : words) {
    references.push_back(oci::Reference::parse(word));
    if (references.back().digest || !references.back().tag) {
      throw Error(Category::usage, fmt::format("'{}' names no tag; write NAME:TAG", references.back().str()));
    }
  }
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  for (const oci::Reference& reference : references) {
    RegistryClient client = session->client_for(reference);
    const std::string repository = session->repository_of(reference).repository;
    const bool was_there = with_context([&] { return fmt::format("while untagging '{}'", reference.str()); },
                                        [&] { return client.delete_manifest(repository, *reference.tag); });
    if (!was_there) throw Error(Category::network, fmt::format("the registry has no '{}'", reference.str()));
    fmt::print("untagged {}\n", reference.str());
  }
}

int run_untag(const UntagWords& words, const CancelToken& cancel) {
  if (words.references.empty()) throw Error(Category::usage, "'kiln untag' needs the names to take away");
  if (words.local) {
    untag_in_store(words.references);
  } else {
    untag_at_registry(words.references, cancel);
  }
  return 0;
}

}  // namespace

void add_untag_command(Arguments& root) {
  const auto words = std::make_shared<UntagWords>();
  root.command("untag", "Take a name away from an image of a registry (or of the store); its other names stay.")
      .positional("REF", words->references, "names to take away")
      .flag("--local", words->local, "in the store")
      .handler([words](const CancelToken& cancel) { return run_untag(*words, cancel); });
}

}  // namespace kiln::cli
