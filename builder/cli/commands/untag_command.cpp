#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/thread_pool.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/found_image.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

struct UntagWords {
  std::vector<std::string> references;
  bool local = false;
  bool dry_run = false;
  bool json = false;
};

// The names that go, and what they refer to.
std::vector<NamedImage> untag_in_store(const UntagWords& words) {
  ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  std::vector<NamedImage> images;
  std::vector<std::string> names;
  for (const std::string& reference : words.references) {
    images.push_back(find_in_store(store, reference));
    names.push_back(images.back().name);
  }
  if (!words.dry_run) unpublish_images(store, names);
  return images;
}

std::vector<oci::Reference> tags_of(const std::vector<std::string>& words) {
  std::vector<oci::Reference> references;
  for (const std::string& word : words) {
    references.push_back(oci::Reference::parse(word));
    if (references.back().digest || !references.back().tag) {
      throw Error(Category::usage, fmt::format("'{}' names no tag; write NAME:TAG", references.back().str()));
    }
  }
  return references;
}

// The tag alone: a manifest deleted by its digest would take every other tag of the image along. All are looked for
// before the first goes.
std::vector<NamedImage> untag_at_registry(const UntagWords& words, const CancelToken& cancel) {
  const std::vector<oci::Reference> references = tags_of(words.references);
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  std::vector<NamedImage> images(references.size());
  ThreadPool pool(std::max<std::size_t>(1, std::min(references.size(), session->settings().parallel_requests)));
  const auto for_each = [&](const auto& body) {
    pool.parallel_for(references.size(), [&](std::size_t i) {
      const oci::Reference& reference = references[i];
      RegistryClient client = session->client_for(reference);
      const std::string repository = session->repository_of(reference).repository;
      with_context([&] { return fmt::format("while untagging '{}'", reference.str()); },
                   [&] { body(i, client, repository); });
    });
  };
  for_each([&](std::size_t i, RegistryClient& client, const std::string& repository) {
    const auto found = client.resolve(repository, *references[i].tag);
    if (!found) throw Error(Category::network, fmt::format("the registry has no '{}'", references[i].str()));
    images[i] = {references[i].str(), *found};
  });
  if (words.dry_run) return images;
  for_each([&](std::size_t i, RegistryClient& client, const std::string& repository) {
    if (!client.delete_manifest(repository, *references[i].tag)) {
      throw Error(Category::network, fmt::format("the registry has no '{}'", references[i].str()));
    }
  });
  return images;
}

int run_untag(const UntagWords& words, const CancelToken& cancel) {
  if (words.references.empty()) throw Error(Category::usage, "'kiln untag' needs the names to take away");
  const std::vector<NamedImage> images = words.local ? untag_in_store(words) : untag_at_registry(words, cancel);
  nlohmann::json list = nlohmann::json::array();
  for (const NamedImage& image : images) {
    list.push_back({{"name", image.name}, {"digest", image.descriptor.digest.str()}});
    if (!words.json) print_text(fmt::format("{} {}\n", words.dry_run ? "would untag" : "untagged", image.name));
  }
  if (words.json) print_json(nlohmann::json{{"untagged", list}, {"dry_run", words.dry_run}});
  return 0;
}

}  // namespace

void add_untag_command(Arguments& root) {
  const auto words = std::make_shared<UntagWords>();
  root.command("untag", "Take a name away from an image of a registry (or of the store); its other names stay.")
      .positional("REF", words->references, "names to take away")
      .flag("--local", words->local, "in the store")
      .flag("--dry-run", words->dry_run, "show; change nothing")
      .flag("--json", words->json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_untag(*words, cancel); });
}

}  // namespace kiln::cli
