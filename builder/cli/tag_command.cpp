#include <fmt/format.h>

#include <memory>

#include "base/text.hpp"
#include "builder/cli/commands.hpp"
#include "builder/cli/found_image.hpp"
#include "builder/cli/stderr_log.hpp"
#include "registry/remote/push.hpp"

namespace kiln::cli {

namespace {

struct TagWords {
  std::string source;
  std::vector<std::string> names;
  bool local = false;
};

void tag_in_store(const TagWords& words) {
  ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  const NamedImage source = find_in_store(store, words.source);
  std::vector<NamedImage> images;
  for (const std::string& name : words.names) images.push_back({oci::Reference::parse(name).str(), source.descriptor});
  store.publish(images);
  for (const NamedImage& image : images) fmt::print("{}@{}\n", image.name, image.descriptor.digest.str());
}

// A new name as a tag of the same repository.
std::string tag_of(const std::string& name, const oci::Reference& source) {
  if (name.find_first_of(":/") == std::string::npos && oci::is_valid_tag(name)) return name;
  const oci::Reference reference = oci::Reference::parse(name);
  if (reference.name() != source.name()) {
    throw Error(Category::usage, fmt::format("'{}' is in another repository than '{}'; 'kiln copy' brings images there",
                                             reference.str(), source.str()));
  }
  if (reference.digest) throw Error(Category::usage, fmt::format("'{}' names a digest; a tag was expected", reference.str()));
  return reference.tag_or_latest();
}

void tag_at_registry(const TagWords& words, const CancelToken& cancel) {
  const oci::Reference source = oci::Reference::parse(words.source);
  std::vector<std::string> tags;
  for (const std::string& name : words.names) tags.push_back(tag_of(name, source));
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  for (const std::string& tag : tags) {
    const oci::Descriptor tagged = tag_image(*session, source, tag);
    fmt::print("{}:{}@{}\n", source.name(), tag, tagged.digest.str());
  }
}

int run_tag(const TagWords& words, const CancelToken& cancel) {
  if (words.names.empty()) throw Error(Category::usage, "'kiln tag' needs the new names; give them behind the image");
  if (words.local) {
    tag_in_store(words);
  } else {
    tag_at_registry(words, cancel);
  }
  return 0;
}

}  // namespace

void add_tag_command(Arguments& root) {
  const auto words = std::make_shared<TagWords>();
  root.command("tag", "Give an image of a registry (or of the store) further names.")
      .required_positional("REF", words->source, "the image")
      .positional("NAME", words->names, "tags of the same repository, or full references")
      .flag("--local", words->local, "in the store")
      .handler([words](const CancelToken& cancel) { return run_tag(*words, cancel); });
}

}  // namespace kiln::cli
