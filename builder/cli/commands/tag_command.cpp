#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/found_image.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "registry/remote/push.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

struct TagWords {
  std::string source;
  std::vector<std::string> names;
  bool local = false;
  bool dry_run = false;
  bool json = false;
};

// One name that the image gets.
struct NewTag {
  std::string name;
  oci::Descriptor image;
  std::optional<oci::Digest> before;  // what the name stood for; nullopt: nothing
};

std::vector<NewTag> tag_in_store(const TagWords& words) {
  ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  const NamedImage source = find_in_store(store, words.source);
  std::vector<NewTag> tags;
  std::vector<NamedImage> images;
  for (const std::string& word : words.names) {
    const std::string name = oci::parse_new_name(word).str();
    const auto before = find_image(store, name);
    tags.push_back({name, source.descriptor, before ? std::optional(before->digest) : std::nullopt});
    images.push_back({name, source.descriptor});
  }
  if (!words.dry_run) publish_images(store, images);
  return tags;
}

// A new name as a tag of the same repository.
std::string tag_of(const std::string& name, const oci::Reference& source) {
  if (name.find_first_of(":/") == std::string::npos && oci::is_valid_tag(name)) return name;
  const oci::Reference reference = oci::Reference::parse(name);
  if (reference.name() != source.name()) {
    throw Error(Category::usage, fmt::format("'{}' is in another repository than '{}'; 'kiln copy' brings images there",
                                             reference.str(), source.str()));
  }
  if (reference.digest)
    throw Error(Category::usage, fmt::format("'{}' names a digest; a tag was expected", reference.str()));
  return reference.tag_or_latest();
}

std::vector<NewTag> tag_at_registry(const TagWords& words, const CancelToken& cancel) {
  const oci::Reference source = oci::Reference::parse(words.source);
  std::set<std::string> wanted;
  for (const std::string& name : words.names) wanted.insert(tag_of(name, source));
  const std::vector<std::string> names(wanted.begin(), wanted.end());
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  RegistryClient client = session->client_for(source);
  const std::string repository = session->repository_of(source).repository;
  const auto image = client.resolve(repository, source.manifest_key());
  if (!image) throw Error(Category::network, fmt::format("the registry has no '{}'", source.str()));
  // By digest, so that all names mean one image even where the source's tag moves meanwhile.
  oci::Reference exact = source;
  exact.tag.reset();
  exact = exact.with_digest(image->digest);
  std::vector<NewTag> tags(names.size());
  ThreadPool pool(std::max<std::size_t>(1, std::min(names.size(), session->settings().parallel_requests)));
  pool.parallel_for(names.size(), [&](std::size_t i) {
    RegistryClient own = session->client_for(source);
    const auto before = own.resolve(repository, names[i]);
    tags[i] = {source.name() + ":" + names[i], *image, before ? std::optional(before->digest) : std::nullopt};
    if (!words.dry_run && tags[i].before != image->digest) tag_image(*session, exact, names[i]);
  });
  return tags;
}

const char* outcome_of(const NewTag& tag) {
  return !tag.before ? "new" : *tag.before == tag.image.digest ? "unchanged" : "moved";
}

int run_tag(const TagWords& words, const CancelToken& cancel) {
  if (words.names.empty()) throw Error(Category::usage, "'kiln tag' needs the new names; give them behind the image");
  const std::vector<NewTag> tags = words.local ? tag_in_store(words) : tag_at_registry(words, cancel);
  nlohmann::json list = nlohmann::json::array();
  for (const NewTag& tag : tags) {
    list.push_back({{"name", tag.name},
                    {"digest", tag.image.digest.str()},
                    {"outcome", outcome_of(tag)},
                    {"before", tag.before ? nlohmann::json(tag.before->str()) : nlohmann::json()}});
    if (!words.json)
      print_text(fmt::format("{}{}@{}\n", words.dry_run ? fmt::format("{}: ", outcome_of(tag)) : "", tag.name,
                             tag.image.digest.str()));
  }
  if (words.json) print_json(nlohmann::json{{"tags", list}, {"dry_run", words.dry_run}});
  return 0;
}

}  // namespace

void add_tag_command(Arguments& root) {
  const auto words = std::make_shared<TagWords>();
  root.command("tag", "Give an image of a registry (or of the store) further names.")
      .required_positional("REF", words->source, "the image")
      .positional("NAME", words->names, "tags of the same repository, or full references")
      .flag("--local", words->local, "in the store")
      .flag("--dry-run", words->dry_run, "show; change nothing")
      .flag("--json", words->json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_tag(*words, cancel); });
}

}  // namespace kiln::cli
